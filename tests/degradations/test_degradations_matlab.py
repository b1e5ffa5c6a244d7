"""MATLAB's imresize: its contributions worked out pixel by pixel, closed forms, its rounding."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from palette.degradations import build
from palette.degradations.matlab import SrMatlab, imresize
from palette.degradations.resize import resize
from palette.degradations.resize_matrices import matrix
from palette.seeding import rng
from palette.types import Spec


def cubic(x: Fraction) -> Fraction:
    """Keys' kernel with a = −1/2, exactly."""
    x = abs(x)
    if x <= 1:
        return Fraction(3, 2) * x**3 - Fraction(5, 2) * x**2 + 1
    return -Fraction(1, 2) * x**3 + Fraction(5, 2) * x**2 - 4 * x + 2 if x < 2 else Fraction(0)


def contributions(n_in: int, n_out: int) -> list[dict[int, Fraction]]:
    """Of each output pixel: input pixel to weight. Counted from 1 as in MATLAB."""
    scale = Fraction(n_out, n_in)
    wide = min(scale, Fraction(1))
    rows = []
    for x in range(1, n_out + 1):
        centre = x / scale + (1 - 1 / scale) / 2
        first = math.floor(centre - 2 / wide)
        taps = range(first, first + math.ceil(4 / wide) + 2)
        weights = [wide * cubic(wide * (centre - tap)) for tap in taps]
        row: dict[int, Fraction] = {}
        around = [*range(1, n_in + 1), *range(n_in, 0, -1)]  # forwards and back, without end
        for tap, weight in zip(taps, weights, strict=True):
            inside = around[(tap - 1) % len(around)] - 1
            row[inside] = row.get(inside, Fraction(0)) + weight / sum(weights)
        rows.append(row)
    return rows


@pytest.mark.parametrize(
    ("n_in", "n_out"), [(12, 6), (13, 6), (12, 3), (9, 3), (5, 20), (7, 9), (3, 1), (2, 1), (1, 4)]
)
def test_weights_are_those_of_imresize(n_in: int, n_out: int) -> None:
    expected = np.zeros((n_out, n_in))
    for x, row in enumerate(contributions(n_in, n_out)):
        for tap, weight in row.items():
            expected[x, tap] = float(weight)
    assert np.abs(matrix("matlab", n_in, n_out) - expected).max() < 1e-6


def test_halving_in_closed_form() -> None:
    """Eight weights, those outside of the picture added to their mirror images at its edge."""
    inner = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    rows = matrix("matlab", 16, 8)
    assert rows[3, 3:11] == pytest.approx(inner)
    assert rows[0, :5] == pytest.approx(np.array([111 + 29, 111 - 9, 29 - 3, -9, -3]) / 256)
    assert rows[7, ::-1].tolist() == pytest.approx(rows[0].tolist())


def test_only_borders_differ_from_pillow() -> None:
    picture = np.random.default_rng(0).random((64, 48, 3), dtype=np.float32)
    for size in ((16, 12), (128, 96)):
        difference = np.abs(resize(picture, *size, "matlab") - resize(picture, *size, "cubic_aa"))
        assert difference[4:-4, 4:-4].max() < 1e-6
        assert difference.max() * 255 > 3


def test_stored_values_are_rounded_after_rows_and_after_columns() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (8, 12, 3))
    rows, columns = contributions(8, 4), contributions(12, 6)

    def rounded(weights: dict[int, Fraction], values: list[int]) -> int:
        exact = sum(weight * values[tap] for tap, weight in weights.items())
        return min(max(math.floor(exact + Fraction(1, 2)), 0), 255)

    for channel in range(3):
        plane = stored[..., channel].tolist()
        tall = [[rounded(row, [line[x] for line in plane]) for x in range(12)] for row in rows]
        wide = [[rounded(column, line) for column in columns] for line in tall]
        assert imresize(stored, 4, 6)[..., channel].tolist() == wide


def test_the_degradation_is_imresize_of_the_file() -> None:
    stored = np.random.default_rng(0).integers(0, 256, (31, 26, 3))
    picture = (stored / 255).astype(np.float32)
    degradation = build("sr_matlab", 3)
    result = degradation.apply(picture, degradation.draw(Spec(31, 26), rng(0)))
    assert np.array_equal(np.rint(result * 255), imresize(stored, 10, 8))
    deep = SrMatlab(2, bits=16)
    result = deep.apply(picture, deep.draw(Spec(31, 26), rng(0)))
    assert np.array_equal(np.rint(result * 65535), imresize(stored * 257, 15, 13, 65535))
