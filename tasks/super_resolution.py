"""Super-resolution (SR3, Saharia et al. 2021): a small picture becomes ``scale`` times as large."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor
from torch.nn import functional

from palette.degradations.resize import resize
from palette.errors import UserError
from palette.tasks.base import WholePictureTask
from palette.types import Observation, Picture


@dataclass(frozen=True)
class SuperResolution(WholePictureTask):
    """The condition is the small picture, enlarged bicubically to the size of the target."""

    degradation: str = "sr_bicubic"
    scale: int = 4
    """How many times larger, 2 to 8."""
    name: ClassVar[str] = "super-resolution"

    def __post_init__(self) -> None:
        if not 2 <= self.scale <= 8:
            raise UserError(f"scale is {self.scale}: choose an integer from 2 to 8")
        super().__post_init__()

    def baseline(self, observation: Observation) -> Picture:
        height, width = observation.picture.shape[:2]
        return resize(observation.picture, height * self.scale, width * self.scale, "cubic_aa")

    def baseline_batch(self, observed: Tensor) -> Tensor:
        size = [side * self.scale for side in observed.shape[-2:]]
        return functional.interpolate(observed, size, mode="bicubic", antialias=True).clamp(0, 1)
