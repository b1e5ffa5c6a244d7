"""Intervals cover as often as they say, and repeat to the bit."""

from __future__ import annotations

import numpy as np
import pytest

from palette.eval.metrics.intervals import (
    around,
    bootstrap,
    half_samples,
    mean,
    paired_bootstrap,
    wilson,
)


def test_bootstrap_covers_and_equals_the_normal_interval() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for _ in range(200):
        sample = rng.normal(3, 2, 60)
        interval = bootstrap(sample.tolist())
        assert interval is not None
        covered += interval.low <= 3 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99
    sample = rng.normal(0, 1, 5000)
    interval = bootstrap(sample.tolist())
    assert interval is not None
    half = 1.96 * sample.std() / np.sqrt(5000)
    assert interval.high - interval.low == pytest.approx(2 * half, rel=0.1)
    assert bootstrap(sample.tolist()) == interval
    assert bootstrap([1.0]) is None


def test_half_sampling_gives_the_standard_error_of_the_whole() -> None:
    """Of the mean it is known: σ / √n, though halves alone scatter by σ / √(n/2) · √½."""
    rng = np.random.default_rng(1)
    sample = rng.normal(0, 1, 1000)
    widths = []
    for seed in range(20):
        halves = half_samples(lambda i: float(sample[i].mean()), 1000, seed)
        assert halves is not None
        interval = around(sample.mean(), halves, 1000)
        widths.append(interval.high - interval.low)
    expected = 2 * 1.96 * sample.std() / np.sqrt(1000)
    assert np.mean(widths) == pytest.approx(expected, rel=0.1)
    assert half_samples(lambda i: 0.0, 7) is None


def test_paired_differences_are_surer_than_two_means() -> None:
    """What makes a picture hard for both cancels: the width is that of the difference alone."""
    rng = np.random.default_rng(3)
    hard = rng.normal(30, 5, 400)
    a, b = hard + rng.normal(0.2, 0.3, 400), hard + rng.normal(0, 0.3, 400)
    paired = paired_bootstrap(a.tolist(), b.tolist())
    assert paired is not None
    assert paired.high - paired.low == pytest.approx(2 * 1.96 * (a - b).std() / 20, rel=0.15)
    assert paired.low < (a - b).mean() < paired.high
    assert paired.low > 0
    swapped = paired_bootstrap(b.tolist(), a.tolist())
    assert swapped is not None
    assert swapped == pytest.approx((-paired.high, -paired.low), abs=1e-12)
    alone = bootstrap(a.tolist())
    assert alone is not None
    assert alone.high - alone.low > 5 * (paired.high - paired.low)
    assert paired_bootstrap([1.0], [2.0]) is None


def test_paired_differences_of_signed_errors_are_of_their_size() -> None:
    """−3 is farther from zero than +1, though it is the smaller number."""
    rng = np.random.default_rng(4)
    a, b = rng.normal(-3, 1, 200), rng.normal(1, 1, 200)
    interval = paired_bootstrap(a.tolist(), b.tolist(), distance=True)
    assert interval is not None
    assert 1.7 < interval.low < 2 < interval.high < 2.3


def test_paired_intervals_cover() -> None:
    rng = np.random.default_rng(5)
    covered = 0
    for _ in range(200):
        a = rng.normal(1, 1, 50)
        interval = paired_bootstrap(a.tolist(), (a + rng.normal(-0.5, 1, 50)).tolist())
        assert interval is not None
        covered += interval.low <= 0.5 <= interval.high
    assert 0.88 <= covered / 200 <= 0.99


def test_the_mean_does_not_depend_on_the_order() -> None:
    values = (np.random.default_rng(2).normal(size=999) * 10.0 ** np.arange(999) ** 0.3).tolist()
    assert mean(values) == mean(values[::-1]) == mean(sorted(values))


def test_wilson_intervals_are_those_of_the_tables() -> None:
    low, high = wilson(5, 10)
    assert (low, high) == (pytest.approx(0.2366, abs=1e-4), pytest.approx(0.7634, abs=1e-4))
    assert wilson(0, 10)[0] == 0
    assert wilson(10, 10)[1] == 1
    with pytest.raises(ValueError, match="no such experiment"):
        wilson(3, 2)
