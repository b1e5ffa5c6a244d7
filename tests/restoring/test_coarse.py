"""The coarse pass: tiles that would each choose a colour agree on the reduced picture's."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional

import palette
from palette.diffusion.loss import Target
from palette.diffusion.samplers import ddim
from palette.restoring.coarse import CELL, WORTH, following, reduced, reduction
from palette.restoring.solve import Batch, Solver
from palette.restoring.tiling import plan, tiled
from palette.types import Observation

SIDE, TILE = 128, 32
RESIDUAL = Target(True, 0.3, gain=2.0).for_all()
PICTURE = Target().for_all()
whole = torch.ones(1, 1, SIDE, SIDE)


def stubborn(generator: torch.Generator, spread: float) -> Callable[..., Tensor]:
    """ε̂ of a network whose ŷ is a colour of its own for each call and tile."""

    def network(x: Tensor, y_t: Tensor, gamma: Tensor) -> Tensor:
        g = gamma[:, None, None, None]
        colour = 0.2 + spread * torch.randn((len(x), 3, 1, 1), generator=generator)
        return (y_t - g.sqrt() * colour) / (1 - g).sqrt()

    return network


def test_tiles_that_disagree_are_of_one_colour() -> None:
    x = torch.zeros(1, 3, SIDE, SIDE)
    gammas = torch.tensor([0.01, 0.3, 0.9])
    noise = lambda k: torch.randn(x.shape, generator=torch.Generator().manual_seed(k))  # noqa: E731
    clip = lambda z: PICTURE.clip(z, x)  # noqa: E731
    drifts = {}
    for follows in (False, True):
        network = stubborn(torch.Generator().manual_seed(0), spread=0.2)
        denoise = tiled(network, x, plan(SIDE, SIDE, TILE, 4, stride=8), 4)
        coarse, hole = torch.full((1, 3, 32, 32), 0.2), torch.ones(1, 1, 32, 32)
        one = following(clip, PICTURE, x, whole, coarse, hole) if follows else clip
        blocks = functional.avg_pool2d(ddim(denoise, gammas, noise, one), TILE)
        drifts[follows] = float(blocks.std(dim=(2, 3)).mean())
    assert drifts[False] > 0.1
    assert drifts[True] < drifts[False] / 5


@pytest.mark.parametrize("target", [PICTURE, RESIDUAL])
def test_detail_and_agreement_are_left_alone(target: Any) -> None:
    """In picture space, whatever is diffused."""
    generator = torch.Generator().manual_seed(1)
    detail = torch.randn(1, 3, SIDE, SIDE, generator=generator)
    x = torch.rand(1, 4, SIDE, SIDE, generator=generator)  # with a mask channel
    coarse = functional.adaptive_avg_pool2d(detail, (32, 32))
    hole = torch.ones(1, 1, 32, 32)
    follow = following(lambda z: z, target, x, whole, coarse, hole)
    for shift in (0.0, 0.3):
        followed = target.decode(follow(target.encode(detail + shift, x)), x)
        torch.testing.assert_close(followed, detail, atol=1e-5, rtol=0)


def test_only_what_is_made_counts_in_a_hole() -> None:
    """Known pixels of any value, in the picture and in the reduced one, do not move the hole."""
    region = torch.zeros(1, 1, SIDE, SIDE)
    region[..., 30:77, 41:90] = 1
    hole = functional.adaptive_max_pool2d(region, (32, 32))
    known = torch.randn(1, 3, SIDE, SIDE)
    x0 = torch.where(region > 0, 0.7, known)
    coarse = torch.where(hole > 0, 0.1, torch.randn(1, 3, 32, 32))
    follow = following(lambda z: z, PICTURE, torch.zeros_like(x0), region, coarse, hole)
    made = follow(x0)
    torch.testing.assert_close(made[..., 30:77, 41:90], torch.full((1, 3, 47, 49), 0.1))
    torch.testing.assert_close(made, torch.where(region > 0, made, known))


def square_hole(height: int, width: int, top: int, left: int, side: int) -> Observation:
    picture = np.full((height, width, 3), 0.25, np.float32)
    mask = np.zeros((height, width), bool)
    mask[top : top + side, left : left + side] = True
    picture[mask] = 9.0  # what is there must not matter
    return Observation(picture, mask)


@pytest.mark.parametrize(
    ("side", "factor"), [(0, 1), (30, 1), (62, 1), (120, 120 / 2 / 20), (200, 200 / 2 / 20)]
)
def test_a_hole_is_reduced_to_what_was_trained(side: int, factor: float) -> None:
    """By its depth, the distance from its middle to the nearest known pixel, over the reach."""
    found = reduction(square_hole(300, 260, 20, 30, side), reach=20)
    assert found == pytest.approx(factor, rel=0.05)
    assert found == 1 or found > WORTH


def test_a_border_counts_from_the_side_that_is_known() -> None:
    """Uncropping: 60 pixels beyond the picture are as deep as a hole of 120."""
    observation = square_hole(100, 160, 0, 0, 0)
    assert observation.mask is not None
    observation.mask[:, 100:] = True
    assert reduction(observation, reach=20) == pytest.approx(3, rel=0.05)


def test_without_a_hole_and_without_anything_known_nothing_is_reduced(picture: np.ndarray) -> None:
    for mask in (None, np.zeros(picture.shape[:2], bool), np.ones(picture.shape[:2], bool)):
        assert reduction(Observation(picture, mask), reach=1) == 1


@pytest.mark.parametrize(("height", "width"), [(96, 160), (200, 72), (64, 64), (65, 131)])
@pytest.mark.parametrize("side", [1, 40])
def test_a_reduced_observation_keeps_its_hole(height: int, width: int, side: int) -> None:
    small = reduced(square_hole(height, width, 17, 33, side), 3.3)
    assert small.mask is not None
    assert small.mask.shape == small.picture.shape[:2] == (round(height / 3.3), round(width / 3.3))
    assert 1 <= small.mask.sum() <= math.ceil(side / 3.3 + 1) ** 2
    np.testing.assert_allclose(small.picture[~small.mask], 0.25, atol=1e-6)
    assert small.picture.max() <= 1
    assert small.picture.dtype == np.float32


def test_known_pixels_at_the_rim_of_a_hole_are_averaged_alone() -> None:
    observation = square_hole(64, 64, 30, 30, 9)  # no multiple of the factor
    small = reduced(observation, 4)
    assert small.mask is not None
    rim = small.mask & (small.picture[..., 0] > 0)
    assert rim.any()
    np.testing.assert_allclose(small.picture[rim], 0.25, atol=1e-5)


@pytest.mark.parametrize(("height", "width"), [(130, 200), (97, 101), (66, 300)])
def test_a_reduced_picture_shows_the_canvas_of_the_full_one(height: int, width: int) -> None:
    """Both are padded to the network's stride: what is at a place in one is there in the other."""
    stride = 8
    rows, columns = np.meshgrid(np.arange(height), np.arange(width), indexing="ij")
    picture = np.dstack([rows / height, columns / width, 0 * rows]).astype(np.float32)
    mask = np.zeros((height, width), bool)
    mask[5:9, 5:9] = True
    small = reduced(Observation(picture, mask), 3.7, stride)
    assert all(side % stride == 0 for side in small.picture.shape[:2])
    canvas = [side + -side % stride for side in (height, width)]
    for axis, side in enumerate((height, width)):
        length = small.picture.shape[axis]
        places = (np.arange(length) + 0.5) * canvas[axis] / length - 0.5
        seen = small.picture[-1, :, 1] if axis else small.picture[:, -1, 0]
        inside = places < side - 8  # beyond it is the reflection
        inside &= places > 12
        expected = places / side
        np.testing.assert_allclose(seen[inside], expected[inside], atol=1.5 / side)


