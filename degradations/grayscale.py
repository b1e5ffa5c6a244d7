"""Grayscale: one brightness copied to three channels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from palette.degradations.base import Degradation, check, clipped
from palette.degradations.batches import Batch, by_size
from palette.errors import UserError
from palette.types import Params, Picture, Spec

WEIGHTS = {
    "rec601": (0.299, 0.587, 0.114),
    "rec709": (0.2126, 0.7152, 0.0722),
    "rec2020": (0.2627, 0.6780, 0.0593),
    "average": (1 / 3, 1 / 3, 1 / 3),
}
"""Luma formulas: the weights of R, G and B (gamma-encoded, as the standards define luma)."""


def luma_batch(pictures: Tensor, formula: str) -> Tensor:
    """``(B, 3, H, W)`` to ``(B, 1, H, W)``."""
    weights = pictures.new_tensor(WEIGHTS[formula])
    return (pictures * weights[:, None, None]).sum(1, keepdim=True)


@dataclass(frozen=True)
class Grayscale(Degradation):
    """Luma in all three channels.

    Params: formula (rec601 is that of Pillow and OpenCV).
    """

    formula: str = "rec601"

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"formula": self.formula}

    def apply(self, picture: Picture, params: Params) -> Picture:
        if params["formula"] not in WEIGHTS:
            raise UserError(f"formula {params['formula']!r} is not one of {', '.join(WEIGHTS)}")
        luma = check(picture) @ np.asarray(WEIGHTS[params["formula"]], np.float32)
        return np.repeat(clipped(luma)[..., None], 3, axis=2)

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        pairs = zip(pictures.split(1), params, strict=True)
        lumas = [luma_batch(picture, one["formula"]) for picture, one in pairs]
        return torch.cat(lumas).clamp(0, 1).expand(-1, 3, -1, -1).clone()
