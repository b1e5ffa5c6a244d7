"""The coarse pass: tiles that would each choose a colour agree on the reduced picture's."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from palette.diffusion.loss import Target
from palette.diffusion.samplers import ddim
from palette.restoring.coarse import cells_of, following, reduced
from palette.restoring.tiling import plan, tiled

SIDE, TILE = 128, 32


def stubborn(generator: torch.Generator, spread: float) -> Callable[..., Tensor]:
    """ε̂ of a network whose ŷ is a colour of its own for each call and tile."""

    def network(x: Tensor, y_t: Tensor, gamma: Tensor) -> Tensor:
        g = gamma[:, None, None, None]
        colour = 0.2 + spread * torch.randn((len(x), 3, 1, 1), generator=generator)
        return (y_t - g.sqrt() * colour) / (1 - g).sqrt()

    return network


def test_tiles_that_disagree_are_of_one_colour() -> None:
    x = torch.zeros(1, 3, SIDE, SIDE)
    gammas, target = torch.tensor([0.01, 0.3, 0.9]), Target()
    noise = lambda k: torch.randn(x.shape, generator=torch.Generator().manual_seed(k))  # noqa: E731
    clip = lambda z: target.clip(z, x)  # noqa: E731
    drifts = {}
    for follows in (False, True):
        network = stubborn(torch.Generator().manual_seed(0), spread=0.2)
        denoise = tiled(network, x, plan(SIDE, SIDE, TILE, 4, stride=8), 4)
        coarse, all_of_it = torch.full((1, 3, 32, 32), 0.2), torch.ones(1, 1, SIDE, SIDE)
        cells, hole = cells_of(SIDE, SIDE, TILE // 2), torch.ones(1, 1, 32, 32)
        one = following(clip, coarse, hole, all_of_it, cells) if follows else clip
        blocks = functional.avg_pool2d(ddim(denoise, gammas, noise, one), TILE)
        drifts[follows] = float(blocks.std(dim=(2, 3)).mean())
    assert drifts[False] > 0.1
    assert drifts[True] < drifts[False] / 5


def test_detail_and_agreement_are_left_alone() -> None:
    detail = torch.randn(1, 3, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    coarse = functional.adaptive_avg_pool2d(detail, (32, 32))
    hole, region = torch.ones(1, 1, 32, 32), torch.ones(1, 1, SIDE, SIDE)
    one = following(lambda z: z, coarse, hole, region, cells_of(SIDE, SIDE, 16))
    torch.testing.assert_close(one(detail), detail, atol=1e-5, rtol=0)
    shifted = one(detail + 0.3)
    torch.testing.assert_close(shifted, detail, atol=1e-5, rtol=0)


def test_only_what_is_made_counts_in_a_hole() -> None:
    """Known pixels of any value, in the picture and in the reduced one, do not move the hole."""
    region = torch.zeros(1, 1, SIDE, SIDE)
    region[..., 30:77, 41:90] = 1
    hole = functional.adaptive_max_pool2d(region, (32, 32))
    x0 = torch.where(region > 0, 0.7, torch.randn(1, 3, SIDE, SIDE))
    coarse = torch.where(hole > 0, 0.1, torch.randn(1, 3, 32, 32))
    made = following(lambda z: z, coarse, hole, region, cells_of(SIDE, SIDE, 16))(x0)
    torch.testing.assert_close(made[..., 30:77, 41:90], torch.full((1, 3, 47, 49), 0.1))


@pytest.mark.parametrize(("height", "width"), [(96, 160), (200, 72), (64, 64)])
def test_a_reduced_condition_keeps_its_hole(height: int, width: int) -> None:
    x = torch.full((1, 3, height, width), 0.25)
    region = torch.zeros(1, 1, height, width)
    region[..., 17, 33] = 1  # a single pixel
    x = torch.where(region > 0, 9.0, x)
    noise = torch.randn(1, 3, 40, 40)
    small, hole = reduced(x, region, 40, 8, noise)
    assert max(small.shape[-2:]) == 40
    assert all(side % 8 == 0 for side in small.shape[-2:])
    assert hole.sum() >= 1
    known = (hole == 0).expand_as(small)
    assert (small[known] == 0.25).all()
    rows, columns = small.shape[-2:]
    torch.testing.assert_close(small[~known], noise[..., :rows, :columns][~known])


def test_a_small_picture_is_not_reduced() -> None:
    x, region = torch.randn(1, 3, 24, 40), torch.zeros(1, 1, 24, 40)
    small, hole = reduced(x, region, 64, 8, torch.zeros(1, 3, 64, 64))
    assert torch.equal(hole, region)
    assert torch.equal(small, x)
