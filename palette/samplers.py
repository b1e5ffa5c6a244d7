"""Samplers: from noise to a picture, by a network that sees ever less noise.

Notation, for a level γ of the grid: α = √γ, σ = √(1−γ), y_t = α·y + σ·ε, and DPM-Solver's
λ = ln(α/σ), half of the log-SNR. x̂0 is the network's estimate of the clean y.

A sampler is a plain function of

- ``denoise(y_t (B, C, H, W), gamma (B,)) -> ε̂ (B, C, H, W)``, the condition bound by a closure;
- ``gammas`` (n,), increasing: the levels, noisiest first, none below the smallest trained γ;
- ``noise(k) -> (B, C, H, W)``: standard normal, keyed by position; 0 is the start, k ≥ 1 the
  k-th step's. Its dtype (float32) and device are those of the state;
- ``clip``, applied to every x̂0: the bounds of a picture, and known pixels by :func:`hold`;
- ``start`` (B, C, H, W), optional: an estimate ŷ to start from, α·ŷ + σ·noise(0), instead of
  noise(0) alone.

It evaluates the network once per level (``heun`` and ``repaint`` say how often they do) and
returns the x̂0 of the last level, clipped: the step to γ = 1 is that of first order, which needs
no further evaluation. Numbers of the schedule are Python floats, computed before the loop.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

Denoise = Callable[[Tensor, Tensor], Tensor]
Noise = Callable[[int], Tensor]
Clip = Callable[[Tensor], Tensor]


class Sampler(Protocol):
    """What every entry of :data:`SAMPLERS` is; see the module's docstring."""

    def __call__(
        self,
        denoise: Denoise,
        gammas: Tensor,
        noise: Noise,
        clip: Clip,
        start: Tensor | None = None,
    ) -> Tensor: ...


class Level(NamedTuple):
    """One level of the grid as plain numbers."""

    gamma: float
    alpha: float
    sigma: float
    lam: float


def ancestral(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """Draw y_s from the posterior q(y_s | y_t, x̂0) (Ho et al. 2020, eq. 6–7, its variance β̃)."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    for k, (t, s) in enumerate(pairwise(levels), 1):
        x0 = _estimate(denoise, y, t, clip)
        kept = t.gamma / s.gamma  # ᾱ_t / ᾱ_s: the α of the step from s to t
        from_x0 = s.alpha * (1 - kept) / (1 - t.gamma)
        from_y = math.sqrt(kept) * (1 - s.gamma) / (1 - t.gamma)
        spread = math.sqrt((1 - kept) * (1 - s.gamma) / (1 - t.gamma))
        y = from_x0 * x0 + from_y * y + spread * noise(k)
    return _estimate(denoise, y, levels[-1], clip)


def ddim(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DDIM (Song et al. 2021, eq. 12 with η = 0), ε taken anew from the clipped x̂0. Order 1."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    for t, s in pairwise(levels):
        x0 = _estimate(denoise, y, t, clip)
        eps = (y - t.alpha * x0) / t.sigma
        y = s.alpha * x0 + s.sigma * eps
    return _estimate(denoise, y, levels[-1], clip)


def dpmpp_2m(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2). Order 2."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    older, h_older = None, 0.0
    for t, s in pairwise(levels):
        x0 = _estimate(denoise, y, t, clip)
        h = s.lam - t.lam
        ahead = x0 if older is None else x0 + (x0 - older) * (0.5 * h / h_older)
        y = (s.sigma / t.sigma) * y - (s.alpha * math.expm1(-h)) * ahead
        older, h_older = x0, h
    return _estimate(denoise, y, levels[-1], clip)


SAMPLERS: dict[str, Sampler] = {
    "ancestral": ancestral,
    "ddim": ddim,
    "dpmpp_2m": dpmpp_2m,
}


def hold(clip: Clip, values: Tensor, region: Tensor) -> Clip:
    """A clip that also puts back known pixels, so that every step re-noises them.

    ``values`` (B, C, H, W), in the space that is diffused, ``region`` (B, 1, H, W): 1 where the
    picture is to be made, 0 where it is known. Every sampler's step is linear in y_t and x̂0, so
    known pixels pass through the levels exactly as the forward process does, √γ·y + √(1−γ)·ε:
    with one ε by deterministic steps, with the posterior's fresh noise by random ones. The start
    should contain them too: pass ``start=values * (1 - region)`` or an estimate that agrees.
    """
    known = values * (1 - region)
    return lambda x0: known + region * clip(x0)


def _levels(gammas: Tensor) -> list[Level]:
    numbers = gammas.detach().double().cpu().tolist()
    rising = all(t < s for t, s in pairwise(numbers))
    if gammas.ndim != 1 or not numbers or not rising or not 0 < numbers[0] <= numbers[-1] < 1:
        raise ValueError(
            f"gammas of shape {tuple(gammas.shape)}: must be (n,), n >= 1, increasing and "
            "inside of (0, 1); take one of palette.schedule.GRIDS"
        )
    return [
        Level(g, math.sqrt(g), math.sqrt(1 - g), 0.5 * (math.log(g) - math.log1p(-g)))
        for g in numbers
    ]


def _begin(first: Level, noise: Noise, start: Tensor | None) -> Tensor:
    if start is None:
        return noise(0)
    return first.alpha * start + first.sigma * noise(0)


def _estimate(denoise: Denoise, y: Tensor, level: Level, clip: Clip) -> Tensor:
    """x̂0 = (y_t − σ·ε̂) / α, clipped; in the state's precision whatever the network's."""
    gamma = torch.full((len(y),), level.gamma, device=y.device, dtype=y.dtype)
    eps = denoise(y, gamma).to(y.dtype)
    return clip((y - level.sigma * eps) / level.alpha)
