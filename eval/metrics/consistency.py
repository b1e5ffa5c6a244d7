"""What a restoration must keep: agreement with its input (SR3), colours, energy in each octave."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn.functional import interpolate

from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.distortion import comparable_pair
from palette.eval.metrics.pixels import to_uint8
from palette.eval.metrics.spectrum import octave_energies

CONSISTENCY_UNIT = 1e-5


def consistency(answer: NDArray, given: NDArray) -> float:
    """Mean squared error of the downsampled answer to the low-resolution input, in 1e-5.

    SR3 (Saharia et al. 2021, table 1): antialiased bicubic to the size of ``given (h, w, 3)``, on
    pictures in [0, 1] rounded to uint8. Not defined where the input is as large as the answer.
    """
    height, width = given.shape[:2]
    if height >= answer.shape[0] or width >= answer.shape[1]:
        raise Undefined("consistency is for inputs smaller than the answer")
    large = torch.from_numpy(to_uint8(answer).astype(np.float64)).permute(2, 0, 1)[None]
    small = interpolate(large, size=(height, width), mode="bicubic", antialias=True)
    difference = small[0].permute(1, 2, 0).numpy().clip(0, 255) - to_uint8(given)
    return float(np.square(difference / 255).mean() / CONSISTENCY_UNIT)


def colour_drift(answer: NDArray, target: NDArray) -> NDArray[np.float64]:
    """Mean signed error of red, green and blue ``(3,)``, in units of 1/255: 0 is no colour cast."""
    x, y = comparable_pair(answer, target, as_luma=False, border=0)
    return (x - y).mean(axis=(0, 1))


def octave_error(answer: NDArray, target: NDArray, octave: int) -> float:
    """Energy of the answer over that of the target in one octave, in dB: 0 is as much detail.

    ``octave`` 1 is the finest, the frequencies above 1/4 cycle per pixel. Not defined for pictures
    below 16 pixels, and where either has no energy there.
    """
    x, y = comparable_pair(answer, target, as_luma=False, border=0)
    if min(x.shape[:2]) < 16:
        raise Undefined("octaves need pictures of 16 pixels a side or more")
    made, true = octave_energies(x)[-octave], octave_energies(y)[-octave]
    if not made or not true:
        raise Undefined("a picture of one colour has no energy to compare")
    return float(10 * np.log10(made / true))
