"""One content for a hole larger than a tile, though the network sees tiles.

A tile cannot know what another one has put into the same hole. So a reduced picture that fits one
tile is restored first, and every x̂0 of the tiled run takes its low frequencies from it (as ILVR
does from a reference, Choi et al. 2021):

    x̂0 ← x̂0 + up(low(coarse) − low(x̂0))

``low`` averages over cells of half a tile, ``up`` is bilinear. Tasks that see all of the picture
need none of it: in super-resolution it only added the errors of the reduced picture, in
colorization it gained nothing.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn import functional

from palette.diffusion.steps import Clip


def reduced(
    x: Tensor, region: Tensor, longest: int, stride: int, noise: Tensor
) -> tuple[Tensor, Tensor]:
    """Condition (1, 3, H, W) and region (1, 1, H, W) with a longer side of at most ``longest``.

    Both sides become multiples of ``stride``. ``x`` is averaged over what a pixel covers. A hole
    stays a hole however small it is. It is filled anew with ``noise`` (1, 3, ≥ longest, ≥ longest),
    and none of its old noise enters an average.
    """
    factor = min(1.0, longest / max(x.shape[-2:]))
    height, width = (max(1, math.floor(side * factor / stride)) * stride for side in x.shape[-2:])
    small = functional.adaptive_avg_pool2d(x, (height, width))
    hole = functional.adaptive_max_pool2d(region, (height, width))
    return torch.where(hole > 0, noise[..., :height, :width], small), hole


def following(
    clip: Clip, coarse: Tensor, hole: Tensor, region: Tensor, cells: tuple[int, int]
) -> Clip:
    """``clip`` after x̂0 (1, 3, H, W) got the low frequencies of ``coarse``, by ``cells``.

    ``hole`` and ``region`` are 1 where pixels of ``coarse`` and of x̂0 are to be made: only those
    count, since the network is not asked for the others.
    """
    goal = _low(coarse, hole, cells)
    made = functional.adaptive_avg_pool2d(region, cells)

    def followed(z: Tensor) -> Tensor:
        change, size = goal - _low(z, region, cells), z.shape[-2:]
        # cells without a hole say nothing: interpolate between the others
        return clip(_up(change * made, size).div_(_up(made, size).clamp_(min=1e-6)).add_(z))

    return followed


def cells_of(height: int, width: int, side: int) -> tuple[int, int]:
    """Cells of about ``side`` pixels that cover the picture: (rows, columns)."""
    return math.ceil(height / side), math.ceil(width / side)


def _low(z: Tensor, weight: Tensor, cells: tuple[int, int]) -> Tensor:
    """Averages over each cell, (1, 3, rows, columns); 0 where nothing has weight."""
    total = functional.adaptive_avg_pool2d(z * weight, cells)
    return total / functional.adaptive_avg_pool2d(weight, cells).clamp(min=1e-6)


def _up(values: Tensor, size: torch.Size) -> Tensor:
    # each channel as a picture of its own: on CPUs three times as fast as all of them at once
    channels = values.transpose(0, 1)
    return functional.interpolate(channels, size, mode="bilinear").transpose(0, 1)
