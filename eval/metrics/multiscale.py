"""MS-SSIM: structural similarity over five scales (Wang, Simoncelli and Bovik 2003)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.distortion import (
    SSIM_WINDOW,
    comparable_pair,
    inside,
    similarity_terms,
)

WEIGHTS = (0.0448, 0.2856, 0.3001, 0.2363, 0.1333)
"""Exponents of the five scales, fine to coarse (the paper, section 3.2)."""

SMALLEST_SIDE = SSIM_WINDOW * 2 ** (len(WEIGHTS) - 1)
"""Below this the coarsest scale is smaller than the window: 176 pixels."""


def ms_ssim(a: NDArray, b: NDArray) -> float:
    """MS-SSIM of two RGB pictures: per channel, then the mean over channels; 1 is identical.

    Contrast and structure of every scale, luminance of the coarsest; scales are 2×2 means. A
    negative contrast term counts as 0, as a root of it would not be real.
    """
    x, y = comparable_pair(a, b, as_luma=False, border=0)
    if min(x.shape[:2]) < SMALLEST_SIDE:
        raise Undefined(
            f"MS-SSIM needs sides of {SMALLEST_SIDE} pixels or more, not {x.shape[0]}×{x.shape[1]}"
        )
    product = np.ones(3)
    for scale, weight in enumerate(WEIGHTS):
        luminance, similarity = similarity_terms(x, y)
        if scale == len(WEIGHTS) - 1:
            similarity = luminance * similarity
        product *= np.clip(inside(similarity).mean(axis=(0, 1)), 0, None) ** weight
        x, y = _halved(x), _halved(y)
    return float(product.mean())


def _halved(x: NDArray) -> NDArray:
    """Means of 2×2 pixels; an odd last row or column is left out."""
    height, width = (side // 2 for side in x.shape[:2])
    return x[: 2 * height, : 2 * width].reshape(height, 2, width, 2, 3).mean(axis=(1, 3))
