"""Masks and borders that are soft, named by their file, or cannot be."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palette.data.images import write
from palette.restoring.holes import observe, to_mask
from palette.restoring.pictures import to_photo
from palette.tasks import TASKS

SIZE = (6, 9)
PICTURE = np.zeros((*SIZE, 3), np.float32)
UNCROPPING = TASKS["uncropping"]()


def test_a_soft_mask_says_what_holds(tmp_path: Path) -> None:
    ramp = np.linspace(0, 1, 9, dtype=np.float32)[None].repeat(6, axis=0)
    with pytest.warns(UserWarning, match="the mask is soft, 78% of it is grey: .* half white"):
        missing = to_mask(ramp, SIZE)
    np.testing.assert_array_equal(missing, ramp >= 0.5)
    write(tmp_path / "mask.png", np.dstack([ramp] * 3))
    with pytest.warns(UserWarning, match=r"mask\.png is soft"):
        to_mask(tmp_path / "mask.png", SIZE)


def test_a_smoothed_edge_is_not_soft() -> None:
    mask = np.zeros((60, 90), np.float32)
    mask[:30] = 1
    mask[30, :50] = 0.5
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        to_mask(mask, (60, 90))


def test_the_file_of_a_mask_is_named(tmp_path: Path) -> None:
    write(tmp_path / "dark.png", PICTURE + np.float32(0.2))
    with pytest.raises(ValueError, match=r"dark\.png marks nothing"):
        to_mask(tmp_path / "dark.png", SIZE)
    with pytest.raises(ValueError, match=r"dark\.png: .*9×6 pixels and the picture 6×9"):
        to_mask(tmp_path / "dark.png", (9, 6))


@pytest.mark.parametrize(
    "extend", [8, (8,), (8, 8, 8), (-1, 0, 0, 8), (0, 0, 0, 0), (0.5, 0, 0, 8), "8888"]
)
def test_extensions_that_cannot_be(extend: Any) -> None:
    with pytest.raises(ValueError, match=r"extend is .*left, top, right and bottom"):
        observe(to_photo(PICTURE), UNCROPPING, extend=extend)


def test_extensions_of_numpy() -> None:
    left, top, right, bottom = np.array([1, 2, 3, 4])
    _, observation = observe(to_photo(PICTURE), UNCROPPING, extend=(left, top, right, bottom))
    assert observation.picture.shape == (12, 13, 3)
