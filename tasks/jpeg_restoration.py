"""JPEG restoration (Palette, Saharia et al. 2022): undo strong compression."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palette.tasks.base import WholePictureTask


@dataclass(frozen=True)
class JpegRestoration(WholePictureTask):
    """The condition is the decoded file. Trained on quality 5–30, p(Q) ∝ exp(−Q/10)."""

    degradation: str = "palette_jpeg"
    name: ClassVar[str] = "jpeg-restoration"
