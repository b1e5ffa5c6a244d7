"""Guidance on the condition: extrapolation, thresholding, dropped conditions."""

from __future__ import annotations

import pytest
import torch

from palette.diffusion.guidance import drop_condition, dynamic_clip, guided
from palette.diffusion.loss import Target


def test_guidance_extrapolates_from_the_network_without_condition() -> None:
    network = lambda x, y_t, gamma: 2 * x + y_t + gamma[:, None, None, None]  # noqa: E731
    x, y_t, gamma = torch.randn(2, 3, 4, 4), torch.randn(2, 3, 4, 4), torch.rand(2)
    for weight in (0.0, 1.0, 3.0):
        expected = network(torch.zeros_like(x), y_t, gamma) + weight * 2 * x
        torch.testing.assert_close(guided(network, weight)(x, y_t, gamma), expected)


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