@pytest.fixture
def batches(monkeypatch: pytest.MonkeyPatch) -> list[Batch]:
    """What is solved."""
    seen: list[Batch] = []
    solve = Solver.solve

    def noting(solver: Solver, batch: Batch) -> Any:
        seen.append(batch)
        return solve(solver, batch)

    monkeypatch.setattr(Solver, "solve", noting)
    return seen


def large_hole(side: int = 100) -> tuple[np.ndarray, np.ndarray]:
    picture = np.random.default_rng(0).random((132, 140, 3), dtype=np.float32)
    picture[..., 0] = np.arange(140) / 140
    mask = np.zeros((132, 140), bool)
    mask[10 : 10 + side, 12 : 12 + side] = True
    return picture, mask


def test_a_large_hole_is_first_solved_small(trained: dict[str, Path], batches: list[Batch]) -> None:
    """Its depth of 50 becomes that of half a training crop, 16."""
    model = palette.load(trained["inpainting"], precision="fp32", steps=2)
    picture, mask = large_hole()
    restored = model.restore(picture, mask=mask)
    (batch,) = batches
    assert batch.coarse is not None
    assert batch.coarse.coarse is None
    assert batch.coarse.region is not None
    ratio = batch.x.shape[-1] / batch.coarse.x.shape[-1]
    assert ratio == pytest.approx(50 / 16, rel=0.1)
    np.testing.assert_array_equal(restored[~mask], picture[~mask])
    # neither is padded: what is at a place in one is there in the other
    length = batch.coarse.x.shape[-1]
    places = (np.arange(length) + 0.5) * 140 / length - 0.5
    np.testing.assert_allclose(batch.coarse.x[0, 0, 0], 2 * places / 140 - 1, atol=0.5 / 140)
    # what is made follows what was made small
    small = model.solver.solve(batch.coarse)[0]
    cells = small.shape[0] // CELL, small.shape[1] // CELL
    means = [
        functional.adaptive_avg_pool2d(torch.from_numpy(one).permute(2, 0, 1)[None], cells)
        for one in (small, restored)
    ]
    assert batch.region is not None
    inside = functional.adaptive_avg_pool2d(batch.region, cells) == 1
    assert inside.sum() >= 4
    gap = (means[0] - means[1]).abs() * inside
    assert gap.max() < 0.05


