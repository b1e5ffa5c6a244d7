"""Samplers: from noise to a picture, by a network that is shown ever less noise.

Contract and notation are those of :mod:`palette.diffusion.steps`. Here are the samplers that know
one level at a time, and the list of all; those that remember are in
:mod:`palette.diffusion.multistep`.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

from torch import Tensor

from palette.diffusion.multistep import dpmpp_2m, dpmpp_2m_sde, dpmpp_3m, dpmpp_3m_sde, unipc
from palette.diffusion.steps import (
    Clip,
    Denoise,
    Level,
    Noise,
    Sampler,
    begin,
    estimate,
    levels_of,
    weighted_sum,
)
from palette.errors import UserError


def ancestral(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s = α_s(1−k)/(1−γ_t)·x̂0 + √k(1−γ_s)/(1−γ_t)·y_t + √((1−k)(1−γ_s)/(1−γ_t))·z, k = γ_t/γ_s.

    DDPM: a draw from q(y_s | y_t, x̂0) (Ho et al. 2020, eq. 6–7): the variance of the posterior,
    the smaller of DDPM's two. Order 1.
    """
    return _ancestral(denoise, gammas, noise, clip, start, _posterior_spread)


def ancestral_beta(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s as in ``ancestral``, with √(1−k)·z: the step's own variance β_t = 1 − α_t.

    The larger of DDPM's two variances, which SR3 (algorithm 2) and Palette sample with. The same
    as the posterior's in the limit of short steps; long ones leave more noise in y_s than its level
    says, in known pixels too. Order 1.
    """
    return _ancestral(denoise, gammas, noise, clip, start, _step_spread)


def _ancestral(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None,
    spread: Callable[[Level, Level], float],
) -> Tensor:
    levels = levels_of(gammas)
    y = begin(levels[0], noise, start)
    for k, (t, s) in enumerate(pairwise(levels), 1):
        x0 = estimate(denoise, y, t, clip)
        y = _posterior_mean(y, x0, t, s).add_(noise(k), alpha=spread(t, s))
    return estimate(denoise, y, levels[-1], clip)


def repaint(
    denoise: Denoise,
    gammas: Tensor,
    noise: Noise,
    clip: Clip,
    start: Tensor | None = None,
    resamplings: int = 10,
) -> Tensor:
    """y_s as in ``ancestral``, made ``resamplings`` times, y_t = √k·y_s + √(1−k)·z in between.

    RePaint (Lugmayr et al. 2022, algorithm 1, jump length 1), for a network that was *not* shown
    the known pixels: going back and forth lets the hole learn of them, and approaches the posterior
    as ``resamplings`` grows. A network conditioned on them is right at once, with any sampler. The
    known pixels come by :func:`palette.diffusion.steps.hold` in ``clip``. Evaluates
    (n − 1)·resamplings + 1 times.
    """
    if resamplings < 1:
        raise UserError(f"resamplings {resamplings}: must be 1 or more, 10 is the paper's")
    levels = levels_of(gammas)
    y = begin(levels[0], noise, start)
    k = 0
    for t, s in pairwise(levels):
        for resampling in range(resamplings):
            if resampling > 0:
                kept = t.gamma / s.gamma
                k += 1
                y = math.sqrt(kept) * y + math.sqrt(1 - kept) * noise(k)
            k += 1
            x0 = estimate(denoise, y, t, clip)
            y = _posterior_mean(y, x0, t, s).add_(noise(k), alpha=_posterior_spread(t, s))
    return estimate(denoise, y, levels[-1], clip)


def ddim(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s = α_s·x̂0 + σ_s·ε, with the ε that the clipped x̂0 means: ε = (y_t − α_t·x̂0)/σ_t.

    DDIM (Song et al. 2021, eq. 12, η = 0). Order 1.
    """
    levels = levels_of(gammas)
    y = begin(levels[0], noise, start)
    for t, s in pairwise(levels):
        x0 = estimate(denoise, y, t, clip)
        eps = weighted_sum((1, y), (-t.alpha, x0)).div_(t.sigma)
        y = weighted_sum((s.alpha, x0), (s.sigma, eps))
        del x0, eps  # no canvas idles beside the next evaluation
    return estimate(denoise, y, levels[-1], clip)


def heun(
    denoise: Denoise, gammas: Tensor, noise: Noise, clip: Clip, start: Tensor | None = None
) -> Tensor:
    """y_s = α_s·(y_t/α_t + (σ_s/α_s − σ_t/α_t)·(ε_t + ε_s)/2), ε_s at the y_s of an Euler step.

    Heun's method in y/α over σ/α (EDM, Karras et al. 2022, algorithm 1). Order 2. Evaluates 2n − 1
    times: two per step, one at the last level. It needs short steps: with few levels prefer
    ``dpmpp_2m``, which is closer for the same evaluations (on Gaussian targets).
    """
    levels = levels_of(gammas)
    y = begin(levels[0], noise, start)
    for t, s in pairwise(levels):
        step = s.sigma / s.alpha - t.sigma / t.alpha
        eps = (y - t.alpha * estimate(denoise, y, t, clip)) / t.sigma
        ahead = s.alpha * (y / t.alpha + step * eps)
        eps_ahead = (ahead - s.alpha * estimate(denoise, ahead, s, clip)) / s.sigma
        y = s.alpha * (y / t.alpha + step * 0.5 * (eps + eps_ahead))
    return estimate(denoise, y, levels[-1], clip)


def _posterior_mean(y: Tensor, x0: Tensor, t: Level, s: Level) -> Tensor:
    """The mean of q(y_s | y_t, x̂0) (Ho et al. 2020, eq. 7); kept = ᾱ_t/ᾱ_s is the step's own α."""
    kept = t.gamma / s.gamma
    from_x0 = s.alpha * (1 - kept) / (1 - t.gamma)
    from_y = math.sqrt(kept) * (1 - s.gamma) / (1 - t.gamma)
    return weighted_sum((from_x0, x0), (from_y, y))


def _step_spread(t: Level, s: Level) -> float:
    """√β_t."""
    return math.sqrt(1 - t.gamma / s.gamma)


def _posterior_spread(t: Level, s: Level) -> float:
    """√β̃_t."""
    return _step_spread(t, s) * math.sqrt((1 - s.gamma) / (1 - t.gamma))


SAMPLERS: dict[str, Sampler] = {
    "ancestral": ancestral,
    "ancestral_beta": ancestral_beta,
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
