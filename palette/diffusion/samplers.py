"""Samplers: from noise to a picture, by a network that is shown ever less noise.

Notation, for a level γ of the grid: α = √γ, σ = √(1−γ), y_t = α·y + σ·ε, and DPM-Solver's
λ = ln(α/σ), half of the log-SNR. x̂0 is the network's estimate of the clean y. A step goes from
a level t to the next, less noisy level s.

A sampler is a plain function of

- ``denoise(y_t (B, C, H, W), gamma (B,)) -> ε̂ (B, C, H, W)``, the condition bound by a closure;
- ``gammas`` (n,), increasing: the levels, noisiest first, none below the smallest trained γ;
- ``noise(k) -> (B, C, H, W)``, standard normal, keyed by position: 0 is the start, k ≥ 1 the
  k-th random step. The state has its dtype (float32) and device, whatever the network computes in;
- ``clip``, applied to every x̂0: the bounds of a picture, and known pixels by :func:`hold`;
- ``start`` (B, C, H, W), optional: an estimate ŷ to start from, α·ŷ + σ·noise(0), instead of
  noise(0) alone.

It evaluates the network once per level (``heun`` and ``repaint`` more often: :func:`evaluations`)
and returns the x̂0 of the last level, clipped: the step to γ = 1 is one of first order, which needs
no evaluation. A single level gives the posterior mean E[y | x], the regression answer.

The numbers of the schedule are Python floats, so that no step waits for the device. Of a large
picture no more tensors are alive than the formulas need (:func:`_sum`), and a sampler writes only
into those that it has made.
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


Estimate = tuple[Tensor, float]
"""An x̂0 and the λ at which it was made."""


def ancestral(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DDPM: draw y_s from q(y_s | y_t, x̂0) (Ho et al. 2020, eq. 6–7, posterior variance)."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    for k, (t, s) in enumerate(pairwise(levels), 1):
        y = _posterior_draw(y, _estimate(denoise, y, t, clip), t, s, noise(k))
    return _estimate(denoise, y, levels[-1], clip)


def repaint(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    resamplings: int = 10,
) -> Tensor:
    """RePaint: each ancestral step made ``resamplings`` times, noised back in between.

    (Lugmayr et al. 2022, algorithm 1, jump length 1.) For a network that was *not* shown the known
    pixels: going back and forth lets the hole learn of them, and approaches the posterior as
    ``resamplings`` grows. A network conditioned on them is right at once, with any sampler. The
    known pixels come by :func:`hold` in ``clip``. Evaluates (n − 1)·resamplings + 1 times.
    """
    if resamplings < 1:
        raise UserError(f"resamplings {resamplings}: must be 1 or more, 10 is the paper's")
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    k = 0
    for t, s in pairwise(levels):
        for resampling in range(resamplings):
            if resampling > 0:
                kept = t.gamma / s.gamma
                k += 1
                y = math.sqrt(kept) * y + math.sqrt(1 - kept) * noise(k)
            k += 1
            y = _posterior_draw(y, _estimate(denoise, y, t, clip), t, s, noise(k))
    return _estimate(denoise, y, levels[-1], clip)


def ddim(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DDIM (Song et al. 2021, eq. 12, η = 0), with the ε that the clipped x̂0 means. Order 1."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    for t, s in pairwise(levels):
        x0 = _estimate(denoise, y, t, clip)
        eps = _sum((1, y), (-t.alpha, x0)).div_(t.sigma)
        y = _sum((s.alpha, x0), (s.sigma, eps))
        del x0, eps  # no canvas idles beside the next evaluation
    return _estimate(denoise, y, levels[-1], clip)


def heun(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """Heun's method in y/α over σ/α (EDM, Karras et al. 2022, algorithm 1). Order 2.

    Evaluates 2n − 1 times: two per step, one at the last level. It needs short steps: with few
    levels prefer ``dpmpp_2m``, which is closer for the same evaluations (on Gaussian targets).
    """
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    for t, s in pairwise(levels):
        step = s.sigma / s.alpha - t.sigma / t.alpha
        eps = (y - t.alpha * _estimate(denoise, y, t, clip)) / t.sigma
        ahead = s.alpha * (y / t.alpha + step * eps)
        eps_ahead = (ahead - s.alpha * _estimate(denoise, ahead, s, clip)) / s.sigma
        y = s.alpha * (y / t.alpha + step * 0.5 * (eps + eps_ahead))
    return _estimate(denoise, y, levels[-1], clip)


def dpmpp_2m(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): x̂0 drawn on from two levels. Order 2."""
    return _multistep(denoise, gammas, noise, clip, start, nodes=2, eta=0.0)


