"""Samplers on Gaussian targets, whose exact ε-predictor, flow and posterior are known.

With a linear ε-predictor every sampler is linear in its noise. A batch whose row i has a one at one
position of the noise, zeros elsewhere, therefore gives the exact mean and variance of the output
without a random draw.
"""

from __future__ import annotations

import math
from functools import partial
from itertools import pairwise

import pytest
import torch
from every_sampler import RANDOM, bend, every_sampler, free, name_of, noise_of
from torch import Tensor

from palette.diffusion.multistep import (
    Node,
    dpmpp_2m,
    dpmpp_2m_sde,
    dpmpp_3m,
    dpmpp_3m_sde,
    drift,
    unipc,
)
from palette.diffusion.samplers import ancestral, ancestral_beta, ddim, evaluations, heun, repaint
from palette.diffusion.schedule import (
    GAMMA_MAX,
    GAMMA_MIN,
    PALETTE_TEST,
    SCHEDULES,
    linear_gammas,
    logsnr_grid,
    palette_test_grid,
)
from palette.diffusion.steps import Clip, Denoise, Noise, Sampler, weighted_sum
from palette.seeding import normal


def predictor(mean: Tensor, variance: Tensor) -> Denoise:
    """The exact E[ε | y_t] for a target N(mean, variance), both (C,): one Gaussian a channel."""

    def denoise(y: Tensor, gamma: Tensor) -> Tensor:
        g, m, v = gamma.view(-1, 1, 1, 1), mean.view(1, -1, 1, 1), variance.view(1, -1, 1, 1)
        return (1 - g).sqrt() * (y - g.sqrt() * m) / (g * v + 1 - g)

    return denoise


def impulses(positions: int, channels: int) -> Noise:
    """Row 0 without noise, row 1 + k with a one at position k: (positions + 1, channels, 1, 1)."""

    def noise(k: int) -> Tensor:
        rows = torch.zeros(positions + 1, channels, 1, 1, dtype=torch.float64)
        rows[1 + k] = 1
        return rows

    return noise


def moments(
    sampler: Sampler,
    gammas: Tensor,
    mean: Tensor,
    variance: Tensor,
    start: Tensor | None = None,
    clip: Clip = free,
) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation (C,) of the sampler's output, exactly."""
    noise = impulses(3 * evaluations(name_of(sampler), len(gammas)), len(variance))
    out = sampler(predictor(mean, variance), gammas, noise, clip, start=start)[:, :, 0, 0]
    return out[0], (out[1:] - out[0]).square().sum(0).sqrt()


VARIANCES = torch.tensor([1e-1, 1e-2, 1e-3, 1e-4], dtype=torch.float64)
ZERO = torch.zeros(4, dtype=torch.float64)
PALETTE_MIN = SCHEDULES["palette"].gamma_min
WHOLE_TEST_SCHEDULE = linear_gammas(*PALETTE_TEST).flip(0)


@pytest.mark.parametrize(
    ("sampler", "gammas", "expected"),
    [
        (ancestral, WHOLE_TEST_SCHEDULE, (0.977, 0.937, 0.841, 0.634)),
        (ancestral, palette_test_grid(None, PALETTE_MIN), (0.977, 0.937, 0.841, 0.634)),
        (ddim, WHOLE_TEST_SCHEDULE[::50], (0.619, 0.271, 0.090, 0.029)),
        (ddim, logsnr_grid(20, PALETTE_MIN, 0.9999), (0.881, 0.878, 0.850, 0.664)),
        (dpmpp_2m, logsnr_grid(4, PALETTE_MIN, 0.9999), (0.773, 0.592, 0.450, 0.529)),
        (dpmpp_2m, logsnr_grid(8, PALETTE_MIN, 0.9999), (1.004, 0.957, 0.853, 0.632)),
        (dpmpp_2m, logsnr_grid(10, PALETTE_MIN, 0.9999), (1.028, 0.997, 0.901, 0.658)),
    ],
)
def test_spread_of_the_output_over_that_of_the_target(sampler, gammas, expected):
    """A perfect network's detail by sampler and grid, against figures found independently."""
    _, std = moments(sampler, gammas, ZERO, VARIANCES)
    torch.testing.assert_close(
        std / VARIANCES.sqrt(), torch.tensor(expected).double(), atol=6e-4, rtol=0
    )


