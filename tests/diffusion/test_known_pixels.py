"""Known pixels in samplers: held at every level, and what a hole learns of them."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch
from every_sampler import every_sampler, free, name_of
from torch import Tensor

from palette.diffusion.samplers import (
    SAMPLERS,
    ancestral,
    ancestral_beta,
    evaluations,
    repaint,
)
from palette.diffusion.schedule import GAMMA_MAX, GAMMA_MIN, logsnr_grid
from palette.diffusion.steps import Denoise, Noise, Sampler, hold

COUPLED = 0.25 * torch.tensor([[1, 0.9], [0.9, 1]], dtype=torch.float64)
"""Covariance of a picture of two pixels; given the left one, the mean of the right is 0.9 of it."""
REGION = torch.tensor([0, 1], dtype=torch.float64).view(1, 1, 1, 2)


def ignorant(y: Tensor, gamma: Tensor) -> Tensor:
    """The exact ε-predictor of the two pixels for a network that was not shown the left one."""
    g = gamma[0]
    inverse = torch.linalg.inv(g * COUPLED + (1 - g) * torch.eye(2, dtype=torch.float64))
    return (1 - g).sqrt() * y @ inverse


def knowing(known: Tensor) -> Denoise:
    """The exact ε-predictor for a network that was shown the left pixel, ``known`` (B, 1, 1, 1)."""
    mean = torch.cat([known, 0.9 * known], -1)
    variance = torch.tensor([0, 0.25 * (1 - 0.9**2)], dtype=torch.float64)

    def denoise(y: Tensor, gamma: Tensor) -> Tensor:
        g = gamma.view(-1, 1, 1, 1)
        return (1 - g).sqrt() * (y - g.sqrt() * mean) / (g * variance + 1 - g)

    return denoise


def pixel_impulses(positions: int) -> Noise:
    """Row 0 without noise, then one row for each position and pixel: (2·positions + 1, 1, 1, 2)."""

    def noise(k: int) -> Tensor:
        rows = torch.zeros(2 * positions + 1, 1, 1, 2, dtype=torch.float64)
        rows[2 * k + 1, ..., 0] = rows[2 * k + 2, ..., 1] = 1
        return rows

    return noise


def fill(sampler: Sampler, denoise: Denoise, levels: int, positions: int, held: bool) -> Tensor:
    """The hole's mean and spread over the known pixel's value, which is 1: (2,)."""
    noise = pixel_impulses(positions)
    values = torch.ones_like(noise(0))
    clip = hold(free, values, REGION) if held else free
    start = values * (1 - REGION)
    out = sampler(denoise, logsnr_grid(levels, GAMMA_MIN, GAMMA_MAX), noise, clip, start)
    if held:
        assert torch.equal(out[..., 0], values[..., 0])
    hole = out[:, 0, 0, 1]
    return torch.stack([hole[0], (hole[1:] - hole[0]).square().sum().sqrt()])


@pytest.mark.parametrize("sampler", [s for s in SAMPLERS.values() if s is not ancestral_beta])
def test_held_pixels_pass_through_the_levels_as_the_forward_process_does(sampler: Sampler):
    """At each level the known pixel is √γ·y + √(1−γ)·ε, ε of variance one."""
    levels = logsnr_grid(7, GAMMA_MIN, GAMMA_MAX)
    noise = pixel_impulses(2 * evaluations(name_of(sampler), 7))
    values = torch.full_like(noise(0), 0.6)
    seen: list[tuple[float, Tensor]] = []

    def denoise(y: Tensor, gamma: Tensor) -> Tensor:
        seen.append((gamma[0].item(), y[:, 0, 0, 0]))
        return ignorant(y, gamma)

    sampler(denoise, levels, noise, hold(free, values, REGION), values * (1 - REGION))
    for gamma, pixel in seen:
        assert pixel[0].item() == pytest.approx(0.6 * math.sqrt(gamma), rel=1e-9)
        variance = (pixel[1:] - pixel[0]).square().sum().item()
        assert variance == pytest.approx(1 - gamma, rel=1e-9)


@every_sampler
def test_holding_changes_nothing_for_a_network_that_knows(sampler: Sampler):
    positions = 2 * evaluations(name_of(sampler), 8)
    known = torch.ones(2 * positions + 1, 1, 1, 1, dtype=torch.float64)
    held = fill(sampler, knowing(known), 8, positions, True)
    torch.testing.assert_close(held, fill(sampler, knowing(known), 8, positions, False))
    assert held[0].item() == pytest.approx(0.9, abs=0.01)


def test_resampling_teaches_the_hole_what_is_known():
    """Without it the hole hardly listens; with it the posterior is approached."""
    spread = 0.5 * math.sqrt(1 - 0.9**2)
    found = {
        times: fill(partial(repaint, resamplings=times), ignorant, 20, 20 * 2 * times, True)
        for times in (1, 3, 10)
    }
    once = fill(ancestral, ignorant, 20, 40, True)
    torch.testing.assert_close(found[1], once)
    misses = [abs(mean.item() - 0.9) for mean, _ in found.values()]
    assert misses[0] > 0.3 > 2 * misses[1] > 4 * misses[2]
    assert found[10][0].item() == pytest.approx(0.9, abs=0.05)
    assert found[10][1].item() == pytest.approx(spread, rel=0.2)
