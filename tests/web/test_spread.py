"""The map of where samples differ, against NumPy's standard deviation."""

from __future__ import annotations

import numpy as np
import pytest

from palette.web.spread import CEILING, Spread, as_map, average


def spread_of(samples: np.ndarray) -> np.ndarray:
    spread = Spread()
    for sample in samples:
        spread.add(sample)
    return spread.deviation()


@pytest.mark.parametrize("count", [2, 3, 8])
def test_it_is_the_standard_deviation(count: int) -> None:
    samples = np.random.default_rng(0).random((count, 5, 7, 3), dtype=np.float32)
    expected = np.sqrt(samples.astype(np.float64).var(axis=0, ddof=1).mean(axis=-1))
    np.testing.assert_allclose(spread_of(samples), expected, rtol=1e-5)


def test_small_differences_of_bright_pictures_are_not_rounded_away() -> None:
    noise = np.random.default_rng(1).normal(0, 1e-4, (8, 5, 7, 3))
    samples = (0.999 + noise).astype(np.float32)
    expected = np.sqrt(samples.astype(np.float64).var(axis=0, ddof=1).mean(axis=-1))
    np.testing.assert_allclose(spread_of(samples), expected, rtol=1e-2)


def test_equal_samples_have_none() -> None:
    sample = np.random.default_rng(0).random((5, 7, 3), dtype=np.float32)
    deviation = spread_of(np.stack([sample] * 4))
    assert not deviation.any()
    assert as_map(deviation).max() < 8  # black, nearly


def test_the_average_is_of_the_hole_where_there_is_one() -> None:
    deviation = np.zeros((4, 4), np.float32)
    deviation[:2] = 10 / 255
    hole = deviation > 0
    assert average(deviation, hole) == pytest.approx(10)
    assert average(deviation) == pytest.approx(10 / np.sqrt(2))


def test_the_map_is_brighter_where_they_differ_more() -> None:
    deviation = np.linspace(0, 2 * CEILING, 9, dtype=np.float32)[None]
    brightness = as_map(deviation)[0].astype(int).sum(axis=-1)
    assert (np.diff(brightness)[:4] > 0).all()
    assert (np.diff(brightness)[4:] == 0).all()  # beyond the ceiling all is brightest
