"""Inpainting (Palette, Saharia et al. 2022): fill holes of any shape."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palette.tasks.base import HoleTask


@dataclass(frozen=True)
class Inpainting(HoleTask):
    """Trained on 60 % free-form strokes and 40 % rectangles."""

    degradation: str = "palette_inpainting"
    name: ClassVar[str] = "inpainting"
