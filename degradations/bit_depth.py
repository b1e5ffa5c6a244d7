"""What degradations do to files with 16 bits or transparency: keep them or refuse."""

from __future__ import annotations

import dataclasses

import numpy as np
from numpy.typing import NDArray

from palette.degradations.base import Degradation
from palette.degradations.resize import resize
from palette.errors import UserError


def for_bit_depth(degradation: Degradation, bits: int) -> Degradation:
    """The degradation for files of ``bits`` per channel (8 or 16).

    Where the result is rounded, it is rounded to the bits of the file. UserError for more than 8
    bits where a part of the degradation holds no more.
    """
    if bits == 8:
        return degradation
    if degradation.bits is not None:
        return dataclasses.replace(degradation, bits=bits)
    for part in degradation.walk():
        if part.codec or part.bits is not None:
            name = type(part).__name__
            raise UserError(f"{name} holds 8 bits, the file has {bits}: convert it to 8 bits first")
    return degradation


def carry_alpha(
    degradation: Degradation, alpha: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """The transparency (H, W) of the result: as it was, averaged or repeated to its size.

    UserError where pixels may have moved.
    """
    for part in degradation.walk():
        if part.moves_pixels:
            raise UserError(
                f"{part} may move pixels, and transparency would stay: remove the alpha first"
            )
    if alpha.shape == (height, width):
        return alpha
    return resize(np.repeat(alpha[..., None], 3, axis=2), height, width, "area")[..., 0]
