"""Restoring: kinds in and out, any size, batches, holes, folders, faults."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import palette
from palette.data.images import read, write
from palette.errors import IntegrityError
from palette.restoring.folder import restore_folder
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.types import Observation


@pytest.fixture(scope="module")
def jpeg(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["jpeg-restoration"], precision="fp32", steps=3)


@pytest.fixture(scope="module")
def inpainting(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["inpainting"], precision="fp32", steps=3)


def test_the_same_kind_comes_back(jpeg: Restorer, picture: np.ndarray, tmp_path: Path) -> None:
    eight = np.rint(picture * 255).astype(np.uint8)
    expected = jpeg.restore(eight)
    assert expected.dtype == np.uint8
    assert expected.shape == eight.shape
    write(tmp_path / "a.png", picture)
    for kind in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(eight)):
        restored = jpeg.restore(kind)
        assert isinstance(restored, Image.Image)
        np.testing.assert_array_equal(np.asarray(restored), expected)
    floats = jpeg.restore(picture)
    assert floats.dtype == np.float32
    np.testing.assert_array_equal(np.rint(floats * 255).astype(np.uint8), expected)
    tensor = jpeg.restore(torch.from_numpy(picture).permute(2, 0, 1))
    np.testing.assert_array_equal(tensor.permute(1, 2, 0).numpy(), floats)
    deep = jpeg.restore(eight.astype(np.uint16) * 257)
    assert deep.dtype == np.uint16
    several = jpeg.restore([eight, eight])
    np.testing.assert_array_equal(several[0], expected)
    assert np.abs(several[1].astype(int) - expected).max() > 0  # another picture, another noise


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (5, 3), (33, 31), (64, 64)])
@pytest.mark.parametrize("answer", ["mean", "sample"])
def test_any_size(jpeg: Restorer, size: tuple[int, int], answer: str) -> None:
    picture = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    restored = jpeg.restore(picture, answer=answer)  # type: ignore[arg-type]
    assert restored.shape == picture.shape
    assert np.isfinite(restored).all()


def test_a_batch_gives_what_its_pictures_give_alone(jpeg: Restorer) -> None:
    draws = np.random.default_rng(0)
    sizes = [(24, 24), (24, 24), (20, 28), (24, 24)]
    observed = [Observation(draws.random((*s, 3), dtype=np.float32)) for s in sizes]
    seeds = [3, 5, 7, 11]
    together = jpeg.restore_observations(observed, "sample", seeds=seeds)
    for observation, seed, picture in zip(observed, seeds, together, strict=True):
        (alone,) = jpeg.restore_observations([observation], "sample", seeds=[seed])
        np.testing.assert_allclose(alone, picture, atol=1e-5)


def test_seeds_decide_samples(jpeg: Restorer, picture: np.ndarray) -> None:
    first = jpeg.restore(picture, seed=1)
    np.testing.assert_array_equal(first, jpeg.restore(picture, seed=1))
    assert np.abs(first - jpeg.restore(picture, seed=2)).max() > 0.01


def test_samples_average(trained: dict[str, Path], picture: np.ndarray) -> None:
    """The mean of n samples of a seed begins with the sample of that seed."""
    one, four = (
        palette.load(trained["jpeg-restoration"], samples=n).restore(picture) for n in (1, 4)
    )
    mean = palette.load(trained["jpeg-restoration"], answer="mean").restore(picture)
    assert np.square(four - mean).mean() < 0.6 * np.square(one - mean).mean()


def test_super_resolution_multiplies_the_size(trained: dict[str, Path]) -> None:
    restorer = palette.load(trained["super-resolution"], answer="mean")
    small = np.zeros((7, 11, 4), np.uint8)
    assert restorer.restore(small).shape == (28, 44, 4)


def test_known_pixels_stay(inpainting: Restorer, picture: np.ndarray) -> None:
    hole = np.zeros(picture.shape[:2], bool)
    hole[10:20, 15:40] = True
    for answer in ("mean", "sample"):
        restored = inpainting.restore(picture, mask=hole, answer=answer)
        np.testing.assert_array_equal(restored[~hole], picture[~hole])
        assert np.abs(restored[hole] - picture[hole]).max() > 0.01
    as_picture = Image.fromarray(hole.astype(np.uint8) * 255)
    np.testing.assert_array_equal(
        inpainting.restore(picture, mask=as_picture), inpainting.restore(picture, mask=hole)
    )


def test_transparency_is_a_hole(inpainting: Restorer, picture: np.ndarray) -> None:
    hole = np.zeros(picture.shape[:2], bool)
    hole[5:15] = True
    layers = np.dstack([picture, 1 - hole.astype(np.float32)])
    np.testing.assert_array_equal(
        inpainting.restore(layers), inpainting.restore(picture, mask=hole)
    )


def test_uncropping_extends(trained: dict[str, Path], picture: np.ndarray) -> None:
    restorer = palette.load(trained["uncropping"])
    restored = restorer.restore(picture, extend=(8, 0, 4, 12))
    assert restored.shape == (40 + 12, 56 + 12, 3)
    np.testing.assert_array_equal(restored[:40, 8:64], picture)


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        (np.zeros((4, 4, 2), np.uint8), r"\(4, 4, 2\)"),
        (np.zeros((4, 4, 3), np.int32), "int32"),
        (np.full((4, 4, 3), 255.0), r"\[255, 255\]"),
        (np.full((4, 4, 3), np.nan), "nan"),
        (torch.zeros(2, 3, 4, 4), "as a list"),
        (17, "int"),
        ("no/such/file.png", "no/such/file.png"),
    ],
)
def test_bad_pictures_are_named(jpeg: Restorer, bad: object, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        jpeg.restore(bad)


def test_bad_masks_are_named(inpainting: Restorer, jpeg: Restorer, picture: np.ndarray) -> None:
    with pytest.raises(ValueError, match="5×4 pixels and the picture 56×40"):
        inpainting.restore(picture, mask=np.zeros((4, 5), bool))
    with pytest.raises(ValueError, match="give a mask"):
        inpainting.restore(picture)
    with pytest.raises(ValueError, match="fills no holes"):
        jpeg.restore(picture, mask=np.zeros(picture.shape[:2], bool))
    with pytest.raises(ValueError, match="extend"):
        inpainting.restore(picture, extend=(0, 0, 0, 0))


@pytest.mark.parametrize(
    ("field", "value"),
    [("answer", "best"), ("steps", 0), ("sampler", "dimm"), ("grid", "linear"), ("samples", 0)],
)
def test_bad_sampling_is_named(field: str, value: object) -> None:
    with pytest.raises(ValueError, match=str(value)):
        Sampling(**{field: value})  # type: ignore[arg-type]


@pytest.fixture
def inbox(photos: Path, tmp_path: Path) -> Path:
    import shutil

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
    manifest = json.loads((tmp_path / "out" / "palette-restored.json").read_text())
    assert [p["source"] for p in manifest["pictures"] if p["error"]] == ["broken.png"]
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
        list(restore_folder(jpeg, inbox, tmp_path / "shards", shard=(i, 2)))
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
    with pytest.raises(ValueError, match="another model, seed or sampling"):
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


def test_a_damaged_model_is_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained["colorization"] / "model", tmp_path / "model")
    weights = tmp_path / "model" / "weights.safetensors"
    data = bytearray(weights.read_bytes())
    data[-100] ^= 1
    weights.write_bytes(data)
    with pytest.raises(IntegrityError, match="SHA-256"):
        palette.load(tmp_path / "model")
    weights.write_bytes(data[:-50])
    with pytest.raises(IntegrityError):
        palette.load(tmp_path / "model")
    weights.unlink()
    with pytest.raises(IntegrityError, match="missing"):
        palette.load(tmp_path / "model")
    with pytest.raises(ValueError, match="holds no model"):
        palette.load(tmp_path / "nothing")


def test_a_model_of_a_newer_version_is_refused(trained: dict[str, Path], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(trained["colorization"] / "model", tmp_path / "model")
    info = json.loads((tmp_path / "model" / "model.json").read_text())
    (tmp_path / "model" / "model.json").write_text(json.dumps({**info, "schema": 999}))
    with pytest.raises(IntegrityError, match="update palette"):
        palette.load(tmp_path / "model")
