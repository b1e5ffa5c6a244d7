"""JPEG as tensor operations: a whole batch on the device, each picture with its own quality.

The baseline codec of the standard (ITU T.81, annexes A and K) as libjpeg does it: 8-bit YCbCr,
chroma averaged over 2 × 2 pixels, 8 × 8 DCT, integer tables, rounding, triangle upsampling. Only
the arithmetic of its DCT is not that of the codec. For quality 1–100 the result is within
:data:`PSNR_OF_CODEC` of the codec's on photographs.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional

PSNR_OF_CODEC = 45.0
"""dB between this and OpenCV's or Pillow's result, at least (see the tests for the pictures)."""

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
"""Tables K.1 and K.2: rows are vertical, columns horizontal frequencies."""

SUBSAMPLING = {"4:2:0": (2, 2), "4:2:2": (1, 2), "4:4:4": (1, 1)}
"""Rows and columns of luma for one of chroma."""


def round_trip(pictures: Tensor, qualities: Sequence[int], subsampling: str = "4:2:0") -> Tensor:
    """``(B, 3, H, W)`` in [0, 1] to what JPEG files of these qualities (1–100) hold, in [0, 1]."""
    if subsampling not in SUBSAMPLING:
        raise ValueError(f"subsampling {subsampling!r} is not one of {', '.join(SUBSAMPLING)}")
    height, width = pictures.shape[2:]
    rows, columns = SUBSAMPLING[subsampling]
    levels = torch.round(pictures.clamp(0, 1) * 255)
    padded = _pad(levels, 8 * rows, 8 * columns)
    y, chroma = _to_ycc(padded)
    luma_tables = _tables(LUMINANCE, qualities, pictures)
    chroma_tables = _tables(CHROMINANCE, qualities, pictures)
    y = _through_blocks(y, luma_tables)[..., :height, :width]
    chroma = _through_blocks(_average(chroma, rows, columns), chroma_tables)
    chroma = chroma[..., : math.ceil(height / rows), : math.ceil(width / columns)]
    chroma = _upsample(chroma, rows, columns)[..., :height, :width]
    return _to_rgb(y, chroma) / 255


def _pad(levels: Tensor, rows: int, columns: int) -> Tensor:
    height, width = levels.shape[2:]
    return functional.pad(levels, (0, -width % columns, 0, -height % rows), mode="replicate")


def _to_ycc(rgb: Tensor) -> tuple[Tensor, Tensor]:
    """Rounded luma (B, 1, H, W) and chroma (B, 2, H, W), 0–255."""
    red, green, blue = rgb.unbind(1)
    y = 0.299 * red + 0.587 * green + 0.114 * blue
    cb = -0.168735892 * red - 0.331264108 * green + 0.5 * blue + 128
    cr = 0.5 * red - 0.418687589 * green - 0.081312411 * blue + 128
    return torch.round(y)[:, None], torch.round(torch.stack([cb, cr], 1)).clamp(0, 255)


def _to_rgb(y: Tensor, chroma: Tensor) -> Tensor:
    cb, cr = (chroma - 128).unbind(1)
    red = y[:, 0] + 1.402 * cr
    green = y[:, 0] - 0.344136286 * cb - 0.714136286 * cr
    blue = y[:, 0] + 1.772 * cb
    return torch.round(torch.stack([red, green, blue], 1)).clamp(0, 255)


def _average(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Means of rows × columns pixels; halves go alternately down and up, as libjpeg has it."""
    if rows * columns == 1:
        return chroma
    means = functional.avg_pool2d(chroma, (rows, columns))
    bias = torch.arange(means.shape[-1], device=means.device) % 2
    quarter = 1 / (rows * columns)
    up = (1 + bias) * quarter if rows == 2 else bias * quarter
    return torch.floor(means + up)


def _upsample(chroma: Tensor, rows: int, columns: int) -> Tensor:
    """Triangle filter: ¾ of the nearer and ¼ of the farther sample, in each halved direction."""
    if rows == 2:
        chroma = _upsample_line(chroma.transpose(2, 3)).transpose(2, 3)
    if columns == 2:
        chroma = _upsample_line(chroma)
    return torch.floor(chroma + 0.5)


def _upsample_line(samples: Tensor) -> Tensor:
    before = torch.cat([samples[..., :1], samples[..., :-1]], -1)
    after = torch.cat([samples[..., 1:], samples[..., -1:]], -1)
    pairs = torch.stack([0.75 * samples + 0.25 * before, 0.75 * samples + 0.25 * after], -1)
    return pairs.flatten(-2)


@lru_cache(maxsize=8)
def _cosines(device: torch.device, dtype: torch.dtype) -> Tensor:
    """The orthonormal DCT-II of 8 samples: row k is frequency k."""
    k, n = torch.arange(8)[:, None], torch.arange(8)[None, :]
    cosines = torch.cos((2 * n + 1) * k * math.pi / 16) / 2
    cosines[0] /= math.sqrt(2)
    return cosines.to(device, dtype)


def _tables(base: list[list[int]], qualities: Sequence[int], like: Tensor) -> Tensor:
    """``(B, 1, 1, 1, 8, 8)`` integer steps: the base scaled by quality as libjpeg does."""
    if any(not 1 <= quality <= 100 for quality in qualities):
        raise ValueError(f"JPEG qualities {list(qualities)} are not all in 1–100")
    percents = [5000 // q if q < 50 else 200 - 2 * q for q in qualities]
    steps = [
        [[min(max((step * percent + 50) // 100, 1), 255) for step in row] for row in base]
        for percent in percents
    ]
    return torch.tensor(steps, device=like.device, dtype=like.dtype)[:, None, None, None]


def _through_blocks(planes: Tensor, tables: Tensor) -> Tensor:
    """``(B, C, H, W)``, sides multiples of 8: DCT, rounding to the tables' steps, and back."""
    batch, channels, height, width = planes.shape
    blocks = planes.reshape(batch, channels, height // 8, 8, width // 8, 8).transpose(3, 4) - 128
    cosines = _cosines(planes.device, planes.dtype)
    eighths = torch.round(8 * (cosines @ blocks @ cosines.T))  # libjpeg's DCT has three more bits
    steps = torch.sign(eighths) * torch.floor((eighths.abs() + 4 * tables) / (8 * tables))
    blocks = cosines.T @ (steps * tables) @ cosines + 128
    planes = blocks.transpose(3, 4).reshape(batch, channels, height, width)
    return torch.round(planes).clamp(0, 255)
