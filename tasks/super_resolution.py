"""Super-resolution (SR3, Saharia et al. 2021): a small picture becomes ``scale`` times as large."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, Literal

import cv2
import numpy as np
from torch import Tensor
from torch.nn import functional

from palette.degradations.resize import resize
from palette.errors import UserError
from palette.tasks.base import WholePictureTask
from palette.types import Condition, Observation, Picture

METHODS = {"bicubic": "cubic_aa", "bilinear": "linear_aa"}


@dataclass(frozen=True)
class SuperResolution(WholePictureTask):
    """The condition is the small picture, enlarged to the size of the target."""

    degradation: str = "sr_bicubic"
    scale: int = 4
    """How many times larger, 2 to 8."""
    enlarge: Literal["bicubic", "bilinear"] = "bicubic"
    """How the condition is enlarged."""
    name: ClassVar[str] = "super-resolution"

    def __post_init__(self) -> None:
        if not 2 <= self.scale <= 8:
            raise UserError(f"scale is {self.scale}: choose an integer from 2 to 8")
        super().__post_init__()

    def baseline(self, observation: Observation) -> Picture:
        return self._enlarged(observation, "bicubic")

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        shown = super().condition(observation, rng)
        if self.enlarge != "bicubic":
            shown = replace(shown, x=2 * self._enlarged(observation, self.enlarge) - 1)
        return shown

    def _enlarged(self, observation: Observation, how: str) -> Picture:
        height, width = observation.picture.shape[:2]
        return resize(observation.picture, height * self.scale, width * self.scale, METHODS[how])

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        """Bicubic with its edges steepened: what detail is worth that nothing was learnt for."""
        return {"sharpened-bicubic": lambda observation: _sharpened(self.baseline(observation))}

    def baseline_batch(self, observed: Tensor) -> Tensor:
        size = [side * self.scale for side in observed.shape[-2:]]
        enlarged = functional.interpolate(observed, size, mode=self.enlarge, antialias=True)
        return enlarged.clamp(0, 1)


def _sharpened(picture: Picture) -> Picture:
    """Unsharp masking: the difference to a Gaussian blur of σ = 1 pixel, added once."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.0)
    return np.clip(2 * picture - blurred, 0, 1)
