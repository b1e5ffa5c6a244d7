"""One content for a hole that is larger than any hole of the training.

The network learnt holes of crops. Far inside of a larger one it sees nothing that is known, and a
tile cannot know what another one has put into the same hole. So a reduced picture, whose hole is of
the size of the training's, is restored first, and every x̂0 of the full size takes its low
frequencies from it (as ILVR does from a reference, Choi et al. 2021):

    ŷ ← ŷ + up(low(coarse) − low(ŷ))

``low`` averages over cells, ``up`` is bilinear. Tasks that see all of the picture need none of it:
in super-resolution it only added the errors of the reduced picture, in colorization it gained
nothing.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palette.diffusion.loss import Targets
from palette.diffusion.steps import Clip
from palette.restoring.pictures import padded
from palette.types import Observation

CELL = 4
"""Pixels of the reduced picture for each side of a cell: its finer octaves are not taken over."""
WORTH = 1.5
"""Reductions below this are not worth a second run of the sampler."""


def reduction(observation: Observation, reach: float) -> float:
    """How much smaller a picture must be for its hole to be at most ``reach`` pixels deep.

    1 where it is near that already, and without a hole.
    """
    mask = observation.mask
    if mask is None or not mask.any() or mask.all():
        return 1.0
    depth = cv2.distanceTransform(mask.astype(np.uint8), cv2.DIST_L2, 3).max()
    factor = float(depth) / reach
    return factor if factor > WORTH else 1.0


def reduced(observation: Observation, factor: float, stride: int = 1) -> Observation:
    """The observation, about ``factor`` times smaller; a hole stays one however small it is.

    Known pixels are averaged over what a pixel covers; none of a hole enters an average. Padded to
    ``stride`` before and of such sides after: it shows the canvas that the network sees in full.
    """
    assert observation.mask is not None
    mask, picture = padded(observation.mask, stride), padded(observation.picture, stride)
    height, width = (max(1, round(side / factor / stride)) * stride for side in mask.shape)
    known = (~mask).astype(np.float32)
    share = cv2.resize(known, (width, height), interpolation=cv2.INTER_AREA)
    total = cv2.resize(picture * known[..., None], (width, height), interpolation=cv2.INTER_AREA)
    picture = total / np.maximum(share, 1e-6)[..., None]
    return Observation(np.clip(picture, 0, 1).astype(np.float32), share < 1 - 1e-4)


def following(
    clip: Clip, target: Targets, x: Tensor, region: Tensor, coarse: Tensor, hole: Tensor
) -> Clip:
    """``clip`` after ŷ (1, 3, H, W) got the low frequencies of ``coarse`` (1, 3, h, w) in [−1, 1].

    ``hole`` and ``region`` are 1 where pixels of ``coarse`` and of ŷ are to be made: only those
    count, since the network is not asked for the others.
    """
    height, width = coarse.shape[-2:]
    cells = (math.ceil(height / CELL), math.ceil(width / CELL))
    goal, made = _low(coarse, hole, cells), functional.adaptive_avg_pool2d(region, cells)
    wanted = functional.adaptive_avg_pool2d(hole, cells).clamp_(max=1) * made

    def followed(z: Tensor) -> Tensor:
        y = target.decode(z, x)
        change, size = goal - _low(y, region, cells), y.shape[-2:]
        # cells without a hole say nothing: interpolate between the others
        y += _up(change * wanted, size).div_(_up(wanted, size).clamp_(min=1e-6)) * region
        return clip(target.encode(y, x))

    return followed


def _low(z: Tensor, weight: Tensor, cells: tuple[int, int]) -> Tensor:
    """Averages over each cell, (1, 3, rows, columns); 0 where nothing has weight."""
    total = functional.adaptive_avg_pool2d(z * weight, cells)
    return total / functional.adaptive_avg_pool2d(weight, cells).clamp(min=1e-6)


def _up(values: Tensor, size: torch.Size) -> Tensor:
    # each channel as a picture of its own: on CPUs three times as fast as all of them at once
    channels = values.transpose(0, 1)
    return functional.interpolate(channels, size, mode="bilinear").transpose(0, 1)
