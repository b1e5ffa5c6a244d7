"""Confidence intervals over pictures: the bootstrap for means, half-samples for set metrics."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.seeding import rng

CONFIDENCE = 0.95
RESAMPLES = 1000
HALF_SAMPLES = 20
QUANTILE_95 = 1.959964
"""Of the normal distribution, two-sided."""

BOOTSTRAP = f"{CONFIDENCE:.0%} percentile bootstrap over pictures, {RESAMPLES} resamples"
HALF_SAMPLING = f"{CONFIDENCE:.0%} normal interval from {HALF_SAMPLES} half-samples of the pictures"

WILSON = f"{CONFIDENCE:.0%} Wilson interval over the test pictures, of one training"


class Interval(NamedTuple):
    low: float
    high: float


def bootstrap(values: Sequence[float], seed: int = 0) -> Interval | None:
    """Percentile bootstrap interval of the mean of finite ``values``; None for fewer than two.

    Efron and Tibshirani 1993, chapter 13. The same values in the same order give the same interval.
    """
    sample = np.asarray(values, np.float64)
    if sample.size < 2:
        return None
    generator = rng(seed, "bootstrap", sample.size)
    together = max(1, min(RESAMPLES, 1_000_000 // sample.size))  # as many as fit into 8 megabytes
    means: list[float] = []
    while len(means) < RESAMPLES:
        size = (min(together, RESAMPLES - len(means)), sample.size)
        means += sample[generator.integers(sample.size, size=size)].mean(axis=1).tolist()
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def half_sampling(
    value: float, statistic: Callable[[NDArray[np.int64]], float], count: int, seed: int = 0
) -> Interval | None:
    """Interval of a statistic of ``count`` pictures whose bias depends on their number, as FID's.

    ``statistic`` takes the indices of chosen pictures. Half-samples are drawn without replacement
    (Politis and Romano 1994): with resampling, repeated pictures would add to the bias. The
    deviation between halves is the standard error of the whole; their mean, more biased than
    ``value``, is not used. None for fewer than 8 pictures.
    """
    if count < 8:
        return None
    half = count // 2
    generator = rng(seed, "half-samples", count)
    draws = [
        statistic(np.sort(generator.choice(count, half, replace=False)))
        for _ in range(HALF_SAMPLES)
    ]
    error = float(np.std(draws, ddof=1)) * math.sqrt(half / (count - half))
    return Interval(value - QUANTILE_95 * error, value + QUANTILE_95 * error)


def wilson(hits: int, count: int) -> Interval:
    """95 % interval of a probability after ``hits`` in ``count`` trials (Wilson 1927)."""
    if not 0 <= hits <= count or count == 0:
        raise UserError(f"{hits} hits in {count} trials: no such experiment")
    z2 = QUANTILE_95**2
    centre = (hits + z2 / 2) / (count + z2)
    spread = QUANTILE_95 / (count + z2) * math.sqrt(hits * (count - hits) / count + z2 / 4)
    return Interval(max(0.0, centre - spread), min(1.0, centre + spread))


def mean(values: Sequence[float]) -> float:
    """The correctly rounded mean: the order of the pictures does not matter, not even in bits."""
    return math.fsum(values) / len(values)
