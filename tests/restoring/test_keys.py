"""Noise belongs to what is known of a picture and to the seed, and to nothing else."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import palette
from palette.data.images import write
from palette.restoring.keys import noise_key
from palette.restoring.restorer import Restorer
from palette.types import Observation


@pytest.fixture(scope="module")
def jpeg(trained: dict[str, Path]) -> Restorer:
    return palette.load(trained["jpeg-restoration"], precision="fp32", steps=2)


def test_what_is_known_decides_the_key(picture: np.ndarray) -> None:
    hole = np.zeros(picture.shape[:2], bool)
    hole[3:9, 5:20] = True
    dirty = np.where(hole[..., None], np.float32(0.3), picture)
    key = noise_key(Observation(picture), 0)
    assert key == noise_key(Observation(picture.copy()), 0)
    rounded = np.nextafter(picture, np.float32(2), dtype=np.float32).clip(max=1)
    assert key == noise_key(Observation(rounded), 0)
    others = {
        noise_key(Observation(picture), 1),
        noise_key(Observation(dirty), 0),
        noise_key(Observation(picture[:, ::-1]), 0),
        noise_key(Observation(picture.reshape(56, 40, 3)), 0),
        noise_key(Observation(picture, hole), 0),
        noise_key(Observation(picture, ~hole), 0),
        key,
    }
    assert len(others) == 7
    assert noise_key(Observation(picture, hole), 0) == noise_key(Observation(dirty, hole), 0)


def test_file_list_folder_and_name_give_one_picture(
    jpeg: Restorer, picture: np.ndarray, tmp_path: Path
) -> None:
    other = picture[::-1].copy()
    for name, one in (("a", other), ("b", picture), ("deep/c", picture)):
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        write(tmp_path / "in" / f"{name}.png", one)
    alone = np.asarray(jpeg.restore(tmp_path / "in" / "b.png", seed=4))
    listed = jpeg.restore([tmp_path / "in" / "a.png", tmp_path / "in" / "b.png"], seed=4)
    list(jpeg.restore_folder(tmp_path / "in", tmp_path / "out", seed=4))
    floats = jpeg.restore(picture, seed=4)
    np.testing.assert_array_equal(np.asarray(listed[1]), alone)
    np.testing.assert_array_equal(np.rint(floats * 255).astype(np.uint8), alone)
    for name in ("b", "deep/c"):
        np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / f"out/{name}.png")), alone)
    assert np.abs(np.asarray(listed[0])[::-1].astype(int) - alone).max() > 0
