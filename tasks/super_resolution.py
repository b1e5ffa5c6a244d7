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
from palette.degradations.resize_matrices import matrix, multiply
from palette.errors import UserError
from palette.tasks.base import WholePictureTask
from palette.types import Condition, Observation, Picture, Task

METHODS = {"bicubic": "cubic_aa", "bilinear": "linear_aa"}
BICUBIC = ("sr_bicubic", "sr_matlab")
"""Degradations that reduce by bicubic and do nothing else but round."""
PROJECTIONS = 2
"""Of an answer onto what reduces to the small picture; more change nothing that can be seen."""
ROUNDING = 0.5001 / 255
"""Half of a step of 8 bits: by this a stored pixel may miss what was reduced to it."""


@dataclass(frozen=True)
class SuperResolution(WholePictureTask):
    """The condition is the small picture, enlarged to the size of the target."""

    degradation: str = "sr_bicubic"
    scale: int = 4
    """How many times larger, 2 to 8."""
    enlarge: Literal["bicubic", "bilinear"] = "bicubic"
    """How the condition is enlarged."""
    back_projection: bool = True
    """Put back what the small picture says for certain of the large one, if it was reduced by
    bicubic alone. Published networks are sampled without."""
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

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        """What reduces to the small picture, but for its rounding, where that was a bicubic
        reduction: iterative back-projection (Irani and Peleg 1991)."""
        if not fits(self) or observation.strength:
            return restored
        small = observation.picture
        for _ in range(PROJECTIONS):
            missed = small - resize(restored, small.shape[0], small.shape[1], "cubic_aa")
            missed -= missed.clip(-ROUNDING, ROUNDING)
            fitting = _spread(missed, *restored.shape[:2])
            fitting += restored  # in place: pictures can be large
            restored = fitting.clip(0, 1, out=fitting)
        return restored

    def _enlarged(self, observation: Observation, how: str) -> Picture:
        height, width = observation.picture.shape[:2]
        return resize(observation.picture, height * self.scale, width * self.scale, METHODS[how])

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        """What detail and what agreement with the small picture are worth that nothing was learnt
        for: bicubic with its edges steepened, and finished as answers are."""
        ways = {"sharpened-bicubic": lambda observation: _sharpened(self.baseline(observation))}
        if fits(self):
            ways["back-projected-bicubic"] = lambda observation: self.finish(
                self.baseline(observation), observation
            )
        return ways

    def baseline_batch(self, observed: Tensor) -> Tensor:
        size = [side * self.scale for side in observed.shape[-2:]]
        enlarged = functional.interpolate(observed, size, mode=self.enlarge, antialias=True)
        return enlarged.clamp(0, 1)


def fits(task: Task) -> bool:
    """Whether what the task makes must reduce to the small picture."""
    if not isinstance(task, SuperResolution):
        return False
    return task.back_projection and task.degradation in BICUBIC


def _spread(missed: Picture, height: int, width: int) -> Picture:
    """Differences, of either sign, enlarged by bicubic."""
    rows = matrix("cubic_aa", missed.shape[0], height)
    return multiply(missed, rows, matrix("cubic_aa", missed.shape[1], width))


def _sharpened(picture: Picture) -> Picture:
    """Unsharp masking: the difference to a Gaussian blur of σ = 1 pixel, added once."""
    blurred = cv2.GaussianBlur(picture, (0, 0), 1.0)
    return np.clip(2 * picture - blurred, 0, 1)
