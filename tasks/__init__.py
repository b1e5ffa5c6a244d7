"""The tasks by name. A new one is one file and one line here, or an entry point
``palette.tasks`` of another package."""

from __future__ import annotations

from importlib.metadata import entry_points
from typing import Any

from palette.tasks.colorization import Colorization
from palette.tasks.inpainting import Inpainting
from palette.tasks.jpeg_restoration import JpegRestoration
from palette.tasks.super_resolution import SuperResolution
from palette.tasks.uncropping import Uncropping

TASKS: dict[str, type[Any]] = {
    "super-resolution": SuperResolution,
    "jpeg-restoration": JpegRestoration,
    "colorization": Colorization,
    "inpainting": Inpainting,
    "uncropping": Uncropping,
}


def available() -> dict[str, type[Any]]:
    """TASKS and what other packages add under the entry point ``palette.tasks``."""
    added = {entry.name: entry.load() for entry in entry_points(group="palette.tasks")}
    return {**added, **TASKS}
