"""Colorization (Palette, Saharia et al. 2022): colours for a grey picture."""

from __future__ import annotations

from dataclasses import dataclass

from palette.degradations import build
from palette.degradations.grayscale import Grayscale
from palette.tasks.base import WholePictureTask
from palette.types import Degradation, Observation, Picture


@dataclass(frozen=True)
class Colorization(WholePictureTask):
    """The condition is the luma, repeated to three channels."""

    degradation: str = "grayscale"
    """What took the colours away; what is left of them is removed in any case."""

    @property
    def operator(self) -> Degradation:
        return build(self.degradation, scale=1)

    def baseline(self, observation: Observation) -> Picture:
        return Grayscale().apply(observation.picture, {"formula": "rec601"})
