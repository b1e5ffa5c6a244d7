"""Resizing as matrices: result = rows · picture · columnsᵀ, for every method and any ratio.

Row i holds the weights of the input pixels for output pixel i, whose centre lies at
(i + ½) · n_in / n_out − ½. These matrices define the methods. The batched form multiplies by them,
and so does the NumPy form where OpenCV has no such method.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palette.errors import UserError

Matrix = NDArray[np.float32]

ROWS_AT_ONCE = 16
"""Of a banded product: few enough to skip most zeros, enough to be quick."""


def _triangle(x: np.ndarray) -> np.ndarray:
    return np.clip(1 - np.abs(x), 0, None)


def _cubic(x: np.ndarray, a: float) -> np.ndarray:
    """Keys 1981: a = −0.5 is third-order exact (Pillow, MATLAB, torch); OpenCV has a = −0.75."""
    x = np.abs(x)
    near = (a + 2) * x**3 - (a + 3) * x**2 + 1
    far = a * x**3 - 5 * a * x**2 + 8 * a * x - 4 * a
    return np.where(x <= 1, near, np.where(x < 2, far, 0))


def _lanczos(x: np.ndarray) -> np.ndarray:
    return np.where(np.abs(x) < 3, np.sinc(x) * np.sinc(x / 3), 0)


ANTIALIASED: dict[str, tuple[float, Callable[[np.ndarray], np.ndarray]]] = {
    "linear_aa": (1.0, _triangle),
    "cubic_aa": (2.0, lambda x: _cubic(x, -0.5)),
    "lanczos_aa": (3.0, _lanczos),
    "matlab": (2.0, lambda x: _cubic(x, -0.5)),
}
INTERPOLATING: dict[str, tuple[int, Callable[[np.ndarray], np.ndarray]]] = {
    "linear": (1, _triangle),
    "cubic": (2, lambda x: _cubic(x, -0.75)),
}


def _centres(n_in: int, n_out: int) -> np.ndarray:
    return (np.arange(n_out) + 0.5) * n_in / n_out - 0.5


def _scattered(taps: np.ndarray, weights: np.ndarray, n_in: int) -> np.ndarray:
    """``(n_out, n_in)`` from the pixels (n_out, taps) that each output pixel weighs."""
    result = np.zeros((len(taps), n_in))
    rows = np.broadcast_to(np.arange(len(taps))[:, None], taps.shape)
    np.add.at(result, (rows, taps), weights)
    return result


def _antialiased(method: str, n_in: int, n_out: int) -> np.ndarray:
    radius, kernel = ANTIALIASED[method]
    stretch = max(n_in / n_out, 1.0)
    centres = _centres(n_in, n_out)[:, None]
    taps = np.floor(centres - radius * stretch).astype(int) + np.arange(
        1, math.ceil(2 * radius * stretch) + 1
    )
    weights = kernel((taps - centres) / stretch)
    if method == "matlab":  # the picture goes on, mirrored at its edge
        inside = np.minimum(taps % (2 * n_in), -(taps + 1) % (2 * n_in))
    else:  # the border has fewer taps, as in Pillow
        inside = np.clip(taps, 0, n_in - 1)
        weights = np.where(taps == inside, weights, 0)
    return _scattered(inside, weights / weights.sum(axis=1, keepdims=True), n_in)


def _interpolating(method: str, n_in: int, n_out: int) -> np.ndarray:
    radius, kernel = INTERPOLATING[method]
    centres = _centres(n_in, n_out)[:, None]
    taps = np.floor(centres).astype(int) + np.arange(1 - radius, radius + 1)
    border_repeated = np.clip(taps, 0, n_in - 1)
    return _scattered(border_repeated, kernel(taps - centres), n_in)


def nearest_indices(n_in: int, n_out: int) -> NDArray[np.int64]:
    """``(n_out,)``: ⌊(i + ½) n_in / n_out⌋ in integers, where OpenCV's fixed point errs at ties."""
    return (2 * np.arange(n_out) + 1) * n_in // (2 * n_out)


def _nearest(n_in: int, n_out: int) -> np.ndarray:
    weights = np.zeros((n_out, n_in))
    weights[np.arange(n_out), nearest_indices(n_in, n_out)] = 1
    return weights