def test_a_hole_as_in_training_is_not(trained: dict[str, Path], batches: list[Batch]) -> None:
    model = palette.load(trained["inpainting"], precision="fp32", steps=2)
    picture, mask = large_hole(side=40)
    model.restore(picture, mask=mask)
    palette.load(trained["colorization"], precision="fp32", steps=2).restore(picture)
    assert [batch.coarse for batch in batches] == [None, None]


def test_each_sample_has_a_reduced_picture_of_its_own(
    trained: dict[str, Path], batches: list[Batch]
) -> None:
    model = palette.load(trained["inpainting"], precision="fp32", steps=2, samples=2)
    picture, mask = large_hole()
    model.restore(picture, mask=mask)
    first, second = (batch.coarse for batch in batches)
    assert first is not None
    assert second is not None
    assert first.seeds != second.seeds
    assert {*first.seeds}.isdisjoint(batches[0].seeds)


def test_the_reduced_picture_is_tiled_where_it_is_large_too(
    trained: dict[str, Path], batches: list[Batch]
) -> None:
    model = palette.load(trained["inpainting"], precision="fp32", steps=2, tile=32)
    picture, mask = large_hole()
    sizes: list[tuple[int, ...]] = []
    model.solver.denoiser.register_forward_pre_hook(
        lambda _, inputs: sizes.append(tuple(inputs[0].shape))
    )
    restored = model.restore(picture, mask=mask)
    assert batches[0].coarse is not None
    assert batches[0].coarse.tile == 32
    assert {size[1] for size in sizes} == {4}  # the mask channel is cut into tiles as well
    assert max(max(size[2:]) for size in sizes) <= 32
    np.testing.assert_array_equal(restored[~mask], picture[~mask])
    assert np.isfinite(restored).all()
