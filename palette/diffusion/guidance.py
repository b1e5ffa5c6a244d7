"""Classifier-free guidance on the condition, and the dynamic thresholding that it needs."""

from __future__ import annotations

import torch
from torch import Tensor

from palette.diffusion.loss import Targets
from palette.diffusion.steps import Clip, Network

PERCENTILE = 0.995
"""Of |ŷ|, below which dynamic thresholding leaves values as they are (Saharia et al. 2022b)."""


def drop_condition(x: Tensor, dropped: Tensor) -> Tensor:
    """``x`` (B, C, H, W) with 0, mid-grey, in place of the conditions that ``dropped`` (B,) marks.

    A network that sometimes sees no condition learns p(y) beside p(y | x) (Ho & Salimans 2022).
    """
    return torch.where(dropped[:, None, None, None], torch.zeros_like(x), x)


def guided(network: Network, weight: float) -> Network:
    """ε̂ = ε̂(∅) + w·(ε̂(x) − ε̂(∅)) (Ho & Salimans 2022, eq. 6 with w − 1 for w).

    1 is the network as it is, more sharpens what the condition says. Two evaluations, one after
    the other: in one batch they would take twice the memory, and on CPUs other kernels.
    """

    def both(x: Tensor, y_t: Tensor, gamma: Tensor) -> Tensor:
        without = network(torch.zeros_like(x), y_t, gamma)
        return torch.lerp(without, network(x, y_t, gamma), weight)

    return both


def dynamic_clip(target: Targets, x: Tensor) -> Clip:
    """Dynamic thresholding (Imagen, Saharia et al. 2022b, section 2.3), in picture space.

    Guidance drives ŷ out of [−1, 1], where a hard clip saturates it. Each picture is clamped to
    [−s, s], s its percentile of |ŷ| but at least 1, and divided by s.
    """

    def clip(z: Tensor) -> Tensor:
        y = target.decode(z, x)
        magnitude = y.abs().flatten(1)  # (B, 3·H·W)
        rank = max(1, round(PERCENTILE * magnitude.shape[1]))
        s = magnitude.kthvalue(rank, dim=1).values.clamp(min=1)[:, None, None, None]
        return target.encode(torch.clamp(y, -s, s) / s, x)

    return clip
