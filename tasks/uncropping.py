"""Uncropping (Palette, Saharia et al. 2022): continue a picture beyond its border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palette.tasks.base import HoleTask


@dataclass(frozen=True)
class Uncropping(HoleTask):
    """Trained with half of the area missing, at one side or all around."""

    degradation: str = "palette_uncropping"
    name: ClassVar[str] = "uncropping"
