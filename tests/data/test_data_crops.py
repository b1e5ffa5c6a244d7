"""Crops: what they may show, and that they depend on their generator alone."""

from __future__ import annotations

import os
import subprocess
import sys

import albumentations as A
import numpy as np
import pytest

from palette.data.crops import Crops
from palette.seeding import rng


def coordinates(height: int, width: int) -> np.ndarray:
    """A picture whose pixels say where they are: row / 1000, column / 1000, 0."""
    y, x = np.mgrid[:height, :width] / 1000
    return np.stack([y, x, np.zeros_like(x)], -1).astype(np.float32)


def placed(crop: np.ndarray) -> tuple[int, int, bool]:
    """Row and column of the crop's first true column, and whether it is mirrored."""
    left, right = crop[0, 0, 1], crop[0, -1, 1]
    return round(crop[0, 0, 0] * 1000), round(min(left, right) * 1000), bool(left > right)


def test_crops_are_windows_of_the_picture() -> None:
    picture = coordinates(40, 70)
    before = picture.copy()
    for i in range(50):
        crop = Crops(16).crop(picture, rng(0, i))
        assert crop.shape == (16, 16, 3)
        assert crop.dtype == np.float32
        assert crop.flags.c_contiguous
        y, x, mirrored = placed(crop)
        window = picture[y : y + 16, x : x + 16]
        np.testing.assert_array_equal(crop, window[:, ::-1] if mirrored else window)
    np.testing.assert_array_equal(picture, before)


def test_crops_depend_on_their_generator_alone() -> None:
    picture = coordinates(60, 60)
    crops = [Crops(8).crop(picture, rng(3, i)) for i in range(20)]
    np.random.seed(1)
    for i in reversed(range(20)):
        np.testing.assert_array_equal(Crops(8).crop(picture, rng(3, i)), crops[i])
    assert len({crop.tobytes() for crop in crops}) > 15


def test_positions_and_flips_are_uniform_and_independent() -> None:
    picture = coordinates(24, 39)
    count = 4000
    found = np.array([placed(Crops(8).crop(picture, rng(1, i))) for i in range(count)])
    for column, places in [(0, 17), (1, 32), (2, 2)]:
        observed = np.bincount(found[:, column], minlength=places)
        assert len(observed) == places
        expected = count / places
        chi2 = ((observed - expected) ** 2 / expected).sum()
        assert chi2 < places - 1 + 5 * np.sqrt(2 * (places - 1))
    # With one seed for all transforms, row and flip had a correlation of −0.87.
    correlation = np.corrcoef(found.T)
    assert np.abs(correlation - np.eye(3)).max() < 4.5 / np.sqrt(count)


def test_without_flips_nothing_is_mirrored() -> None:
    picture = coordinates(20, 20)
    assert not any(placed(Crops(8, flips=False).crop(picture, rng(0, i)))[2] for i in range(40))


@pytest.mark.parametrize("size", [(1, 1), (1, 200), (200, 1), (5, 7), (15, 16), (16, 15), (16, 16)])
def test_small_pictures_are_continued_by_reflection(size: tuple[int, int]) -> None:
    picture = coordinates(*size)
    crop = Crops(16, flips=False).crop(picture, rng(0, 0))
    assert crop.shape == (16, 16, 3)
    known = {p.tobytes() for p in picture.reshape(-1, 3)}
    assert {p.tobytes() for p in crop.reshape(-1, 3)} <= known
    rows, columns = np.rint(crop[:, 0, 0] * 1000), np.rint(crop[0, :, 1] * 1000)
    for line, length in [(rows, size[0]), (columns, size[1])]:
        steps = np.abs(np.diff(line))
        assert (steps == (0 if length == 1 else 1)).all()


@pytest.mark.parametrize("kind", [np.uint8, np.uint16])
@pytest.mark.parametrize("size", [(5, 7), (40, 50)])
def test_stored_values_are_cropped_like_float32(kind: type, size: tuple[int, int]) -> None:
    highest = np.iinfo(kind).max
    stored = np.random.default_rng(0).integers(0, highest + 1, (*size, 3)).astype(kind)
    crop = Crops(16).crop(stored, rng(0, 5))
    assert crop.dtype == kind
    picture = np.divide(stored, np.float32(highest), dtype=np.float32)
    expected = Crops(16).crop(picture, rng(0, 5))
    np.testing.assert_array_equal(np.divide(crop, np.float32(highest), dtype=np.float32), expected)


def test_a_crop_of_everything_is_a_copy() -> None:
    picture = coordinates(16, 16)
    crop = Crops(16, flips=False).crop(picture, rng(0, 0))
    crop[:] = 1
    np.testing.assert_array_equal(picture, coordinates(16, 16))


def test_a_size_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match=r"0.*1 pixel"):
        Crops(0)


def test_an_argument_that_albumentations_does_not_know_is_an_error(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    original = A.RandomCrop

    def renamed(height: int, width: int) -> A.RandomCrop:
        return original(height=height, width=width, flavour="sweet")  # type: ignore[call-arg]

    monkeypatch.setattr(A, "RandomCrop", renamed)
    with pytest.raises(UserWarning, match="flavour"):
        Crops(11).crop(coordinates(20, 20), rng(0, 0))


def test_the_import_waits_for_the_first_crop_and_asks_no_network() -> None:
    script = (
        "import os, sys; from palette.data.crops import Crops;"
        "assert not {'albumentations', 'cv2'} & set(sys.modules);"
        "import numpy as np;"
        "Crops(2).crop(np.zeros((3, 3, 3), np.float32), np.random.default_rng(0));"
        "assert os.environ['NO_ALBUMENTATIONS_UPDATE'] == '1'"
    )
    env = {k: v for k, v in os.environ.items() if k != "NO_ALBUMENTATIONS_UPDATE"}
    subprocess.run([sys.executable, "-c", script], check=True, env=env)
