"""What is diffused: it round-trips, of chroma the luma is taken away, each example has its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from palette.diffusion.loss import LUMA, Target, Targets, diffuse, epsilon_loss

MIXED = (Target(), Target(True, 0.2), Target(True, 0.07, chroma=True), Target(True, 0.2, gain=3.0))
"""The picture, the residual, its chroma, and the residual whose chroma has a scale of its own."""
NUMBERS = torch.tensor([2, 0, 1, 3])


def luma(z: Tensor) -> Tensor:
    """(B, 1, H, W)"""
    return (z.double() * torch.tensor(LUMA, dtype=torch.float64)[:, None, None]).sum(
        1, keepdim=True
    )


@pytest.fixture
def x() -> Tensor:
    """Four conditions, all grey as that of colorization is."""
    return (torch.rand(4, 1, 8, 6) * 2 - 1).expand(4, 3, 8, 6).contiguous()


@pytest.fixture
def y(x: Tensor) -> Tensor:
    """Pictures of the luma of their condition, not all of them in range."""
    drawn = 2 * torch.randn(4, 3, 8, 6)
    return (drawn - luma(drawn) + luma(x)).float()


def every(test: Callable[..., None]) -> Any:
    kinds = {
        "picture": MIXED[0].for_all(),
        "residual": MIXED[1].for_all(),
        "chroma": MIXED[2].for_all(),
        "balanced": MIXED[3].for_all(),
        "mixed": Targets.of(MIXED, NUMBERS),
    }
    return pytest.mark.parametrize("target", kinds.values(), ids=kinds.keys())(test)


@every
def test_decoding_what_was_encoded_gives_the_picture(target: Targets, x: Tensor, y: Tensor) -> None:
    before = x.clone(), y.clone()
    torch.testing.assert_close(target.decode(target.encode(y, x), x), y, atol=1e-5, rtol=0)
    assert torch.equal(x, before[0])
    assert torch.equal(y, before[1])


@every
def test_a_mask_channel_is_no_part_of_the_picture(target: Targets, x: Tensor, y: Tensor) -> None:
    shown = torch.cat([x, torch.ones_like(x[:, :1])], dim=1)
    z = target.encode(y, x)
    assert torch.equal(target.encode(y, shown), z)
    assert torch.equal(target.decode(z, shown), target.decode(z, x))
    assert torch.equal(target.guess(shown), target.guess(x))


@every
def test_clipping_is_that_of_the_picture(target: Targets, x: Tensor, y: Tensor) -> None:
    clipped = target.decode(target.clip(target.encode(y, x), x), x)
    expected = y.clamp(-1, 1)
    # of chroma the luma stays that of the condition
    expected = (expected + target.chroma * (luma(x) - luma(expected))).float()
    torch.testing.assert_close(clipped, expected, atol=1e-5, rtol=0)


@every
def test_the_guess_is_the_condition(target: Targets, x: Tensor) -> None:
    torch.testing.assert_close(target.decode(target.guess(x), x), x, atol=1e-6, rtol=0)


def test_the_projection_takes_the_luma_and_nothing_else() -> None:
    z = torch.randn(4, 3, 8, 6)
    projected = MIXED[2].for_all().project(z)
    assert luma(projected).abs().max() < 1e-6
    torch.testing.assert_close(MIXED[2].for_all().project(projected), projected, atol=1e-6, rtol=0)
    # what was taken is grey: equal in the three channels
    assert (z - projected).std(dim=1).max() < 1e-6
    for other in (MIXED[0], MIXED[1], MIXED[3]):
        assert torch.equal(other.for_all().project(z), z)


def test_the_projection_is_exact_where_the_network_is_not() -> None:
    z = torch.randn(4, 3, 8, 6)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        projected = MIXED[2].for_all().project(z)
    assert projected.dtype == torch.float32
    assert luma(projected).abs().max() < 1e-6


def test_the_gain_is_that_of_chroma(x: Tensor, y: Tensor) -> None:
    plain, balanced = MIXED[1].for_all(), MIXED[3].for_all()
    z, w = plain.encode(y, x), balanced.encode(y, x)
    torch.testing.assert_close(luma(w), luma(z), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close((w - luma(w)), 3 * (z - luma(z)), atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(balanced.as_in_picture(w), z, atol=1e-4, rtol=1e-4)


def test_each_example_of_a_batch_has_the_target_of_its_task(x: Tensor, y: Tensor) -> None:
    together = Targets.of(MIXED, NUMBERS)
    noise = torch.randn(4, 3, 8, 6)
    for i, number in enumerate(NUMBERS):
        here, alone = slice(i, i + 1), MIXED[number].for_all()
        for mixed, one in (
            (together.encode(y, x), alone.encode(y[here], x[here])),
            (together.decode(noise, x), alone.decode(noise[here], x[here])),
            (together.project(noise), alone.project(noise[here])),
            (together.as_in_picture(noise), alone.as_in_picture(noise[here])),
        ):
            torch.testing.assert_close(mixed[here], one, atol=1e-6, rtol=1e-6)


def test_the_loss_of_chroma_knows_nothing_of_luma(x: Tensor, y: Tensor) -> None:
    """Neither that of the target, nor of the noise, nor of the network's answer."""
    target, gamma = MIXED[2].for_all(), torch.tensor([0.1, 0.3, 0.6, 0.9])
    noise, answer, grey = torch.randn(4, 3, 8, 6), torch.randn(4, 3, 8, 6), torch.randn(4, 1, 8, 6)

    def loss(y: Tensor, noise: Tensor, answer: Tensor) -> Tensor:
        denoise = target.projected(lambda x, y_t, gamma: answer)
        return epsilon_loss(denoise, x, target.encode(y, x), gamma, target.project(noise))

    plain = loss(y, noise, answer)
    torch.testing.assert_close(loss(y + grey, noise, answer), plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss(y, noise + grey, answer), plain, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(loss(y, noise, answer + grey), plain, rtol=1e-4, atol=1e-4)
    red = torch.tensor([1.0, 0, 0])[:, None, None]
    assert (loss(y, noise, answer + red) - plain).abs().min() > 1e-3


def test_what_a_network_of_chroma_sees_has_no_luma(x: Tensor, y: Tensor) -> None:
    target, gamma = MIXED[2].for_all(), torch.tensor([0.1, 0.3, 0.6, 0.9])
    noisy = diffuse(target.encode(y, x), target.project(torch.randn(4, 3, 8, 6)), gamma)
    assert luma(noisy).abs().max() < 1e-5


def test_the_luma_is_that_of_a_grey_picture() -> None:
    from palette.degradations.grayscale import Grayscale

    picture = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    grey = Grayscale().apply(picture, {"formula": "rec601"})[..., 0]
    found = luma(torch.from_numpy(picture).permute(2, 0, 1)[None])[0, 0]
    np.testing.assert_allclose(found, grey, atol=1e-6)
