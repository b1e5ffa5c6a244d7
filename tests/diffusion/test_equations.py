"""The loss and the network's output against closed forms."""

from __future__ import annotations

import math
from functools import partial

import pytest
import torch

from palette.diffusion.loss import WEIGHTS, diffuse, epsilon_loss, hiding
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser

B, H, W = 3, 8, 6
SMALL = Architecture(width=8, multipliers=(1, 2), blocks=1, groups=4, head_width=8)


@pytest.fixture
def pictures() -> tuple[torch.Tensor, ...]:
    draws = torch.Generator().manual_seed(0)
    x, y, noise = (torch.randn(B, 3, H, W, generator=draws) for _ in range(3))
    return x, y, noise, torch.tensor([0.1, 0.5, 0.9])


def test_diffusing_is_equation_2(pictures: tuple[torch.Tensor, ...]) -> None:
    _, y, noise, gamma = pictures
    for b, g in enumerate(gamma.tolist()):
        expected = math.sqrt(g) * y[b] + math.sqrt(1 - g) * noise[b]
        torch.testing.assert_close(diffuse(y, noise, gamma)[b], expected)


def test_diffusing_keeps_unit_variance() -> None:
    draws = torch.Generator().manual_seed(1)
    y, noise = (torch.randn(4, 3, 128, 128, generator=draws) for _ in range(2))
    variances = diffuse(y, noise, torch.tensor([1e-3, 0.3, 0.7, 0.999])).var(dim=(1, 2, 3))
    torch.testing.assert_close(variances, torch.ones(4), atol=0.02, rtol=0)


@pytest.mark.parametrize("p", [1, 2])
def test_the_loss_of_a_constant_error(pictures: tuple[torch.Tensor, ...], p: int) -> None:
    x, y, noise, gamma = pictures
    off_by_3 = lambda x, y_t, g: noise + 3  # noqa: E731
    assert epsilon_loss(off_by_3, x, y, gamma, noise, p=p).tolist() == pytest.approx([3**p] * B)


@pytest.mark.parametrize("p", [1, 2])
def test_weights_have_their_closed_forms(pictures: tuple[torch.Tensor, ...], p: int) -> None:
    gamma = pictures[3]
    snr = gamma / (1 - gamma)
    torch.testing.assert_close(WEIGHTS["constant"](gamma, p), torch.ones(3))
    torch.testing.assert_close(WEIGHTS["inverse-gamma"](gamma, p), gamma ** (-p / 2))
    torch.testing.assert_close(WEIGHTS["min-snr"](gamma, p), torch.minimum(snr, snr * 0 + 5) / snr)


def test_only_the_region_counts(pictures: tuple[torch.Tensor, ...]) -> None:
    x, y, noise, gamma = pictures
    region = torch.zeros(B, 1, H, W)
    region[:, :, :2] = 1
    wrong_inside = lambda x, y_t, g: noise + 2 * region  # noqa: E731
    wrong_outside = lambda x, y_t, g: noise + 5 * (1 - region)  # noqa: E731
    of = partial(epsilon_loss, x=x, y=y, gamma=gamma, noise=noise)
    assert of(wrong_inside, region=region).tolist() == pytest.approx([4] * B)
    assert of(wrong_outside, region=region).tolist() == [0] * B
    assert of(wrong_inside, region=region * 0).tolist() == [0] * B


def test_each_example_has_its_own_loss(pictures: tuple[torch.Tensor, ...]) -> None:
    """That of its error, its region and its noise level, whatever stands beside it."""
    x, y, noise, gamma = pictures
    errors = torch.tensor([1.0, 2.0, 3.0])[:, None, None, None]
    region = torch.ones(B, 1, H, W)
    region[1, :, 2:] = 0  # a small hole counts as much as a large one
    losses = epsilon_loss(
        lambda x, y_t, g: noise + errors * region, x, y, gamma, noise, region, 2, "inverse-gamma"
    )
    assert losses.tolist() == pytest.approx([1 / 0.1, 4 / 0.5, 9 / 0.9])


def test_an_untrained_network_predicts_no_picture(pictures: tuple[torch.Tensor, ...]) -> None:
    """Its last layer is zero: F = 0, so ε̂ = √(1−γ)·y_t with the skip, and 0 without."""
    x, y_t, _, gamma = pictures
    skip = Denoiser(SMALL, 8)(x, y_t, gamma)
    torch.testing.assert_close(skip, (1 - gamma).sqrt()[:, None, None, None] * y_t)
    plain = Denoiser(Architecture(**{**vars(SMALL), "output": "plain"}), 8)(x, y_t, gamma)
    assert plain.abs().max() == 0


def test_with_the_skip_the_weighted_loss_is_that_of_v(pictures: tuple[torch.Tensor, ...]) -> None:
    """p = 2 and weight 1/γ: ‖F + v‖², v = √(1−γ)·y − √γ·ε up to sign (Salimans & Ho 2022)."""
    x, y, noise, gamma = pictures
    g = gamma[:, None, None, None]
    F = torch.randn(B, 3, H, W, generator=torch.Generator().manual_seed(2))
    denoise = lambda x, y_t, _: (1 - g).sqrt() * y_t + g.sqrt() * F  # noqa: E731
    loss = epsilon_loss(denoise, x, y, gamma, noise, p=2, weight="inverse-gamma")
    best = g.sqrt() * noise - (1 - g).sqrt() * y
    expected = ((F - best) ** 2).mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss, expected, rtol=1e-4, atol=1e-4)


def test_a_hidden_picture_teaches_its_mean(pictures: tuple[torch.Tensor, ...]) -> None:
    """y_t = 0, and the loss in ε is that of ŷ = (y_t − √(1−γ)·ε̂)/√γ, times (γ/(1−γ))."""
    x, y, _, gamma = pictures
    noise = hiding(y, gamma)
    torch.testing.assert_close(diffuse(y, noise, gamma), torch.zeros_like(y), rtol=0, atol=1e-6)
    eps = torch.randn(y.shape, generator=torch.Generator().manual_seed(3))
    loss = epsilon_loss(lambda *_: eps, x, y, gamma, noise)
    ratio = gamma / (1 - gamma)
    estimate = -eps / ratio.sqrt()[:, None, None, None]
    torch.testing.assert_close(loss, ratio * ((estimate - y) ** 2).mean(dim=(1, 2, 3)))