def dpmpp_3m(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """DPM-Solver++(3M) (Lu et al. 2022, appendix): x̂0 drawn on from three levels. Order 3.

    The widespread code of 3M weighs the second difference by half of its Taylor coefficient, which
    is of order 2 only. Here the weight is whole.
    """
    return _multistep(denoise, gammas, noise, clip, start, nodes=3, eta=0.0)


def dpmpp_2m_sde(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    eta: float = 1.0,
) -> Tensor:
    """SDE-DPM-Solver++(2M) (Lu et al. 2022, section 4.3): the reverse SDE. Weak order 2.

    ``eta`` scales the power of the fresh noise: 1 is the reverse SDE, 0 the ODE of ``dpmpp_2m``;
    all have the same marginals, what differs is which errors of network and step survive.
    """
    return _multistep(denoise, gammas, noise, clip, start, nodes=2, eta=eta)


def dpmpp_3m_sde(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    eta: float = 1.0,
) -> Tensor:
    """SDE-DPM-Solver++ with three levels: ``dpmpp_2m_sde`` as ``dpmpp_3m``.

    Of weak order 2 all the same, with smaller errors: the path is too rough for a higher one.
    """
    return _multistep(denoise, gammas, noise, clip, start, nodes=3, eta=eta)


def _multistep(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None,
    nodes: int,
    eta: float,
) -> Tensor:
    """DPM-Solver++: x̂0 drawn on from the last ``nodes`` levels; for η > 0 with fresh noise."""
    levels = _levels(gammas)
    y = _begin(levels[0], noise, start)
    past: list[Estimate] = []
    for k, (t, s) in enumerate(pairwise(levels), 1):
        past.insert(0, (_estimate(denoise, y, t, clip), t.lam))
        kept, fresh = _fade(t, s, eta)
        y = _sum((kept, y), *_drift(past, s.lam, s.alpha, 1 + eta))
        del past[nodes - 1 :]  # the next step brings its own
        if eta > 0:
            y.add_(noise(k), alpha=fresh)
    return _estimate(denoise, y, levels[-1], clip)


def unipc(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    order: int = 2,
) -> Tensor:
    """UniPC with B₂ (Zhao et al. 2023, algorithms 5–8): predict, evaluate, correct. Order + 1.

    The x̂0 of the predicted y_s serves twice, to correct the step that led there and to make the
    next one. ``order`` 2 or 3: three is closer from 12 levels on, two with fewer
    (on Gaussian targets).
    """
    if order not in (2, 3):
        raise UserError(f"order {order}: choose 2 or 3")
    levels = _levels(gammas)
    y = predicted = _begin(levels[0], noise, start)
    past: list[Estimate] = []
    for before, t, s in zip([None, *levels], levels, levels[1:], strict=False):
        newest = (_estimate(denoise, predicted, t, clip), t.lam)
        if before is not None:
            y = _sum((t.sigma / before.sigma, y), *_drift([*past, newest], t.lam, t.alpha))
        past = [newest, *past][:order]
        predicted = _sum((s.sigma / t.sigma, y), *_drift(past, s.lam, s.alpha))
    return _estimate(denoise, predicted, levels[-1], clip)


SAMPLERS: dict[str, Sampler] = {
    "ancestral": ancestral,
    "repaint": repaint,
    "ddim": ddim,
    "heun": heun,
    "dpmpp_2m": dpmpp_2m,
    "dpmpp_3m": dpmpp_3m,
    "dpmpp_2m_sde": dpmpp_2m_sde,
    "dpmpp_3m_sde": dpmpp_3m_sde,
    "unipc": unipc,
}


def evaluations(sampler: str, levels: int, resamplings: int = 10) -> int:
    """How often an entry of :data:`SAMPLERS` evaluates the network on a grid of ``levels``."""
    per_step = {"heun": 2, "repaint": resamplings}.get(sampler, 1)
    return (levels - 1) * per_step + 1


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


def _levels(gammas: Tensor) -> list[Level]:
    numbers = gammas.detach().double().cpu().flatten().tolist()
    inside = all(0 < gamma < 1 for gamma in numbers)
    rising = all(t < s for t, s in pairwise(numbers))
    if gammas.ndim != 1 or not numbers or not inside or not rising:
        raise UserError(
            f"gammas {tuple(gammas.shape)} from {numbers[:1]} to {numbers[-1:]}: must be (n,), "
            "increasing and inside of (0, 1); take one of palette.schedule.GRIDS"
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
    """x̂0 = (y_t − σ·ε̂) / α, clipped; in the precision of the state."""
    gamma = torch.full((len(y),), level.gamma, dtype=y.dtype, device=y.device)
    return clip(_clean(y, denoise(y, gamma).to(y.dtype), level))


def _clean(y: Tensor, eps: Tensor, level: Level) -> Tensor:
    # a function of its own, so that ε̂ is gone when the clip begins
    return _sum((1, y), (-level.sigma, eps)).div_(level.alpha)


def _sum(*terms: tuple[float, Tensor]) -> Tensor:
    """Σ wᵢ·zᵢ, with no memory but the sum's: pictures can be large."""
    (weight, z), *others = terms
    total = weight * z
    for weight, z in others:
        total.add_(z, alpha=weight)
    return total


def _posterior_draw(y: Tensor, x0: Tensor, t: Level, s: Level, noise: Tensor) -> Tensor:
    """y_s ~ q(y_s | y_t, x̂0) (Ho et al. 2020, eq. 6–7); kept = ᾱ_t/ᾱ_s is the step's own α."""
    kept = t.gamma / s.gamma
    from_x0 = s.alpha * (1 - kept) / (1 - t.gamma)
    from_y = math.sqrt(kept) * (1 - s.gamma) / (1 - t.gamma)
    spread = math.sqrt((1 - kept) * (1 - s.gamma) / (1 - t.gamma))
    return _sum((from_x0, x0), (from_y, y)).add_(noise, alpha=spread)


def _fade(t: Level, s: Level, eta: float) -> tuple[float, float]:
    """How much of y_t is left after a step of the reverse SDE, and how much fresh noise enters."""
    h = eta * (s.lam - t.lam)
    return s.sigma / t.sigma * math.exp(-h), s.sigma * math.sqrt(-math.expm1(-2 * h))


def _drift(
    nodes: list[Estimate], goal: float, alpha: float, rate: float = 1.0
) -> list[tuple[float, Tensor]]:
    """What x̂0 adds to y_s over the step from λ_t, that of ``nodes[0]``, to λ_s = ``goal``, where
    α_s = ``alpha``: terms of :func:`_sum`.

    That is α_s·∫ r·e^(r(λ−λ_s))·x̂0(λ) dλ (Lu et al. 2022, eq. 8), r = 1 for the ODE, 1 + η for
    the SDE, x̂0(λ) the polynomial through all nodes. A single further node takes the weight ½
    instead of the polynomial's, with the same order: the choice of 2M and of UniPC's B₂.
    """
    (x0, lam), *others = nodes
    h = goal - lam
    whole = alpha * -math.expm1(-rate * h)  # the integral for x̂0 = 1
    places = [(other_lam - lam) / h for _, other_lam in others]
    weights = [0.5] if len(others) == 1 else _weights(places, rate * h)
    slopes = [whole * weight / place for weight, place in zip(weights, places, strict=True)]
    further = zip(slopes, (other for other, _ in others), strict=True)
    return [(whole - sum(slopes), x0), *further]


def _weights(places: list[float], h: float) -> list[float]:
    """w with Σ_i w_i·p_i^(k−1) = ∫ e^(h(u−1))·u^k du / ∫ e^(h(u−1)) du, u in [0, 1], k = 1, 2, …

    They integrate a polynomial through the origin exactly from its slopes f(p_i)/p_i.
    """
    if not places:
        return []
    whole = integral = -math.expm1(-h)
    moments = []
    for k in range(1, len(places) + 1):
        integral = 1 - k / h * integral  # by parts; times h
        moments.append(integral / whole)
    powers = [[place**k for place in places] for k in range(len(places))]
    solution = torch.linalg.solve(
        torch.tensor(powers, dtype=torch.float64, device="cpu"),
        torch.tensor(moments, dtype=torch.float64, device="cpu"),
    )
    return solution.tolist()
