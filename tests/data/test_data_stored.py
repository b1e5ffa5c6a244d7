"""Stored values and floats: every stored value survives, and rounding is to the nearest."""

from __future__ import annotations

import numpy as np
import pytest

from palette.data.stored import BitDepth, from_stored, to_stored


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
