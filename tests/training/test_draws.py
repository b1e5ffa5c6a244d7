"""The draw of noise levels: plain, or by the running loss without changing the expectation."""

from __future__ import annotations

import pytest
import torch

from palette.config import DiffusionConfig
from palette.diffusion.schedule import SCHEDULES, logsnr
from palette.training.draws import BINS, MEMORY, UNIFORM, Draws

ADAPTIVE = DiffusionConfig(schedule="adaptive")


def numbers(count: int) -> torch.Tensor:
    """(count, 2)"""
    return torch.rand(count, 2, generator=torch.Generator().manual_seed(0))


def place(gamma: torch.Tensor) -> torch.Tensor:
    """The bin of each γ."""
    ends = torch.tensor([SCHEDULES["adaptive"].gamma_min, SCHEDULES["adaptive"].gamma_max]).double()
    low, high = logsnr(ends).tolist()
    return ((logsnr(gamma.double()) - low) / (high - low) * BINS).floor().clamp(0, BINS - 1)


@pytest.mark.parametrize("name", [name for name in SCHEDULES if name != "adaptive"])
def test_the_others_weigh_nothing_and_learn_nothing(name: str) -> None:
    draws = Draws.of(DiffusionConfig(schedule=name))  # type: ignore[arg-type]
    gamma, weight = draws.draw(numbers(16))
    assert torch.equal(weight, torch.ones(16))
    draws.learn(gamma, torch.full((16,), 100.0))
    assert torch.equal(draws.draw(numbers(16))[0], gamma)
    assert torch.equal(gamma, draws.schedule.draw(numbers(16)))


def test_the_settings_reach_the_schedule() -> None:
    settings = DiffusionConfig(logsnr_mean=2.0, logsnr_std=0.5, noise_share=0.0)
    values = logsnr(Draws.of(settings).draw(numbers(4000))[0].double())
    assert values.mean().item() == pytest.approx(2.0, abs=0.05)
    assert values.std().item() == pytest.approx(0.5, abs=0.05)


def test_before_it_has_learnt_it_is_uniform() -> None:
    gamma, weight = Draws.of(ADAPTIVE).draw(numbers(20_000))
    torch.testing.assert_close(weight, torch.ones(20_000))
    counts = torch.bincount(place(gamma).long(), minlength=BINS)
    assert (counts / 1000 - 1).abs().max() < 0.15


def learnt() -> Draws:
    """Of a loss that is ten times as large in one half of the levels."""
    draws = Draws.of(ADAPTIVE)
    draws.squares = torch.where(torch.arange(BINS) < BINS // 2, 1.0, 100.0).double()
    return draws


def test_levels_are_drawn_by_their_loss() -> None:
    gamma, weight = learnt().draw(numbers(20_000))
    share = torch.bincount(place(gamma).long(), minlength=BINS) / 20_000
    few = (1 - UNIFORM) / 11 / (BINS / 2) + UNIFORM / BINS
    many = (1 - UNIFORM) * 10 / 11 / (BINS / 2) + UNIFORM / BINS
    torch.testing.assert_close(share[: BINS // 2].mean().item(), few, rtol=0.05, atol=0)
    torch.testing.assert_close(share[BINS // 2 :].mean().item(), many, rtol=0.02, atol=0)
    below = place(gamma) < BINS // 2
    torch.testing.assert_close(weight[below], torch.full_like(weight[below], 1 / (BINS * few)))
    torch.testing.assert_close(weight[~below], torch.full_like(weight[~below], 1 / (BINS * many)))


@pytest.mark.parametrize("f", [lambda v: v, torch.cos, lambda v: torch.exp(-v / 4)])
def test_the_weights_keep_the_expectation(f) -> None:
    """E[w·f(γ)] under the adaptive draw is E[f(γ)] under the uniform one."""
    u = numbers(200_000)
    gamma, weight = learnt().draw(u)
    uniform = SCHEDULES["logsnr"].draw(u)
    values, expected = f(logsnr(gamma.double())), f(logsnr(uniform.double()))
    error = (weight * values).std() / len(u) ** 0.5 + expected.std() / len(u) ** 0.5
    assert abs((weight * values).mean() - expected.mean()) < 4 * error


def test_the_weights_lessen_the_variance_of_such_a_loss() -> None:
    u = numbers(50_000)
    gamma, weight = learnt().draw(u)
    loss = torch.where(place(gamma) < BINS // 2, 1.0, 10.0)
    uniform = torch.where(place(SCHEDULES["logsnr"].draw(u)) < BINS // 2, 1.0, 10.0)
    assert (weight * loss).var() < 0.5 * uniform.var()
    assert (weight * loss).mean().item() == pytest.approx(5.5, rel=0.02)


def test_a_running_square_of_each_bin() -> None:
    draws = Draws.of(ADAPTIVE)
    gamma = torch.sigmoid(torch.tensor([-9.9, -9.9, 9.1]))
    draws.learn(gamma, torch.tensor([3.0, 4.0, 2.0]))
    twice = MEMORY * (MEMORY * 1 + (1 - MEMORY) * 9) + (1 - MEMORY) * 16
    assert draws.squares[0].item() == pytest.approx(twice)
    assert draws.squares[-1].item() == pytest.approx(MEMORY + (1 - MEMORY) * 4)
    assert (draws.squares[1:-1] == 1).all()


def test_the_ends_of_the_draw_stay_inside() -> None:
    corners = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1 - 1e-7, 1 - 1e-7]])
    gamma, weight = learnt().draw(corners)
    schedule = SCHEDULES["adaptive"]
    assert gamma.min() >= torch.tensor(schedule.gamma_min, dtype=torch.float32)
    assert gamma.max() <= torch.tensor(schedule.gamma_max, dtype=torch.float32)
    assert weight.isfinite().all()
