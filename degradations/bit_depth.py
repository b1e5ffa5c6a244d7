"""What degradations do to files with 16 bits or transparency: keep them or refuse."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.degradations.compose import parts
from palette.degradations.jpeg import Jpeg, Quantise, WebP
from palette.degradations.resize import resize
from palette.degradations.wrappers import Albumentations, Kornia
from palette.errors import UserError
from palette.types import Degradation


def for_bit_depth(degradation: Degradation, bits: int) -> Degradation:
    """The degradation for files of ``bits`` per channel (8 or 16).

    A last rounding (a field ``bits``) becomes that of the file. ValueError for more than 8 bits
    where a codec of 8 bits is a part of it.
    """
    if bits == 8:
        return degradation
    if any(field.name == "bits" for field in _fields(degradation)):
        adapted: Any = degradation
        return dataclasses.replace(adapted, bits=bits)
    for part in parts(degradation):
        if isinstance(part, Jpeg | WebP | Quantise):
            codec = type(part).__name__
            raise UserError(
                f"{codec} holds 8 bits, the file has {bits}: convert it to 8 bits first"
            )
    return degradation


def _fields(degradation: Any) -> tuple[Any, ...]:
    return dataclasses.fields(degradation) if dataclasses.is_dataclass(degradation) else ()


def carry_alpha(
    degradation: Degradation, alpha: NDArray[np.float32], height: int, width: int
) -> NDArray[np.float32]:
    """The transparency (H, W) of the result: as it was, averaged or repeated to its size.

    ValueError where pixels may have moved: a wrapped transform does not tell.
    """
    for part in parts(degradation):
        if isinstance(part, Albumentations | Kornia):
            raise UserError(
                f"{part.name} may move pixels, and transparency would stay: remove the alpha first"
            )
    if alpha.shape == (height, width):
        return alpha
    return resize(np.repeat(alpha[..., None], 3, axis=2), height, width, "area")[..., 0]