def _area(n_in: int, n_out: int) -> np.ndarray:
    edges = np.arange(n_out + 1) * n_in / n_out
    pixels = np.arange(n_in)[None, :]
    overlap = np.minimum(edges[1:, None], pixels + 1) - np.maximum(edges[:-1, None], pixels)
    return np.clip(overlap, 0, None) * n_out / n_in


def _pool(n_in: int, n_out: int) -> np.ndarray:
    """Torch's "area" (adaptive average pooling): all pixels that a new one touches, alike."""
    pixels, new = np.arange(n_in)[None, :], np.arange(n_out)[:, None]
    touched = (pixels >= new * n_in // n_out) & (pixels < -(-(new + 1) * n_in // n_out))
    return touched / touched.sum(axis=1, keepdims=True)


@lru_cache(maxsize=256)
def matrix(method: str, n_in: int, n_out: int) -> Matrix:
    """``(n_out, n_in)`` float32; rows sum to 1. Shared between calls: do not write to it."""
    if method in ANTIALIASED:
        weights = _antialiased(method, n_in, n_out)
    elif method in INTERPOLATING:
        weights = _interpolating(method, n_in, n_out)
    elif method == "nearest":
        weights = _nearest(n_in, n_out)
    elif method == "area":
        weights = _area(n_in, n_out)
    elif method == "pool":
        weights = _pool(n_in, n_out)
    else:
        names = ", ".join([*ANTIALIASED, *INTERPOLATING, "nearest", "area", "pool"])
        raise UserError(f"resize method {method!r} is not one of {names}")
    return weights.astype(np.float32)


def gaussian_matrix(sigma: float, size: int, n_in: int, n_out: int) -> Matrix:
    """``(n_out, n_in)``: a Gaussian (σ and ``size`` taps in input pixels) at each output centre.

    Blurring and taking every n-th pixel in one, without the shift that the latter brings.
    Borders are mirrored at the centre of the outermost pixel.
    """
    centres = _centres(n_in, n_out)[:, None]
    taps = np.ceil(centres - size / 2).astype(int) + np.arange(size)
    offsets = ((taps - centres) / max(sigma, 1e-3)) ** 2
    # Relative to the nearest tap: a σ far below a pixel must not underflow to 0 / 0.
    weights = np.exp(-0.5 * (offsets - offsets.min(axis=1, keepdims=True)))
    weights /= weights.sum(axis=1, keepdims=True)
    period = max(2 * n_in - 2, 1)
    mirrored = np.minimum(taps % period, -taps % period)
    return _scattered(mirrored, weights, n_in).astype(np.float32)


def multiply(picture: np.ndarray, rows: Matrix, columns: Matrix) -> np.ndarray:
    """``(H, W, C)`` to ``(len(rows), len(columns), C)``."""
    height, width, channels = picture.shape
    picture = picture if picture.flags.writeable else picture.copy()  # torch takes no others
    tall = banded_product(rows, torch.from_numpy(picture).reshape(height, -1))
    tall = tall.reshape(len(rows), width, channels).transpose(0, 1).reshape(width, -1)
    wide = banded_product(columns, tall).reshape(len(columns), len(rows), channels)
    return wide.transpose(0, 1).contiguous().numpy()


def multiply_batch(pictures: Tensor, rows: Sequence[Matrix], columns: Sequence[Matrix]) -> Tensor:
    """``(B, C, H, W)``, each picture by its own matrices, all of one size."""
    tall = torch.from_numpy(np.stack(rows)).to(pictures)[:, None]
    wide = torch.from_numpy(np.stack(columns)).to(pictures)[:, None]
    return tall @ pictures @ wide.transpose(2, 3)


def banded_product(weights: np.ndarray, lines: Tensor) -> Tensor:
    """``weights @ lines`` without most of the zeros: some rows at a time, on the lines they use.

    ``weights`` (n_out, n_in) and ``lines`` (n_in, m) of one type.
    """
    used = weights != 0
    first, last = used.argmax(axis=1), len(lines) - used[:, ::-1].argmax(axis=1)
    left, result = torch.from_numpy(weights), lines.new_empty(len(weights), lines.shape[1])
    for start in range(0, len(weights), ROWS_AT_ONCE):
        block = slice(start, start + ROWS_AT_ONCE)
        low, high = int(first[block].min()), int(last[block].max())
        torch.mm(left[block, low:high], lines[low:high], out=result[block])
    return result


def shrunk(length: float, scale: float) -> int:
    """A side divided by ``scale``: rounded down, at least 1."""
    return max(1, math.floor(length / scale))
