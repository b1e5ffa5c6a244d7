"""JPEG restoration (Palette, Saharia et al. 2022): undo strong compression."""

from __future__ import annotations

from dataclasses import dataclass

from palette.degradations import build
from palette.tasks.base import WholePictureTask
from palette.types import Degradation


@dataclass(frozen=True)
class JpegRestoration(WholePictureTask):
    """The condition is the decoded file. Trained on quality 5–30, p(Q) ∝ exp(−Q/10)."""

    degradation: str = "palette_jpeg"
    """What damaged the picture; any degradation that keeps its size."""

    @property
    def operator(self) -> Degradation:
        return build(self.degradation, scale=1)
