"""Stored values and floats: every stored value survives, and rounding is to the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from palette.data.sources import BundledSource
from palette.data.stored import BitDepth, from_stored, is_grey, to_stored


@pytest.mark.parametrize(("bit_depth", "kind"), [(8, np.uint8), (16, np.uint16)])
def test_every_stored_value_survives(bit_depth: BitDepth, kind: type) -> None:
    stored = np.arange(2**bit_depth).astype(kind)
    floats = from_stored(stored)
    assert floats.dtype == np.float32
    assert (floats[0], floats[-1]) == (0, 1)
    again = to_stored(floats, bit_depth)
    assert again.dtype == kind
    np.testing.assert_array_equal(again, stored)
    step = np.float32(0.4 / (2**bit_depth - 1))
    np.testing.assert_array_equal(to_stored(floats[1:] - step, bit_depth), stored[1:])


def test_floats_come_back_as_they_are() -> None:
    floats = np.linspace(0, 1, 7, dtype=np.float32)
    assert from_stored(floats) is floats


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.float32])
def test_a_picture_without_colours_is_grey(kind: type) -> None:
    """Whatever it is stored as; specks of a codec and of one level of 8 bits do not count."""
    draws = np.random.default_rng(0)

    def stored(unit: np.ndarray) -> np.ndarray:
        return unit.astype(kind) if kind is np.float32 else (unit * np.iinfo(kind).max).astype(kind)

    one = draws.random((40, 60, 1)) * 0.9
    grey = np.repeat(one, 3, axis=2)
    assert is_grey(stored(grey))
    specks = grey.copy()
    specks[..., 0] += 0.03 * (draws.random((40, 60)) < 0.05)
    assert is_grey(stored(specks))
    tinted = grey + np.array([0.0, 0.01, 0.02])
    assert not is_grey(stored(tinted))
    assert not is_grey(stored(draws.random((40, 60, 3))))
    assert is_grey(stored(np.zeros((1, 1, 3))))


def test_the_grey_pictures_of_the_bundled_ones_are_known() -> None:
    source = BundledSource()
    grey = {name for i, name in enumerate(source.ids) if is_grey(source.stored(i))}
    assert grey == {"camera", "brick", "grass", "gravel", "moon", "coins"}
