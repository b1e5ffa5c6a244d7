"""Schedules and grids against closed forms; no draw and no grid leaves its bounds."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from palette.diffusion.schedule import (
    GAMMA_MAX,
    GAMMA_MIN,
    GRIDS,
    PALETTE_TEST,
    PALETTE_TRAIN,
    PURE_NOISE,
    SCHEDULES,
    Schedule,
    cosine_gammas,
    ddpm_grid,
    gamma_of_logsnr,
    karras_grid,
    linear_gammas,
    logsnr,
    logsnr_grid,
    palette_test_grid,
    sr3_grid,
)

PALETTE_MIN = SCHEDULES["palette"].gamma_min


def test_a_constant_beta_gives_powers():
    gammas = linear_gammas(50, 0.02, 0.02)
    expected = 0.98 ** torch.arange(1, 51, dtype=torch.float64)
    torch.testing.assert_close(gammas, expected, rtol=1e-12, atol=0)


def test_linear_gammas_are_the_papers_products():
    steps, first, last = PALETTE_TRAIN
    betas = [first + (last - first) * t / (steps - 1) for t in range(steps)]
    gammas = linear_gammas(*PALETTE_TRAIN)
    assert gammas.dtype == torch.float64
    assert gammas.shape == (2000,)
    for t in (0, 1, 999, 1999):
        expected = math.exp(math.fsum(math.log1p(-beta) for beta in betas[: t + 1]))
        assert gammas[t].item() == pytest.approx(expected, rel=1e-10)


def test_most_of_palettes_test_schedule_was_never_trained():
    assert pytest.approx(4.4e-5, rel=0.01) == PALETTE_MIN
    assert linear_gammas(*PALETTE_TEST)[-1].item() == pytest.approx(6.6e-21, rel=0.01)
    assert len(palette_test_grid(None, PALETTE_MIN)) == 468


def test_cosine_gammas_are_the_papers_curve_until_the_cap():
    steps = 1000

    def curve(t: int) -> float:
        return math.cos((t / steps + 0.008) / 1.008 * math.pi / 2) ** 2

    gammas = cosine_gammas(steps)
    for t in (1, 10, 500, 990):
        assert gammas[t - 1].item() == pytest.approx(curve(t) / curve(0), rel=1e-9)
    assert (gammas[-1] / gammas[-2]).item() == pytest.approx(0.001, rel=1e-9)
    assert gammas[-1] > 0


def test_logsnr_and_its_inverse():
    values = torch.linspace(-30, 15, 91, dtype=torch.float64)
    torch.testing.assert_close(logsnr(gamma_of_logsnr(values)), values, rtol=1e-8, atol=1e-8)
    assert logsnr(torch.tensor(0.9, dtype=torch.float64)).item() == pytest.approx(math.log(9))


def test_logsnr_draw_is_linear_in_u():
    schedule = SCHEDULES["logsnr"]
    u = torch.linspace(0, 0.999, 50)
    drawn = schedule.draw(torch.stack([u, torch.zeros(50)], 1))
    low, high = (math.log(g / (1 - g)) for g in (schedule.gamma_min, schedule.gamma_max))
    expected = low + (high - low) * u.double()
    # γ is rounded to float32 near 1, where half a unit of its last place is 3e-8 of 1 − γ = 1e-4
    torch.testing.assert_close(logsnr(drawn.double()), expected, rtol=0, atol=1e-3)


LEVELS = {
    "palette": linear_gammas(*PALETTE_TRAIN),
    "ddpm": linear_gammas(1000, 1e-4, 0.02),
    "cosine": cosine_gammas(1000),
}


@pytest.mark.parametrize("name", LEVELS)
def test_discrete_draw_is_uniform_between_neighbouring_steps(name: str):
    schedule = SCHEDULES[name]
    gammas = LEVELS[name]
    levels = gammas[(gammas >= schedule.gamma_min) & (gammas <= schedule.gamma_max)]
    step = torch.arange(len(levels) - 1)
    for within in (0.0, 0.25, 0.75):
        u = torch.stack([(step + 0.5) / len(step), torch.full((len(step),), within)], 1)
        expected = levels[:-1] + within * (levels[1:] - levels[:-1])
        torch.testing.assert_close(schedule.draw(u), expected.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("name", SCHEDULES)
def test_draws_are_one_per_sample_and_stay_inside(name: str):
    schedule = SCHEDULES[name]
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    u = torch.cat([torch.rand(4096, 2, generator=torch.Generator().manual_seed(0)), corners])
    gamma = schedule.draw(u)
    assert gamma.shape == (4100,)
    assert gamma.dtype == torch.float32
    assert len(gamma[:4096].unique()) > 3000
    assert gamma.min() >= torch.tensor(schedule.gamma_min, dtype=torch.float32)
    assert gamma.max() <= torch.tensor(schedule.gamma_max, dtype=torch.float32)
    assert gamma.min() < 1.01 * schedule.gamma_min
    assert 1 - gamma.max() < 1.1 * (1 - schedule.gamma_max) + 1e-6
    assert torch.equal(schedule.draw(u[7:9]), gamma[7:9])


def test_narrower_bounds_are_kept():
    for name in SCHEDULES:
        gamma = Schedule(name, 0.1, 0.5).draw(torch.rand(512, 2))
        assert 0.1 - 1e-7 <= gamma.min() < 0.15
        assert 0.45 < gamma.max() <= 0.5 + 1e-7


def test_logsnr_grid_is_equally_spaced():
    gaps = logsnr(logsnr_grid(8, GAMMA_MIN, GAMMA_MAX)).diff()
    torch.testing.assert_close(gaps, gaps.mean().expand(7), rtol=1e-9, atol=0)


def test_karras_grid_is_the_papers_formula():
    gammas = karras_grid(10, GAMMA_MIN, GAMMA_MAX)
    largest, smallest = (math.sqrt((1 - g) / g) for g in (GAMMA_MIN, GAMMA_MAX))
    for i in range(10):
        root = largest ** (1 / 7) + i / 9 * (smallest ** (1 / 7) - largest ** (1 / 7))
        assert gammas[i].item() == pytest.approx(1 / (1 + root**14), rel=1e-9)


def test_published_schedules_are_grids_where_they_were_trained():
    for grid, trained, count in (("sr3", "palette", 1994), ("ddpm", "ddpm", 1000)):
        schedule = SCHEDULES[trained]
        whole = {"sr3": sr3_grid, "ddpm": ddpm_grid}[grid](None, schedule.gamma_min, GAMMA_MAX)
        assert len(whole) == count
        assert set(whole.tolist()) <= set(LEVELS[trained].tolist())


def test_a_subset_of_palettes_grid_is_a_subset():
    whole = palette_test_grid(None, PALETTE_MIN)
    part = palette_test_grid(20, PALETTE_MIN)
    assert set(part.tolist()) <= set(whole.tolist())
    assert (part[0], part[-1]) == (whole[0], whole[-1])
    assert palette_test_grid(1, PALETTE_MIN).item() == whole[0]
    assert palette_test_grid(None, GAMMA_MIN, 0.99)[-1] <= 0.99


@pytest.mark.parametrize("name", GRIDS)
@settings(max_examples=50, deadline=None)
@given(n=st.integers(1, 60), low=st.floats(1e-6, 0.1), high=st.floats(0.9, 0.99999))
def test_grids_rise_and_never_leave_their_bounds(name: str, n: int, low: float, high: float):
    gammas = GRIDS[name](n, low, high)
    assert gammas.shape == (n,)
    assert gammas.dtype == torch.float64
    assert gammas.device.type == "cpu"
    assert (gammas.diff() > 0).all()
    assert gammas[0] >= low
    assert gammas[-1] <= high
    if name in ("logsnr", "karras"):  # the others take steps that there are
        assert gammas[0].item() == pytest.approx(low, rel=1e-9)
        assert n == 1 or gammas[-1].item() == pytest.approx(high, rel=1e-9)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (
            lambda: Schedule("sigmoid", 0.1, 0.9),
            "'sigmoid'.*logsnr, normal, adaptive, palette, ddpm, cosine",
        ),
        (lambda: Schedule("logsnr", 0.0, 0.9), "gamma_min 0.0.*0 < gamma_min < gamma_max < 1"),
        (lambda: Schedule("logsnr", 0.1, 1.0), "gamma_max 1.0"),
        (lambda: Schedule("palette", 0.5, 0.5001).draw(torch.rand(1, 2)), "widen"),
        (lambda: linear_gammas(0, 1e-6, 0.01), "steps 0.*1 or more"),
        (lambda: linear_gammas(10, 0.01, 1e-6), "0.01 to 1e-06.*e.g."),
        (lambda: logsnr_grid(0, 0.1, 0.9), "n 0.*1 or more"),
        (lambda: logsnr_grid(8, 0.9, 0.1), "gamma_min 0.9, gamma_max 0.1"),
        (lambda: karras_grid(8, 0.1, 0.9, rho=0), "rho 0.*7"),
        (lambda: palette_test_grid(600, PALETTE_MIN), "600.*468.*'logsnr'"),
        (lambda: palette_test_grid(None, 0.99995), "no step.*widen"),
    ],
)
def test_wrong_values_are_named_with_the_cure(call, words: str):
    with pytest.raises(ValueError, match=words):
        call()


@pytest.mark.parametrize(("mean", "std", "share"), [(1.0, 2.4, 0.25), (-1.2, 1.2, 0.0)])
def test_the_normal_draw_has_its_distribution(mean: float, std: float, share: float):
    """Against SciPy: the share of pure noise, and N(mean, std²) between the bounds."""
    schedule = Schedule("normal", GAMMA_MIN, GAMMA_MAX, mean, std, share)
    u = torch.rand(40_000, 2, generator=torch.Generator().manual_seed(0))
    values = logsnr(schedule.draw(u).double())
    normal = stats.norm(mean, std)
    low, high = (math.log(g / (1 - g)) for g in (GAMMA_MIN, GAMMA_MAX))
    pure = (values < PURE_NOISE).double().mean().item()
    assert pure == pytest.approx(share + (1 - share) * normal.cdf(PURE_NOISE), abs=0.007)
    rest = values[u[:, 0] >= share]
    inside = rest[(rest > low + 0.01) & (rest < high - 0.01)]
    between = stats.truncnorm((low - mean) / std, (high - mean) / std, mean, std)
    assert inside.mean().item() == pytest.approx(between.mean(), abs=0.05)
    assert inside.std().item() == pytest.approx(between.std(), rel=0.02)
    assert stats.kstest(inside.numpy(), between.cdf).pvalue > 0.01
    if share:
        noisy = values[u[:, 0] < share]
        assert stats.kstest(noisy.numpy(), stats.uniform(low, PURE_NOISE - low).cdf).pvalue > 0.01


def test_levels_beyond_the_bounds_are_drawn_at_them():
    """So that a bad mean is not one that divides by 0."""
    gamma = Schedule("normal", 0.1, 0.5, mean=20, std=0.1, noise_share=0).draw(torch.rand(64, 2))
    assert (gamma == 0.5).all()
    corners = torch.tensor([[0.9, 0.0], [0.9, 1.0], [0.25, 0.5], [0.0, 0.5]])
    assert SCHEDULES["normal"].draw(corners).isfinite().all()