def off(sampler: Sampler, gammas: Tensor) -> Tensor:
    """How far the output's spread is off, relative, for targets of variance 0.01 to 1000: (6,)."""
    v = 10.0 ** torch.arange(-2, 4, dtype=torch.float64)
    return (moments(sampler, gammas, torch.zeros_like(v), v)[1] / v.sqrt() - 1).abs()


def test_what_the_docs_say_of_the_choices():
    def grid(n: int) -> Tensor:
        return logsnr_grid(n, GAMMA_MIN, GAMMA_MAX)

    assert off(dpmpp_2m, grid(8)).max() < 0.05
    assert off(dpmpp_2m, logsnr_grid(8, 1 / (1 + math.exp(8)), GAMMA_MAX)).max() > 0.15
    third = partial(unipc, order=3)
    assert off(unipc, grid(8)).max() < 0.07 < 0.2 < off(third, grid(8)).max()
    assert off(third, grid(12)).mean() < 0.8 * off(unipc, grid(12)).mean()
    for evaluated in (8, 16, 32, 50):
        assert off(dpmpp_2m, grid(evaluated)).max() < off(heun, grid(evaluated // 2)).max()


def test_five_evaluations_from_an_estimate():
    start = torch.zeros(1, 4, 1, 1, dtype=torch.float64)
    _, std = moments(dpmpp_2m, logsnr_grid(5, 0.1, 0.9999), ZERO, VARIANCES, start)
    expected = torch.tensor([0.982, 0.946, 0.843, 0.628], dtype=torch.float64)
    torch.testing.assert_close(std / VARIANCES.sqrt(), expected, atol=6e-4, rtol=0)


@every_sampler
def test_mean_and_spread_of_a_gaussian(sampler: Sampler):
    mean = torch.tensor([-0.7, 0.0, 0.2, 0.9], dtype=torch.float64)
    variance = torch.tensor([0.3, 0.1, 0.03, 0.01], dtype=torch.float64)
    if sampler is repaint:
        sampler = partial(repaint, resamplings=2)
    out_mean, out_std = moments(sampler, logsnr_grid(400, GAMMA_MIN, GAMMA_MAX), mean, variance)
    # What remains is the end at γ < 1, the start without the mean, and ancestral's first order
    torch.testing.assert_close(out_mean, mean, atol=0.01, rtol=0)
    torch.testing.assert_close(out_std, variance.sqrt(), rtol=0.02, atol=0)


@every_sampler
def test_a_start_from_the_mean_keeps_it(sampler: Sampler):
    mean = torch.tensor([-0.7, 0.0, 0.2, 0.9], dtype=torch.float64)
    start = mean.view(1, 4, 1, 1)
    out, _ = moments(sampler, logsnr_grid(6, 0.1, GAMMA_MAX), mean, VARIANCES, start)
    torch.testing.assert_close(out, mean, rtol=1e-9, atol=1e-9)


@every_sampler
def test_one_level_gives_the_posterior_mean(sampler: Sampler):
    mean = torch.full((4,), 0.5, dtype=torch.float64)
    out, std = moments(sampler, logsnr_grid(1, GAMMA_MIN, GAMMA_MAX), mean, VARIANCES)
    torch.testing.assert_close(out, mean, atol=1e-3, rtol=0)
    assert (std < 1e-2 * VARIANCES.sqrt()).all()


def test_real_noise_gives_the_theorys_moments():
    count = 200_000
    gammas = logsnr_grid(20, GAMMA_MIN, GAMMA_MAX)
    variance = torch.full((4,), 0.04)
    out = ancestral(
        predictor(torch.full((4,), 0.3), variance),
        gammas,
        lambda k: normal([3], (4, 1, count // 4), k),
        free,
    )
    mean, std = moments(ancestral, gammas, torch.full((4,), 0.3).double(), variance.double())
    assert out.dtype == torch.float32
    assert out.mean().item() == pytest.approx(mean[0].item(), abs=5 * 0.2 / math.sqrt(count))
    assert out.std().item() == pytest.approx(std[0].item(), rel=5 / math.sqrt(2 * count))


def error(sampler: Sampler, levels: int) -> float:
    """How far the spread of x̂0 at γ = 0.9 is from the exact one, over targets of seven variances.

    Exact is the flow y_s = y_t·√(V_s/V_t), V = γ·v + 1 − γ; random solvers forget V_t. From
    γ = 1e-8, where the first steps, of low order for want of a past, change nothing.
    """
    v, low, high = torch.logspace(-2, 1, 7, dtype=torch.float64), 1e-8, 0.9
    first = 1.0 if name_of(sampler) in RANDOM else low * v + 1 - low
    exact = math.sqrt(high) * v / ((high * v + 1 - high) * first).sqrt()
    _, std = moments(sampler, logsnr_grid(levels, low, high), torch.zeros_like(v), v)
    return ((std - exact) / v.sqrt()).norm().item()


def orders(sampler: Sampler, levels: list[int]) -> list[float]:
    """The order of convergence between neighbouring numbers of levels."""
    errors = [error(sampler, n) for n in levels]
    steps = [math.log(n - 1) for n in levels]
    falls = [math.log(coarse / fine) for coarse, fine in pairwise(errors)]
    return [
        fall / (after - before)
        for fall, (before, after) in zip(falls, pairwise(steps), strict=True)
    ]


@pytest.mark.parametrize(
    ("sampler", "order"),
    [
        (ddim, 1),
        (heun, 2),
        (dpmpp_2m, 2),
        (dpmpp_3m, 3),
        (partial(unipc, order=2), 3),
        (partial(unipc, order=3), 4),
    ],
)
def test_order_of_the_deterministic_solvers(sampler: Sampler, order: int):
    assert orders(sampler, [80, 160, 320]) == pytest.approx([order] * 2, abs=0.15)


@pytest.mark.parametrize(
    ("sampler", "order"),
    [(ancestral, 1), (ancestral_beta, 1), (dpmpp_2m_sde, 2), (dpmpp_3m_sde, 2)],
)
def test_weak_order_of_the_random_solvers(sampler: Sampler, order: int):
    assert orders(sampler, [160, 320, 640]) == pytest.approx([order] * 2, abs=0.25)


@pytest.mark.parametrize("eta", [0.25, 0.5])
def test_less_fresh_noise_has_the_same_weak_order(eta: float):
    orders_found = orders(partial(dpmpp_2m_sde, eta=eta), [16, 32, 64, 128])
    assert min(orders_found) > 1.8


def test_without_fresh_noise_the_sde_is_the_ode():
    gammas = logsnr_grid(6, GAMMA_MIN, GAMMA_MAX)
    for random, plain in ((dpmpp_2m_sde, dpmpp_2m), (dpmpp_3m_sde, dpmpp_3m)):
        noise = lambda k: noise_of([3], k)  # noqa: E731
        expected = plain(bend, gammas, noise, free)
        torch.testing.assert_close(random(bend, gammas, noise, free, eta=0.0), expected)


def test_a_third_level_halves_the_error_of_the_sde():
    assert error(dpmpp_3m_sde, 320) < 0.5 * error(dpmpp_2m_sde, 320)


@pytest.mark.parametrize("rate", [1.0, 2.0])
def test_drift_integrates_polynomials_exactly(rate: float):
    """Three nodes, the last perhaps ahead: ∫ r·e^(r(λ−λ_s))·p(λ) dλ by quadrature."""
    for places in ([0.0, -0.7, -1.1], [0.0, -0.4, 0.9]):
        lam = [0.3 + place for place in places]
        goal = lam[0] + 0.9

        def polynomial(x: Tensor) -> Tensor:
            return 1.3 - 0.8 * x + 0.5 * x**2

        nodes = [Node(polynomial(torch.tensor(x, dtype=torch.float64)), x) for x in lam]
        grid = torch.linspace(lam[0], goal, 20001, dtype=torch.float64)
        exact = torch.trapezoid(rate * torch.exp(rate * (grid - goal)) * polynomial(grid), grid)
        assert weighted_sum(*drift(nodes, goal, 1.0, rate)).item() == pytest.approx(
            exact.item(), rel=1e-8
        )
