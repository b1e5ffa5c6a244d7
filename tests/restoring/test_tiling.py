"""Tiles: they cover the canvas, fuse exactly, and change nothing where the network is local."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import palette
from palette.restoring.sampling import Sampling
from palette.restoring.tiling import plan, tiled


@pytest.mark.parametrize("length", [8, 64, 72, 128, 1000, 2048])
@pytest.mark.parametrize(("tile", "overlap"), [(64, 8), (64, 24), (512, 64)])
def test_tiles_cover_and_overlap(length: int, tile: int, overlap: int) -> None:
    tiles = plan(length, length, tile, overlap, stride=8)
    covered = torch.zeros(length, dtype=torch.int64)
    for top in tiles.tops:
        assert top % 8 == 0
        covered[top : top + tiles.height] += 1
    assert tiles.height <= tile
    assert covered.min() >= 1
    shared = [a + tiles.height - b for a, b in zip(tiles.tops, tiles.tops[1:], strict=False)]
    assert all(pixels >= overlap for pixels in shared)
    assert tiles.tops[-1] + tiles.height == length


def test_the_overhead_at_2048() -> None:
    tiles = plan(2048, 2048, 512, 64, stride=8)
    assert len(tiles) * tiles.height * tiles.width / 2048**2 <= 1.4


@pytest.mark.parametrize(
    ("tile", "message"), [(60, "multiple of 8"), (0, "multiple of 8"), (16, "twice the overlap")]
)
def test_bad_tiles_are_refused(tile: int, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        plan(64, 64, tile, 8, stride=8)


@pytest.mark.parametrize("batch", [1, 2, 3, 100])
def test_a_network_without_neighbours_sees_no_tiles(batch: int) -> None:
    x, y_t = torch.randn(1, 3, 72, 136), torch.randn(1, 3, 72, 136)
    network = lambda x, y_t, gamma: torch.tanh(x) * y_t + gamma[:, None, None, None]  # noqa: E731
    denoise = tiled(network, x, plan(72, 136, 64, 8, stride=8), batch)
    gamma = torch.tensor([0.3])
    torch.testing.assert_close(denoise(y_t, gamma), network(x, y_t, gamma))


def test_where_tiles_disagree_they_blend_smoothly() -> None:
    """Each tile answers with its own number: across a seam the change is spread over it."""
    x = torch.zeros(1, 3, 64, 120)
    answers = iter([0.0, 1.0])
    network = lambda x, y_t, gamma: torch.full_like(y_t, next(answers))  # noqa: E731
    tiles = plan(64, 120, 64, 8, stride=8)
    blended = tiled(network, x, tiles, 1)(x, torch.tensor([0.5]))[0, 0, 0]
    assert blended[0] == 0
    assert blended[-1] == 1
    assert blended.diff().min() >= 0
    assert blended.diff().max() < 0.25


def test_restoring_in_tiles(trained: dict[str, Path], picture: np.ndarray) -> None:
    for task in ("jpeg-restoration", "inpainting", "super-resolution"):
        mask = np.zeros(picture.shape[:2], bool) if task == "inpainting" else None
        if mask is not None:
            mask[5:30, 10:50] = True
        settings = {"answer": "sample", "steps": 3, "precision": "fp32"}
        whole = palette.load(trained[task], **settings).restore(picture, mask=mask)
        parts = palette.load(trained[task], tile=32, **settings).restore(picture, mask=mask)
        assert parts.shape == whole.shape
        assert np.isfinite(parts).all()
        # group norms see less of the picture, the noise is the same
        assert np.abs(parts - whole).mean() < 0.1


@pytest.mark.parametrize("task", ["super-resolution", "inpainting", "uncropping", "colorization"])
def test_batches_of_tiles_change_nothing(
    task: str, trained: dict[str, Path], picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = palette.load(trained[task], tile=32, steps=3, precision="fp32")
    known: dict[str, Any] = {}
    if task == "inpainting":
        known["mask"] = np.zeros(picture.shape[:2], bool)
        known["mask"][2:38, 4:50] = True  # larger than a tile
    if task == "uncropping":
        known["extend"] = (40, 0, 9, 3)
    results = []
    for together in (1, 2, 3, 100):
        monkeypatch.setattr("palette.restoring.restorer.BATCH_PIXELS", together * 32 * 32)
        results.append(restorer.restore(picture, **known))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_memory_that_does_not_suffice_halves_the_tile(
    trained: dict[str, Path], picture: np.ndarray, capsys: pytest.CaptureFixture[str]
) -> None:
    restorer = palette.load(trained["jpeg-restoration"], steps=2)
    run, tiles = restorer._run, []

    def scarce(*args: object) -> np.ndarray:
        tiles.append(args[-1])
        if len(tiles) < 3:
            raise torch.OutOfMemoryError
        return run(*args)  # type: ignore[arg-type]

    restorer._run = scarce  # type: ignore[method-assign, assignment]
    assert restorer.restore(picture).shape == picture.shape
    assert tiles == [None, 512, 256]
    assert "tiles of 256" in capsys.readouterr().err
    tiles.clear()
    restorer.sampling = Sampling(tile=128)
    with pytest.raises(torch.OutOfMemoryError):
        restorer.restore(picture)  # an explicit tile is never overridden
    assert tiles == [128]
