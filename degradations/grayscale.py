"""Grayscale: one brightness copied to three channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palette.degradations.operator import check, clipped
from palette.errors import UserError
from palette.types import Params, Picture, Spec

WEIGHTS = {
    "rec601": (0.299, 0.587, 0.114),
    "rec709": (0.2126, 0.7152, 0.0722),
    "rec2020": (0.2627, 0.6780, 0.0593),
    "average": (1 / 3, 1 / 3, 1 / 3),
}
"""Luma formulas: the weights of R, G and B (gamma-encoded, as the standards define luma)."""


@dataclass(frozen=True)
class Grayscale:
    """Luma in all three channels. Params: formula (rec601 is Pillow's and OpenCV's)."""

    formula: str = "rec601"

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"formula": self.formula}

    def apply(self, picture: Picture, params: Params) -> Picture:
        if params["formula"] not in WEIGHTS:
            raise UserError(f"formula {params['formula']!r} is not one of {', '.join(WEIGHTS)}")
        luma = check(picture) @ np.asarray(WEIGHTS[params["formula"]], np.float32)
        return np.repeat(clipped(luma)[..., None], 3, axis=2)
