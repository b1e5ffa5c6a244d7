"""Cheap content for a hole: what a network starts from, and what it has to beat.

A fill takes a picture (H, W, 3) float32 in [0, 1] and its hole (H, W), True where pixels are
missing, and returns the picture with the hole filled; known pixels stay as they are. Where nothing
is known the fill is mid-grey.
"""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray

from palette.types import Mask, Picture

Fill = Callable[[Picture, Mask], Picture]

SWEEPS = 8
"""Relaxations at each scale; twice as many gain less than 0.05 dB."""
RADIUS = 3
"""Pixels around one that Telea and Navier–Stokes look at: OpenCV's usual value."""

_NEIGHBOURS = np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], np.float32) / 4


def harmonic(picture: Picture, hole: Mask) -> Picture:
    """The membrane that continues the surroundings: in the hole its Laplacian is 0.

    Solved from coarse to fine: each scale starts from the coarser one (push–pull, Gortler et al.
    1996) and is relaxed by a few Jacobi sweeps. Linear in the number of pixels at any size of hole.
    """
    known = (~hole).astype(np.float32)
    return np.where(hole[..., None], _membrane(picture * known[..., None], known), picture)


def _membrane(picture: Picture, known: NDArray[np.float32]) -> Picture:
    """``picture`` where ``known`` (H, W) is 1, continued where it is 0."""
    if known.all():
        return picture
    if known.size == 1:
        return np.full_like(picture, 0.5)
    height, width = known.shape
    odd = ((0, height % 2), (0, width % 2))
    total, count = _of_four(np.pad(picture, (*odd, (0, 0)))), _of_four(np.pad(known, odd))
    mean = (total / np.maximum(count, 1)[..., None]).astype(np.float32)
    coarse = _membrane(mean, np.minimum(count, 1))
    finer = cv2.resize(coarse, None, fx=2, fy=2, interpolation=cv2.INTER_LINEAR)
    hole = (known == 0)[..., None]
    filled = np.where(hole, finer[:height, :width], picture)
    for _ in range(SWEEPS):
        mean = cv2.filter2D(filled, -1, _NEIGHBOURS, borderType=cv2.BORDER_REFLECT)
        np.copyto(filled, mean, where=hole)
    return filled.astype(np.float32, copy=False)


def _of_four(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """Sums over blocks of 2×2."""
    rows = values[0::2] + values[1::2]
    return (rows[:, 0::2] + rows[:, 1::2]).astype(np.float32, copy=False)


def telea(picture: Picture, hole: Mask) -> Picture:
    """Fast marching (Telea 2004), by OpenCV, in 8 bits."""
    return _by_opencv(picture, hole, cv2.INPAINT_TELEA)


def navier_stokes(picture: Picture, hole: Mask) -> Picture:
    """Isophotes continued as a fluid (Bertalmio et al. 2001), by OpenCV, in 8 bits."""
    return _by_opencv(picture, hole, cv2.INPAINT_NS)


def _by_opencv(picture: Picture, hole: Mask, method: int) -> Picture:
    if hole.all():
        return np.full_like(picture, 0.5)
    # OpenCV looks at what is in the hole too: the same in all pictures, as in training
    stored = np.rint(np.where(hole[..., None], 0.5, picture) * 255).astype(np.uint8)
    filled = cv2.inpaint(stored, hole.astype(np.uint8), RADIUS, method)
    return np.where(hole[..., None], filled.astype(np.float32) / 255, picture)


def mean_colour(picture: Picture, hole: Mask) -> Picture:
    """The mean of all known pixels."""
    known = picture[~hole]
    colour = known.mean(axis=0) if len(known) else np.full(3, 0.5, np.float32)
    return np.where(hole[..., None], colour, picture).astype(np.float32)


FILLS: dict[str, Fill] = {
    "harmonic": harmonic,
    "telea": telea,
    "navier-stokes": navier_stokes,
    "mean": mean_colour,
}
