"""Guidance on the condition: extrapolation, thresholding, dropped conditions."""

from __future__ import annotations

import math

import pytest
import torch

from palette.diffusion.guidance import HIDDEN, away_from_mean, drop_condition, dynamic_clip, guided
from palette.diffusion.loss import Target
from palette.diffusion.multistep import dpmpp_2m_sde
from palette.diffusion.schedule import gamma_of_logsnr, logsnr, logsnr_grid


def test_guidance_extrapolates_from_the_network_without_condition() -> None:
    network = lambda x, y_t, gamma: 2 * x + y_t + gamma[:, None, None, None]  # noqa: E731
    x, y_t, gamma = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.rand(2)
    for weight in (0.0, 1.0, 3.0):
        expected = network(torch.zeros_like(x), y_t, gamma) + weight * 2 * x
        torch.testing.assert_close(guided(network, weight)(x, y_t, gamma), expected)


def test_samples_are_drawn_away_from_the_mean_where_noise_hides_detail() -> None:
    """In luma, by a share for every decade of SNR to the next level, as far as it is hidden."""
    places = torch.tensor([-3.0, 0.0, 2.0, 8.0], dtype=torch.float64)
    levels = gamma_of_logsnr(places)
    hidden = torch.tensor([3.0, 2.0, HIDDEN - 2, 0.0], dtype=torch.float64)
    y_t, mean, eps = (torch.randn(4, 3, 4, 4, dtype=torch.float64) for _ in range(3))
    for share in (0.0, 0.1, 1.0):
        away = away_from_mean(lambda y_t, gamma: eps, mean, share, levels)(y_t, levels)
        g = levels[:, None, None, None]
        clean, drawn = ((y_t - (1 - g).sqrt() * e) / g.sqrt() for e in (eps, away))
        weight = ((1 + share) ** (hidden / math.log(10)) - 1)[:, None, None, None]
        red, green, blue = (clean - mean).split(1, dim=1)
        luma = 0.299 * red + 0.587 * green + 0.114 * blue
        torch.testing.assert_close(drawn, clean + weight * luma)


@pytest.mark.parametrize("steps", [3, 8, 50])
def test_as_much_is_added_in_any_number_of_steps(steps: int) -> None:
    """From a log-SNR of −10 to 3, 13/ln 10 decades."""
    levels = gamma_of_logsnr(torch.linspace(-10, 9, steps, dtype=torch.float64))
    y_t, mean, eps = (torch.randn(steps, 1, 1, 1, dtype=torch.float64) for _ in range(3))
    y_t, mean, eps = (value.expand(-1, 3, -1, -1) for value in (y_t, mean, eps))
    away = away_from_mean(lambda y_t, gamma: eps, mean, 0.2, levels)(y_t, levels)
    g = levels[:, None, None, None]
    clean, drawn = ((y_t - (1 - g).sqrt() * e) / g.sqrt() for e in (eps, away))
    growth = ((drawn - mean) / (clean - mean)).mean(dim=(1, 2, 3))
    assert float(growth.prod()) == pytest.approx(1.2 ** (13 / math.log(10)))


def test_samples_of_a_network_that_knows_too_little_get_their_spread() -> None:
    """Of N(0.3, 0.4²), by a network that finds a third less of it where noise hides it."""

    def timid(y_t: torch.Tensor, gamma: torch.Tensor) -> torch.Tensor:
        g = gamma[:, None, None, None]
        gain = g.sqrt() * 0.4**2 / (g * 0.4**2 + 1 - g)
        gain = gain / (1.5 if float(logsnr(gamma[0])) < HIDDEN else 1)
        clean = 0.3 + gain * (y_t - g.sqrt() * 0.3)
        return (y_t - g.sqrt() * clean) / (1 - g).sqrt()

    def spread(share: float) -> float:
        draws = torch.Generator().manual_seed(0)
        grid = logsnr_grid(8, 4e-5, 0.9999)
        drawn = [torch.randn(1, 1, 128, 128, generator=draws, dtype=torch.float64) for _ in grid]
        drawn = [grey.expand(-1, 3, -1, -1) for grey in drawn]
        mean = torch.full_like(drawn[0], 0.3)
        denoise = away_from_mean(timid, mean, share, grid)
        z = dpmpp_2m_sde(denoise, grid, lambda k: drawn[k], lambda z: z, eta=1.0)
        assert float(z.mean()) == pytest.approx(0.3, abs=0.01)
        return float(z.std())

    spreads = [spread(share) for share in (0.0, 0.1, 0.2)]
    assert spreads[0] < 0.97 * spreads[1] < 0.97**2 * spreads[2] < 0.97**2 * 0.4, spreads


def test_dynamic_thresholding_keeps_what_is_inside_and_rescales_what_is_not() -> None:
    x = torch.zeros(2, 3, 8, 8)
    inside = torch.linspace(-0.9, 0.9, 192).reshape(3, 8, 8)
    target = Target(True, 0.5).for_all()
    clip = dynamic_clip(target, x)
    out = clip(torch.stack([inside, 6 * inside]))
    torch.testing.assert_close(out[0], inside)
    pictures = target.decode(out, x)
    assert float(pictures[1].abs().max()) == pytest.approx(1)
    ratio = (
        out[1][inside.abs().gt(0.1) & inside.abs().lt(0.8)]
        / inside[inside.abs().gt(0.1) & inside.abs().lt(0.8)]
    )
    assert float(ratio.std()) < 1e-4  # contrast is kept, not saturated


def test_dropped_conditions_are_grey() -> None:
    x = torch.ones(3, 3, 2, 2)
    out = drop_condition(x, torch.tensor([True, False, True]))
    assert out.sum(dim=(1, 2, 3)).tolist() == [0, 12, 0]
