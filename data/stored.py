"""Stored values: the 8 or 16 bits that a file keeps of a picture, and the floats they stand for."""

from __future__ import annotations

from typing import Literal

import numpy as np
from numpy.typing import NDArray

BitDepth = Literal[8, 16]


def from_stored(stored: NDArray) -> NDArray[np.float32]:
    """uint8 or uint16 to float32 in [0, 1], rounded once: so all readers agree.

    float32 comes back as it is.
    """
    if stored.dtype == np.float32:
        return stored
    return np.divide(stored, np.float32(np.iinfo(stored.dtype).max), dtype=np.float32)


def to_stored(picture: NDArray[np.float32], bit_depth: BitDepth) -> NDArray:
    """float32 in [0, 1] to the nearest uint8 or uint16."""
    kind = np.uint8 if bit_depth == 8 else np.uint16
    return np.rint(picture * np.iinfo(kind).max).astype(kind)


def is_colourless(picture: NDArray) -> bool:
    """Whether the three channels of (H, W, 3) are equal everywhere."""
    red, green, blue = np.moveaxis(picture, -1, 0)
    return np.array_equal(red, green) and np.array_equal(green, blue)


def grey_of(picture: NDArray[np.float32]) -> NDArray[np.float32]:
    """The mean of the channels, (H, W, 1); equal ones are their mean to the bit."""
    return picture.mean(axis=-1, keepdims=True, dtype=np.float64).astype(np.float32)


def is_grey(stored: NDArray, tolerance: float = 0.004) -> bool:
    """Whether the channels of (H, W, 3) stored values differ by a level of 8 bits at most.

    The mean difference counts, so that the specks of a coded grey picture do not.
    """
    highest = np.iinfo(stored.dtype).max if stored.dtype.kind == "u" else 1.0
    few = stored[::4, ::4].astype(np.float32) / highest
    return float(np.ptp(few, axis=2).mean()) < tolerance
