"""The degradations of the papers Palette (Saharia et al. 2022) and SR3 (Saharia et al. 2021)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from palette.degradations.batches import Batch, Pictures
from palette.degradations.jpeg import Jpeg, Quantise
from palette.degradations.masks import AnyShape, Border, Boxes, Hole
from palette.degradations.resize import Resizing, Shrink
from palette.degradations.strokes import FreeForm
from palette.types import Params, Picture, Spec


@dataclass(frozen=True)
class SrBicubic(Resizing):
    """Antialiased bicubic to 1/scale, rounded to 8 bits by default (SR3).

    The filter itself works in float; only its result is rounded, because a user holds a file.
    Params: height, width, method, bits.
    """

    scale: int = 4
    bits: int = 8

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return Shrink(self.scale).draw(spec, rng) | {"bits": self.bits}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return Quantise().apply(super().apply(picture, params), params)

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        return Quantise().apply_batch(super().apply_batch(pictures, params), params)


PALETTE_JPEG = Jpeg(worst=5, best=30, decay=10)
"""Quality in [5, 30] with p(Q) ∝ exp(−Q / 10)."""

PALETTE_INPAINTING = Hole(AnyShape({"free_form": (0.6, FreeForm()), "boxes": (0.4, Boxes())}))
"""60 % free-form strokes, 40 % rectangles."""

PALETTE_UNCROPPING = Hole(Border())
"""Half of the area: half of the time at one side, half of the time around the rest."""
