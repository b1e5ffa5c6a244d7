"""JPEG as tensor operations: a whole batch on the device, each picture with its own quality.

The same bits as libjpeg, and so as OpenCV and Pillow: its integer arithmetic for colours, chroma,
DCT and tables, in float64, which holds these integers exactly. The entropy coding is left out: it
loses nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from palette.errors import UserError

LUMINANCE = [
    [16, 11, 10, 16, 24, 40, 51, 61],
    [12, 12, 14, 19, 26, 58, 60, 55],
    [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62],
    [18, 22, 37, 56, 68, 109, 103, 77],
    [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101],
    [72, 92, 95, 98, 112, 100, 103, 99],
]
CHROMINANCE = [
    [17, 18, 24, 47, 99, 99, 99, 99],
    [18, 21, 26, 66, 99, 99, 99, 99],
    [24, 26, 56, 99, 99, 99, 99, 99],
    [47, 66, 99, 99, 99, 99, 99, 99],
    *[[99] * 8] * 4,
]
"""ITU T.81, tables K.1 and K.2: rows are vertical, columns horizontal frequencies."""

COSINES = [
    [8192, 8192, 8192, 8192],
    [11363, 9633, 6437, 2260],
    [10703, 4433, -4433, -10703],
    [9633, -2259, -11362, -6436],
    [8192, -8192, -8192, 8192],
    [6437, -11362, 2261, 9633],
    [4433, -10704, 10704, -4433],
    [2260, -6436, 9633, -11363],
]
"""Rows are frequencies k, columns n = 0–3: √2 cos((2n + 1) k π / 16) · 2¹³ (without √2 at k = 0) as
the constants of libjpeg's integer DCT (Loeffler et al. 1989) add up. n = 4–7 mirror them."""

SUBSAMPLING = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}
"""Rows and columns of luma for one of chroma."""


def check_settings(qualities: Sequence[int], subsampling: str) -> None:
    """UserError for a quality outside of 1–100 and for an unknown subsampling."""
    if subsampling not in SUBSAMPLING:
        raise UserError(f"subsampling {subsampling!r} is not one of {', '.join(SUBSAMPLING)}")
    for quality in qualities:
        if not 1 <= quality <= 100:
            raise UserError(f"JPEG quality {quality} is not in 1–100")


def round_trip(pictures: Tensor, qualities: Sequence[int], subsampling: str = "4:2:0") -> Tensor:
    """``(B, 3, H, W)`` in [0, 1] to what JPEG files of these qualities (1–100) hold, in [0, 1]."""
    check_settings(qualities, subsampling)
    height, width = pictures.shape[2:]
    rows, columns = SUBSAMPLING[subsampling]
    stored = torch.round(pictures.clamp(0, 1) * 255).to(torch.float64)
    luma, chroma = _to_ycc(stored)
    luma = _through_blocks(luma, _tables(LUMINANCE, qualities, luma))
    chroma = _averaged(chroma, rows, columns)
    chroma = _through_blocks(chroma, _tables(CHROMINANCE, qualities, chroma))
    chroma = _enlarged(chroma[..., : math.ceil(width / columns)], rows, columns)
    return _to_rgb(luma, chroma[..., :height, :width]).to(pictures.dtype) / 255


