"""Restoring: what comes in and goes out, any size, lists, holes, faults."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

import palette
from palette.data.images import write
from palette.errors import IntegrityError
from palette.restoring.restorer import Restorer
from palette.restoring.solve import Batch, Solver
from palette.types import Observation


@pytest.fixture(scope="module")
def jpeg(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["jpeg-restoration"], precision="fp32", steps=3)


@pytest.fixture(scope="module")
def inpainting(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["inpainting"], precision="fp32", steps=3)


def test_the_same_type_comes_back(jpeg: Restorer, picture: np.ndarray, tmp_path: Path) -> None:
    eight = np.rint(picture * 255).astype(np.uint8)
    expected = jpeg.restore(eight)
    assert expected.dtype == np.uint8
    assert expected.shape == eight.shape
    write(tmp_path / "a.png", picture)
    for value in (tmp_path / "a.png", str(tmp_path / "a.png"), Image.fromarray(eight)):
        restored = jpeg.restore(value)
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
    for one in several:
        np.testing.assert_array_equal(one, expected)


@pytest.mark.parametrize("size", [(1, 1), (1, 37), (5, 3), (33, 31), (64, 64)])
@pytest.mark.parametrize("answer", ["mean", "sample"])
def test_any_size(jpeg: Restorer, size: tuple[int, int], answer: str) -> None:
    picture = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    restored = jpeg.restore(picture, answer=answer)  # type: ignore[arg-type]
    assert restored.shape == picture.shape
    assert np.isfinite(restored).all()


def test_a_list_gives_what_its_pictures_give_alone(jpeg: Restorer) -> None:
    draws = np.random.default_rng(0)
    sizes = [(24, 24), (24, 24), (20, 28), (24, 24)]
    observed = [Observation(draws.random((*s, 3), dtype=np.float32)) for s in sizes]
    seeds = [3, 5, 7, 11]
    together = jpeg.restore_observations(observed, "sample", seeds=seeds)
    for observation, seed, picture in zip(observed, seeds, together, strict=True):
        (alone,) = jpeg.restore_observations([observation], "sample", seeds=[seed])
        np.testing.assert_array_equal(alone, picture)


ALONE_AND_TOGETHER = """
import sys
import numpy as np
import palette
from palette.types import Observation

draws = np.random.default_rng(0)
pictures = [draws.random((*s, 3), dtype=np.float32) for s in [(40, 56)] * 3 + [(24, 24)] * 2]
holes = [np.ones(p.shape[:2], bool) for p in pictures]
for run in sys.argv[1:]:
    for choices in ({"precision": "fp32"}, {"precision": "bf16"}, {"tile": 32}):
        model = palette.load(run, **{"precision": "fp32", "steps": 3, **choices})
        masks = holes if model.task.masked else [None] * len(pictures)
        observed = [Observation(*both) for both in zip(pictures, masks)]
        together = model.restore_observations(observed)
        for i, one in enumerate(observed):
            (alone,) = model.restore_observations([one])
            assert np.array_equal(alone, together[i]), (run, choices, i)
"""


@pytest.mark.parametrize("isa", [None, "AVX2", "AVX512_CORE"])
def test_the_bits_do_not_depend_on_the_list_whatever_the_kernels(
    isa: str | None, trained: dict[str, Path]
) -> None:
    """The library of kernels takes others for a batch of one, and for each instruction set."""
    environment = {k: v for k, v in os.environ.items() if k != "ONEDNN_MAX_CPU_ISA"}
    environment |= {"ONEDNN_MAX_CPU_ISA": isa} if isa else {}
    runs = [str(trained[task]) for task in ("jpeg-restoration", "inpainting")]
    command = [sys.executable, "-c", ALONE_AND_TOGETHER, *runs]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_seeds_decide_samples(jpeg: Restorer, picture: np.ndarray) -> None:
    first = jpeg.restore(picture, seed=1)
    np.testing.assert_array_equal(first, jpeg.restore(picture, seed=1))
    assert np.abs(first - jpeg.restore(picture, seed=2)).max() > 0.01


def test_the_mean_of_samples_is_theirs(
    trained: dict[str, Path], picture: np.ndarray, monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = palette.load(trained["jpeg-restoration"], precision="fp32", steps=2, samples=3)
    single, solve = [], Solver.solve

    def noting(solver: Solver, batch: Batch) -> np.ndarray:
        single.append(solve(solver, batch))
        return single[-1].copy()

    monkeypatch.setattr(Solver, "solve", noting)
    mean = restorer.restore(picture)
    assert len(single) == 3
    np.testing.assert_array_equal(mean, np.mean(single, axis=0)[0])


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
