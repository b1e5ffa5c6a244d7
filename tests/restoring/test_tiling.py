"""Tiles: they cover the canvas, fuse exactly, and change nothing where the network is local."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from live_memory import LiveMemory

import palette
from palette.machine.memory import bytes_per_pixel
from palette.restoring.sampling import Sampling
from palette.restoring.solve import Batch, Solver
from palette.restoring.tiling import automatic, halving, plan, tiled


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
        monkeypatch.setattr("palette.restoring.solve.BATCH_PIXELS", together * 32 * 32)
        results.append(restorer.restore(picture, **known))
    for result in results[1:]:
        np.testing.assert_array_equal(result, results[0])


def test_tiles_add_one_canvas() -> None:
    x = torch.zeros(1, 3, 256, 256)
    tiles = plan(256, 256, 32, 4, stride=8)
    denoise = tiled(lambda x, y_t, gamma: y_t * 1, x, tiles, 1)
    gamma = torch.ones(1)
    with torch.inference_mode(), LiveMemory([x, gamma]) as live:
        denoise(x, gamma)
    assert live.peak < 1.2 * 4 * x.numel()


def test_memory_chooses_the_tile(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    solver = palette.load(trained["jpeg-restoration"], precision="fp32").solver
    each = bytes_per_pixel(solver.denoiser.unet.architecture, torch.float32)

    def chosen(pixels: int, room_pixels: float) -> int | None:
        free = room_pixels * each + 8 * 12 * pixels
        monkeypatch.setattr("palette.restoring.solve.free_bytes", lambda device: free)
        return automatic(pixels, solver.room(pixels))

    assert chosen(1000**2, 1e9) is None
    assert chosen(2048**2, 1e9) == 512
    assert capsys.readouterr().err == ""
    assert chosen(1000**2, 600**2) == 512
    assert chosen(2048**2, 300**2) == 256
    assert "little free memory: tiles of 256" in capsys.readouterr().err
    assert chosen(2048**2, 0) == 64
    assert chosen(2048**2, math.inf) == 512


def test_memory_that_does_not_suffice_halves_the_tile(
    trained: dict[str, Path],
    picture: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    restorer = palette.load(trained["jpeg-restoration"], steps=2)
    solve, tiles = Solver.solve, []

    def scarce(solver: Solver, batch: Batch) -> np.ndarray:
        tiles.append(batch.tile)
        if len(tiles) < 3:
            raise torch.OutOfMemoryError
        return solve(solver, batch)

    monkeypatch.setattr(Solver, "solve", scarce)
    assert restorer.restore(picture).shape == picture.shape
    assert tiles == [None, 512, 256]
    assert "tiles of 256" in capsys.readouterr().err
    tiles.clear()
    with pytest.raises(torch.OutOfMemoryError):
        restorer.using(Sampling(tile=128)).restore(picture)  # a given tile is never overridden
    assert tiles == [128]


def test_tiles_are_halved_to_the_smallest_and_no_further() -> None:
    tried: list[int | None] = []

    def never(tile: int | None) -> int:
        tried.append(tile)
        raise MemoryError

    with pytest.raises(MemoryError):
        halving(never, None)
    assert tried == [None, 512, 256, 128, 64]
    with pytest.raises(RuntimeError, match="a bug"):
        halving(lambda tile: (_ for _ in ()).throw(RuntimeError("a bug")), None)


@pytest.mark.parametrize("scarce", ["estimate", "allocation"])
def test_little_memory_takes_a_batch_apart(
    scarce: str, trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two pictures at once, as on a GPU: by the estimate no room, or an allocation that fails."""
    restorer = palette.load(trained["jpeg-restoration"], precision="fp32", steps=2)
    pictures = [np.random.default_rng(i).random((80, 80, 3), dtype=np.float32) for i in range(2)]
    sizes = []
    solve = Solver.solve

    def counting(solver: Solver, batch: Batch) -> np.ndarray:
        sizes.append((len(batch.seeds), batch.tile))
        if scarce == "allocation" and len(batch.seeds) > 1:
            raise torch.OutOfMemoryError
        return solve(solver, batch)

    apart = restorer.restore(pictures)
    monkeypatch.setattr(Solver, "solve", counting)
    monkeypatch.setattr("palette.restoring.restorer.together", lambda *_: 2)
    if scarce == "estimate":
        monkeypatch.setattr("palette.restoring.solve.free_bytes", lambda device: 0.0)
    restored = restorer.restore(pictures)
    assert [picture.shape for picture in restored] == [(80, 80, 3)] * 2
    if scarce == "estimate":
        assert sizes == [(1, 64), (1, 64)]
    else:
        assert sizes == [(2, None), (1, None), (1, None)]
        np.testing.assert_array_equal(restored, apart)
