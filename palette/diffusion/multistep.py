"""Samplers that draw x̂0 on from several levels: DPM-Solver++ and UniPC.

Contract and notation are those of :mod:`palette.diffusion.steps`. In the formulas D is the slope of
x̂0 over one step: (x̂0(λ_t) − x̂0(λ_p))·h/(λ_t − λ_p), p the level before t. All solve
y_s = σ_s/σ_t·y_t + α_s·∫ e^(λ−λ_s)·x̂0(λ) dλ over the step (Lu et al. 2022, eq. 8).
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor

from palette.diffusion.steps import (
    Clip,
    Denoise,
    Level,
    Noise,
    begin,
    estimate,
    levels_of,
    weighted_sum,
)
from palette.errors import UserError


class Node(NamedTuple):
    """An x̂0 and the λ at which it was made."""

    x0: Tensor
    lam: float


def dpmpp_2m(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s = σ_s/σ_t·y_t + α_s·(1 − e^(−h))·(x̂0 + D/2).

    DPM-Solver++(2M) (Lu et al. 2022, algorithm 2). Order 2.
    """
    return _multistep(denoise, gammas, noise, clip, start, nodes=2, eta=0.0)


def dpmpp_3m(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s = σ_s/σ_t·y_t + α_s·∫ e^(λ−λ_s)·x̂0(λ) dλ, x̂0(λ) the parabola through three levels.

    DPM-Solver++(3M) (Lu et al. 2022, appendix). Order 3. The widespread code of 3M weighs the
    second difference by half of its Taylor coefficient, which is of order 2 only. Here the weight
    is whole.
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
    """y_s = σ_s/σ_t·e^(−ηh)·y_t + α_s·(1 − e^(−(1+η)h))·(x̂0 + D/2) + σ_s·√(1 − e^(−2ηh))·z.

    SDE-DPM-Solver++(2M) (Lu et al. 2022, section 4.3), the reverse SDE. Weak order 2. ``eta``
    scales the power of the fresh noise: 1 is the reverse SDE, 0 the ODE of ``dpmpp_2m``; all have
    the same marginals, what differs is which errors of network and step survive.
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
    """y_s as in ``dpmpp_2m_sde``, with the parabola of ``dpmpp_3m`` in place of x̂0 + D/2.

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
    levels = levels_of(gammas)
    y = begin(levels[0], noise, start)
    past: list[Node] = []
    for k, (t, s) in enumerate(pairwise(levels), 1):
        past.insert(0, Node(estimate(denoise, y, t, clip), t.lam))
        kept, fresh = _fade(t, s, eta)
        y = weighted_sum((kept, y), *drift(past, s.lam, s.alpha, 1 + eta))
        del past[nodes - 1 :]  # the next step brings its own
        if eta > 0:
            y.add_(noise(k), alpha=fresh)
    return estimate(denoise, y, levels[-1], clip)


def unipc(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    order: int = 2,
) -> Tensor:
    """y_s as in ``dpmpp_2m``, then again with the x̂0 of that y_s among the nodes.

    UniPC with B₂ (Zhao et al. 2023, algorithms 5–8): predict, evaluate, correct. Order + 1. The x̂0
    of the predicted y_s serves twice, to correct the step that led there and to make the next one.
    ``order`` 2 or 3: three is closer from 12 levels on, two with fewer (on Gaussian targets).
    """
    if order not in (2, 3):
        raise UserError(f"order {order}: choose 2 or 3")
    levels = levels_of(gammas)
    y = predicted = begin(levels[0], noise, start)
    past: list[Node] = []
    for before, t, s in zip([None, *levels], levels, levels[1:], strict=False):
        newest = Node(estimate(denoise, predicted, t, clip), t.lam)
        if before is not None:
            y = weighted_sum((t.sigma / before.sigma, y), *drift([*past, newest], t.lam, t.alpha))
        past = [newest, *past][:order]
        predicted = weighted_sum((s.sigma / t.sigma, y), *drift(past, s.lam, s.alpha))
    return estimate(denoise, predicted, levels[-1], clip)


def _fade(t: Level, s: Level, eta: float) -> tuple[float, float]:
    """How much of y_t is left after a step of the reverse SDE, and how much fresh noise enters."""
    h = eta * (s.lam - t.lam)
    return s.sigma / t.sigma * math.exp(-h), s.sigma * math.sqrt(-math.expm1(-2 * h))


def drift(
    nodes: list[Node], goal: float, alpha: float, rate: float = 1.0
) -> list[tuple[float, Tensor]]:
    """What x̂0 adds to y_s over the step from λ_t, that of ``nodes[0]``, to λ_s = ``goal``, where
    α_s = ``alpha``: terms of :func:`palette.diffusion.steps.weighted_sum`.

    That is α_s·∫ r·e^(r(λ−λ_s))·x̂0(λ) dλ (Lu et al. 2022, eq. 8), r = 1 for the ODE, 1 + η for
    the SDE, x̂0(λ) the polynomial through all nodes. A single further node takes the weight ½
    instead of the polynomial's, with the same order: the choice of 2M and of UniPC's B₂.
    """
    (x0, lam), *others = nodes
    h = goal - lam
    whole = alpha * -math.expm1(-rate * h)  # the integral for x̂0 = 1
    places = [(node.lam - lam) / h for node in others]
    weights = [0.5] if len(others) == 1 else _weights(places, rate * h)
    slopes = [whole * weight / place for weight, place in zip(weights, places, strict=True)]
    further = [(slope, node.x0) for slope, node in zip(slopes, others, strict=True)]
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
