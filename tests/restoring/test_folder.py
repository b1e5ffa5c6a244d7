"""Folders of pictures: streamed, resumable, inputs untouched, outputs complete or absent."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import palette
from palette.data.images import read, write
from palette.restoring.folder import restore_folder
from palette.restoring.job import Job
from palette.restoring.restorer import Restorer
from palette.shard import Shard


@pytest.fixture(scope="module")
def jpeg(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["jpeg-restoration"], precision="fp32", steps=3)


@pytest.fixture
def inbox(photos: Path, tmp_path: Path) -> Path:
    shutil.copytree(photos, tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_text("not a picture")
    return tmp_path / "in"


def contents(folder: Path) -> dict[str, bytes]:
    return {str(p.relative_to(folder)): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_folder_is_restored_whatever_fails(jpeg: Restorer, inbox: Path, tmp_path: Path) -> None:
    before = contents(inbox)
    results = list(jpeg.restore_folder(inbox, tmp_path / "out"))
    assert contents(inbox) == before
    failed = [result for result in results if result.error]
    assert [result.source.name for result in failed] == ["broken.png"]
    assert "broken.png" in str(failed[0].error)
    made = {str(p.relative_to(tmp_path / "out")) for p in (tmp_path / "out").rglob("*.png")}
    assert made == {f"{'ab'[i % 2]}/photo-{i}.png" for i in range(6)}
    lines = (tmp_path / "out" / "palette-restored.jsonl").read_text().splitlines()
    (failure,) = [line for line in map(json.loads, lines) if "error" in line]
    assert failure["target"] == "broken.png"
    assert "broken.png" in failure["error"]
    assert len(lines) == 7
    for result in results:
        if not result.error:
            assert read(result.target).picture.shape == read(result.source).picture.shape


def test_an_interrupted_folder_continues_to_the_same_bytes(
    jpeg: Restorer, inbox: Path, tmp_path: Path
) -> None:
    list(jpeg.restore_folder(inbox, tmp_path / "whole"))
    for _, result in zip(range(3), jpeg.restore_folder(inbox, tmp_path / "part"), strict=False):
        assert not result.skipped
    again = list(jpeg.restore_folder(inbox, tmp_path / "part"))
    assert sum(result.skipped for result in again) == 3
    assert contents(tmp_path / "whole") == contents(tmp_path / "part")


def test_shards_make_the_whole(jpeg: Restorer, inbox: Path, tmp_path: Path) -> None:
    list(jpeg.restore_folder(inbox, tmp_path / "whole"))
    for i in range(2):
        list(restore_folder(jpeg, Job([inbox], tmp_path / "shards", shard=Shard(i, 2))))
    whole, shards = (
        {k: v for k, v in contents(tmp_path / name).items() if k.endswith(".png")}
        for name in ("whole", "shards")
    )
    assert whole == shards


def test_folders_that_would_lose_something_are_refused(
    jpeg: Restorer, inbox: Path, tmp_path: Path
) -> None:
    with pytest.raises(ValueError, match="folder of the inputs"):
        list(jpeg.restore_folder(inbox, inbox))
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "precious.txt").write_text("x")
    with pytest.raises(ValueError, match="not empty"):
        list(jpeg.restore_folder(inbox, tmp_path / "full"))
    list(jpeg.restore_folder(inbox, tmp_path / "out"))
    with pytest.raises(ValueError, match="seed was 0 and is 1"):
        list(jpeg.restore_folder(inbox, tmp_path / "out", seed=1))
    write(inbox / "a" / "photo-0.jpg", read(inbox / "a" / "photo-0.png").picture)
    with pytest.raises(ValueError, match="would both become"):
        list(jpeg.restore_folder(inbox, tmp_path / "other"))


def test_depth_and_alpha_are_kept(jpeg: Restorer, picture: np.ndarray, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    alpha = np.linspace(0, 1, picture.shape[1], dtype=np.float32)[None].repeat(40, axis=0)
    write(tmp_path / "in" / "deep.png", picture, alpha, bit_depth=16)
    list(jpeg.restore_folder(tmp_path / "in", tmp_path / "out"))
    photo = read(tmp_path / "out" / "deep.png")
    assert photo.bit_depth == 16
    assert photo.alpha is not None
    np.testing.assert_allclose(photo.alpha, alpha, atol=1e-4)
