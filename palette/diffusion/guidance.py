"""Guidance: towards the condition, with the dynamic thresholding that it needs, and away from the
mean answer."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from palette.diffusion.loss import Targets, luma_of
from palette.diffusion.schedule import logsnr
from palette.diffusion.steps import Clip, Denoise, Network

PERCENTILE = 0.995
"""Of |ŷ|, below which dynamic thresholding leaves values as they are (Saharia et al. 2022b)."""

HIDDEN = 3.0
"""Log-SNR up to which noise hides detail, so that a network has to choose some."""


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


def away_from_mean(denoise: Denoise, mean: Tensor, share: float, levels: Tensor) -> Denoise:
    """x̂0 + w·Y(x̂0 − ŷ) in place of x̂0 where noise hides detail, ŷ the mean answer, Y the luma.

    A network that knows too little answers nearer to E[y | x] than the posterior does. The next
    level then shows it less detail than it saw in training, and so on: samples end too smooth. With
    x̂0 = (y_t − σ·ε̂)/α this is ε̂ + w·Y(ε̂ − ε), ε = (y_t − α·ŷ)/σ: guidance away from a worse guess
    (autoguidance, Karras et al. 2024), here one that takes a single evaluation for all levels. In
    chroma such a network is too noisy rather than too smooth, so that it is left alone.

    ``share`` is added for every factor of 10 in SNR: 1 + w = (1 + share)^d, d the decades to the
    next of ``levels``, (n,) γ, as far as they are hidden. So as much is added in any number of
    steps.
    """
    hidden = logsnr(levels).clamp(max=HIDDEN)
    decades = hidden.diff(append=hidden[-1:]) / math.log(10)
    weights = (1 + share) ** decades - 1

    def denoised(y_t: Tensor, gamma: Tensor) -> Tensor:
        eps, g = denoise(y_t, gamma).to(y_t), gamma[:, None, None, None]
        nearest = (levels.to(gamma) - gamma[:, None]).abs().argmin(dim=1)
        weight = weights.to(y_t)[nearest][:, None, None, None]
        of_mean = (y_t - g.sqrt() * mean) / (1 - g).sqrt()
        return eps + weight * luma_of(eps - of_mean)

    return denoised


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
