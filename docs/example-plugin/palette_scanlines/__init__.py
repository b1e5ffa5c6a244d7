"""An example of a package that extends palette: the dark lines of an old screen, and their removal.

After ``pip install``, ``palette degrade scanlines``, ``palette degrade haze`` and
``palette train scanline-removal`` work like the built-in ones.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palette.degradations.base import Degradation, between, check, clipped, quantile
from palette.degradations.wrappers import Albumentations
from palette.tasks.base import WholePictureTask
from palette.types import Params, Picture, Spec


@dataclass(frozen=True)
class Scanlines(Degradation):
    """Dark rows, as of an old screen.

    Every ``period``-th row is darkened. Params: period, first (rows), darkness (0–1).
    """

    periods: tuple[int, int] = (2, 5)
    darkness: tuple[float, float] = (0.1, 0.8)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        period = int(rng.integers(self.periods[0], self.periods[1] + 1))
        return {
            "period": period,
            "first": int(rng.integers(period)),
            "darkness": between(*self.darkness, quantile(spec, rng)),
        }

    def apply(self, picture: Picture, params: Params) -> Picture:
        result = check(picture).copy()
        result[params["first"] :: params["period"]] *= np.float32(1 - params["darkness"])
        return clipped(result)


HAZE = Albumentations("RandomFog", {"fog_coef_range": (0.2, 0.6), "p": 1.0})
"""A transform of another library, as it is."""


@dataclass(frozen=True)
class ScanlineRemoval(WholePictureTask):
    """The condition is the picture with its lines; any other degradation may be named as well."""

    degradation: str = "scanlines"
    name: ClassVar[str] = "scanline-removal"