def _shifted(values: Tensor, bits: int) -> Tensor:
    """``values`` / 2^bits, rounded to the nearest integer, halves up."""
    return torch.floor((values + 2 ** (bits - 1)) / 2**bits)


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Luma (B, 1, H, W) and chroma (B, 2, H, W), integers 0–255. Weights in units of 2⁻¹⁶."""
    red, green, blue = rgb.unbind(1)
    luma = _shifted(19595 * red + 38470 * green + 7471 * blue, 16)
    offset = 128 * 2**16 - 1
    cb = _shifted(-11059 * red - 21709 * green + 32768 * blue + offset, 16)
    cr = _shifted(32768 * red - 27439 * green - 5329 * blue + offset, 16)
    return luma[:, None], torch.stack([cb, cr], 1)


def _to_rgb(luma: Tensor, chroma: Tensor) -> Tensor:
    cb, cr = (chroma - 128).unbind(1)
    red = luma[:, 0] + _shifted(91881 * cr, 16)
    green = luma[:, 0] + _shifted(-22554 * cb - 46802 * cr, 16)
    blue = luma[:, 0] + _shifted(116130 * cb, 16)
    return torch.stack([red, green, blue], 1).clamp(0, 255)


def _pad(planes: Tensor, rows: int, columns: int) -> Tensor:
    """Up to multiples of rows and columns, by repeating the last ones."""
    height, width = planes.shape[2:]
    return functional.pad(planes, (0, -width % columns, 0, -height % rows), mode="replicate")


def _averaged(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Means of rows × columns pixels, halves alternately down and up. Whole blocks wide: at the
    right the picture is padded before the mean, at the bottom after it."""
    if (rows, columns) == (1, 1):
        return chroma
    sums = functional.avg_pool2d(
        _pad(chroma, rows, 8 * columns), (rows, columns), divisor_override=1
    )
    odd = torch.arange(sums.shape[-1], device=sums.device) % 2
    return torch.floor((sums + odd + (rows - 1)) / (rows * columns))


def _enlarged(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """To the size of luma: ¾ of the nearer and ¼ of the farther value; repeated if very narrow."""
    if (rows, columns) == (1, 1):
        return chroma
    if chroma.shape[-1] <= 2:
        return chroma.repeat_interleave(rows, -2).repeat_interleave(columns, -1)
    if rows == 2:
        above = 3 * chroma + torch.cat([chroma[..., :1, :], chroma[..., :-1, :]], -2)
        below = 3 * chroma + torch.cat([chroma[..., 1:, :], chroma[..., -1:, :]], -2)
        lines = [_widened(above, 16, 8, 7), _widened(below, 16, 8, 7)]
        return torch.stack(lines, -2).flatten(-3, -2)
    return _widened(chroma, 4, 1, 2)


def _widened(lines: Tensor, divisor: int, left_bias: int, right_bias: int) -> Tensor:
    """Twice as wide: the left and the right half of each value, divided and rounded down."""
    left = 3 * lines + torch.cat([lines[..., :1], lines[..., :-1]], -1)
    right = 3 * lines + torch.cat([lines[..., 1:], lines[..., -1:]], -1)
    halves = [
        torch.floor((left + left_bias) / divisor),
        torch.floor((right + right_bias) / divisor),
    ]
    return torch.stack(halves, -1).flatten(-2)


def _tables(base: list[list[int]], qualities: Sequence[int], like: Tensor) -> Tensor:
    """``(B, 1, 1, 1, 8, 8)`` integer steps: the base scaled by quality as libjpeg does."""
    percents = [5000 // q if q < 50 else 200 - 2 * q for q in qualities]
    steps = [
        [[min(max((step * percent + 50) // 100, 1), 255) for step in row] for row in base]
        for percent in percents
    ]
    return torch.tensor(steps, device=like.device, dtype=like.dtype)[:, None, None, None]


def _through_blocks(planes: Tensor, tables: Tensor) -> Tensor:
    """``(B, C, H, W)`` integers: DCT, rounding to the steps of the tables, and back."""
    height, width = planes.shape[2:]
    padded = _pad(planes, 8, 8)
    batch, channels, rows, columns = padded.shape
    blocks = padded.reshape(batch, channels, rows // 8, 8, columns // 8, 8).transpose(3, 4) - 128
    cosines = torch.tensor(COSINES, device=planes.device, dtype=planes.dtype)
    signs = torch.tensor([1, -1] * 4, device=planes.device, dtype=planes.dtype)[:, None]
    cosines = torch.cat([cosines, (signs * cosines).flip(1)], 1)

    eighths = _shifted(cosines @ _shifted(blocks @ cosines.T, 11), 15)
    steps = torch.sign(eighths) * torch.floor((eighths.abs() + 4 * tables) / (8 * tables))
    blocks = _shifted(_shifted(cosines.T @ (steps * tables), 11) @ cosines, 18) + 128
    restored = blocks.clamp(0, 255).transpose(3, 4).reshape(batch, channels, rows, columns)
    return restored[..., :height, :width]
