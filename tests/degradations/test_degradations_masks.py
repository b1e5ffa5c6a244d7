"""Masks that are not statistics: centre, files, sizes."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.degradations.masks import Boxes, Centre, Hole, MaskFiles
from palette.seeding import rng
from palette.types import Picture, Spec


def noise_picture(height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_small_boxes_have_the_nearest_area() -> None:
    shape = Boxes()
    for side in (1, 2, 5):
        mask = shape.mask(shape.draw(Spec(side, side), rng(side)))
        assert 1 <= mask.sum() <= max(1, 0.6 * side * side)


def test_the_centre_is_in_the_middle() -> None:
    shape = Centre()
    mask = shape.mask(shape.draw(Spec(8, 12), rng(0)))
    expected = np.zeros((8, 12), bool)
    expected[2:6, 3:9] = True
    assert np.array_equal(mask, expected)


def test_masks_from_files_are_bright_where_missing(tmp_path: Path) -> None:
    grey = np.zeros((10, 20), np.uint8)
    grey[:5] = 255
    Image.fromarray(grey).save(tmp_path / "a.png")
    shape = MaskFiles.folder(tmp_path)
    seen, params = set(), shape.draw(Spec(30, 40), rng(0))
    for i in range(20):
        params = shape.draw(Spec(30, 40), rng(i))
        mask = shape.mask(params)
        assert mask.shape == (30, 40)
        assert mask[:15].all() != params["flip_rows"]
        assert mask.mean() == 0.5
        seen.add((params["flip_rows"], params["flip_columns"]))
    assert len(seen) == 4
    with pytest.raises(ValueError, match="no PNG masks in"):
        MaskFiles.folder(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="cannot read the mask"):
        shape.mask(params | {"file": str(tmp_path / "gone.png")})


def test_a_mask_of_another_size_is_refused() -> None:
    hole = Hole(Centre())
    params = hole.draw(Spec(8, 8), rng(0))
    with pytest.raises(ValueError, match=r"drawn for \(8, 8\), the picture is \(48, 64\)"):
        hole.apply(noise_picture(), params)
