"""What every sampler is made of: its contract, noise levels as numbers, and the estimate x̂0.

Notation, for a noise level γ: α = √γ, σ = √(1−γ), y_t = α·y + σ·ε, and DPM-Solver's
λ = ln(α/σ), half of the log-SNR. x̂0 is the network's estimate of the clean y. A step goes from
a level t to the next, less noisy level s; h = λ_s − λ_t; z is fresh standard normal noise.

A sampler is a plain function of

- ``denoise(y_t (B, C, H, W), gamma (B,)) -> ε̂ (B, C, H, W)``, the condition bound by a closure;
- ``gammas`` (n,), increasing: the grid, noisiest level first, none below the smallest trained γ;
- ``noise(k) -> (B, C, H, W)``, standard normal, keyed by position: 0 is the start, k ≥ 1 the
  k-th random step. The state has its dtype (float32) and device, whatever the network computes in;
- ``clip``, applied to every x̂0: the bounds of a picture, and known pixels by :func:`hold`;
- ``start`` (B, C, H, W), optional: an estimate ŷ to start from, α·ŷ + σ·noise(0), instead of
  noise(0) alone.

It returns the x̂0 of the last level, clipped: the step to γ = 1 is one of first order, which needs
no evaluation. A single level gives the posterior mean E[y | x], the regression answer.

The numbers of the grid are Python floats, so that no step waits for the device. Of a large
picture no more tensors are alive than the formulas need (:func:`weighted_sum`), and a sampler
writes only into tensors that it has made.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from palette.errors import UserError

Network = Callable[[Tensor, Tensor, Tensor], Tensor]
"""(x, y_t, gamma) -> ε̂: the network, its condition still open."""
Denoise = Callable[[Tensor, Tensor], Tensor]
"""(y_t, gamma) -> ε̂"""
Noise = Callable[[int], Tensor]
Clip = Callable[[Tensor], Tensor]


class Sampler(Protocol):
    """A way from noise to a picture; see the module's docstring."""

    def __call__(
        self,
        denoise: Denoise,
        gammas: Tensor,
        noise: Noise,
        clip: Clip,
        start: Tensor | None = None,
    ) -> Tensor: ...


class Level(NamedTuple):
    """One noise level as plain numbers: γ, α = √γ, σ = √(1−γ), λ = ln(α/σ)."""

    gamma: float
    alpha: float
    sigma: float
    lam: float


def levels_of(gammas: Tensor) -> list[Level]:
    """The levels of a grid (n,). UserError where it is empty, does not rise or leaves (0, 1)."""
    numbers = gammas.detach().double().cpu().flatten().tolist()
    inside = all(0 < gamma < 1 for gamma in numbers)
    rising = all(t < s for t, s in pairwise(numbers))
    if gammas.ndim != 1 or not numbers or not inside or not rising:
        raise UserError(
            f"gammas {tuple(gammas.shape)} from {numbers[:1]} to {numbers[-1:]}: must be (n,), "
            "increasing and inside of (0, 1); take one of palette.diffusion.schedule.GRIDS"
        )
    return [
        Level(g, math.sqrt(g), math.sqrt(1 - g), 0.5 * (math.log(g) - math.log1p(-g)))
        for g in numbers
    ]


def begin(first: Level, noise: Noise, start: Tensor | None) -> Tensor:
    """y at the first level: noise alone, or α·ŷ + σ·noise around the estimate ``start``."""
    if start is None:
        return noise(0)
    return first.alpha * start + first.sigma * noise(0)


def estimate(denoise: Denoise, y: Tensor, level: Level, clip: Clip) -> Tensor:
    """x̂0 = (y_t − σ·ε̂) / α, clipped; in the precision of the state."""
    gamma = torch.full((len(y),), level.gamma, dtype=y.dtype, device=y.device)
    return clip(_clean(y, denoise(y, gamma).to(y.dtype), level))


def _clean(y: Tensor, eps: Tensor, level: Level) -> Tensor:
    # a function of its own, so that ε̂ is gone when the clip begins
    return weighted_sum((1, y), (-level.sigma, eps)).div_(level.alpha)


def weighted_sum(*terms: tuple[float, Tensor]) -> Tensor:
    """Σ wᵢ·zᵢ, with no memory but the sum's: pictures can be large."""
    (weight, z), *others = terms
    total = weight * z
    for weight, z in others:
        total.add_(z, alpha=weight)
    return total


def hold(clip: Clip, values: Tensor, region: Tensor) -> Clip:
    """A clip that also puts back known pixels, so that every step noises them anew.

    ``values`` (B, C, H, W), in the space that is diffused; ``region`` (B, 1, H, W), 1 where the
    picture is to be made and 0 where it is known.

    Every step is linear in y_t and x̂0, with x̂0 = y for a known pixel. So known pixels pass through
    the levels just as the forward process has them, √γ·y + √(1−γ)·ε: with one ε for all levels in
    deterministic samplers, as their flow does, with the posterior's fresh ε in random ones. The
    start has to contain them too: ``start=values * (1 - region)``, or an estimate that agrees.
    """
    hole = region > 0
    return lambda x0: torch.where(hole, clip(x0), values)
