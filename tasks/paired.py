"""Any translation that pairs of pictures show: deblurring, day to night, sketch to photo."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Literal

import numpy as np
import tyro

from palette.degradations.resize import resize
from palette.tasks.base import AnyTask
from palette.types import Condition, Observation, Params, Picture, Spec, TargetName


@dataclass(frozen=True)
class Paired(AnyTask):
    """The condition is the picture that --data.input has for a picture of --data, enlarged
    bicubically where it is smaller. How many times is found in the pairs."""

    diffuse: Literal["auto", "residual", "picture"] = "auto"
    """residual: the difference to the condition. picture: the target itself. auto: the residual
    where it is smaller than the spread of the targets, as measured on the pairs."""
    scale: tyro.conf.Suppress[int | None] = field(default=None, metadata={"found": True})
    """How many times larger a target is than its input; None: of the same size."""
    conditioning: tyro.conf.Suppress[str] = field(default="none", init=False, repr=False)

    name: ClassVar[str] = "paired"
    paired: ClassVar[bool] = True

    @property
    def target(self) -> TargetName:
        return "picture" if self.diffuse == "picture" else "residual"

    @property
    def multiple(self) -> int:
        return self.scale or 1

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        """Nothing: the pairs decide."""
        return {}

    def degrade(self, clean: Picture, params: Params) -> Observation:
        raise AssertionError("its pairs have the inputs")

    def baseline(self, observation: Observation) -> Picture:
        if self.scale is None:
            return observation.picture
        height, width = observation.picture.shape[:2]
        return resize(observation.picture, height * self.scale, width * self.scale, "cubic_aa")

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        return Condition(2 * self.baseline(observation) - 1)

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        return restored
