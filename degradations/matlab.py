"""MATLAB's bicubic ``imresize`` of stored pictures, which made the inputs of the literature.

Its kernel widens when it shrinks, the picture goes on mirrored at its edges, and the stored values
are rounded after each of the two directions: rows first, halves up.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from palette.degradations.base import Degradation, check, clipped
from palette.degradations.resize_matrices import banded_product, matrix, shrunk
from palette.types import Params, Picture, Spec


def imresize(stored: np.ndarray, height: int, width: int, largest: int = 255) -> np.ndarray:
    """``stored`` (H, W, C), whole numbers up to ``largest``, at (height, width, C) float64."""
    tall = _resized_rows(stored.astype(np.float64), height, largest)
    wide = _resized_rows(tall.transpose(1, 0, 2), width, largest)
    return np.ascontiguousarray(wide.transpose(1, 0, 2))


def _resized_rows(stored: np.ndarray, height: int, largest: int) -> np.ndarray:
    lines = torch.from_numpy(np.ascontiguousarray(stored)).reshape(len(stored), -1)
    weights = matrix("matlab", len(stored), height).astype(np.float64)
    product = banded_product(weights, lines).numpy().reshape(height, *stored.shape[1:])
    return np.clip(np.floor(product + 0.5), 0, largest)


@dataclass(frozen=True)
class SrMatlab(Degradation):
    """MATLAB's bicubic to 1/scale, 8 bits by default: the literature's super-resolution.

    Params: height, width, bits.
    """

    scale: int = 4
    bits: int = 8

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        height, width = shrunk(spec.height, self.scale), shrunk(spec.width, self.scale)
        return {"height": height, "width": width, "bits": self.bits}

    def apply(self, picture: Picture, params: Params) -> Picture:
        largest = 2 ** params["bits"] - 1
        stored = np.rint(np.clip(check(picture), 0, 1) * np.float32(largest))
        return clipped(imresize(stored, params["height"], params["width"], largest) / largest)

    def resized(self, spec: Spec, params: Params) -> Spec:
        return spec.sized(params["height"], params["width"])
