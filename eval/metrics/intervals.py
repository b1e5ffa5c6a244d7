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
PAIRED = f"{CONFIDENCE:.0%} paired bootstrap: both rows are drawn with the same pictures"
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
    return None if sample.size < 2 else _percentiles(_resampled_means(sample[:, None], seed)[:, 0])


def paired_bootstrap(
    a: Sequence[float], b: Sequence[float], *, distance: bool = False, seed: int = 0
) -> Interval | None:
    """Interval of mean ``a`` − mean ``b``, values of the same pictures; None for fewer than two.

    Every resample takes both values of its pictures, so what makes a picture easy or hard for both
    cancels. ``distance``: of |mean a| − |mean b|, for signed errors that are best at zero.
    """
    sample = np.stack([np.asarray(a, np.float64), np.asarray(b, np.float64)], axis=1)
    if len(sample) < 2:
        return None
    if not distance:
        return bootstrap((sample[:, 0] - sample[:, 1]).tolist(), seed)
    means = np.abs(_resampled_means(sample, seed))
    return _percentiles(means[:, 0] - means[:, 1])


def _resampled_means(sample: NDArray[np.float64], seed: int) -> NDArray[np.float64]:
    """Means ``(RESAMPLES, C)`` of resamples of ``sample (N, C)``, whose rows stay together."""
    count = len(sample)
    generator = rng(seed, "bootstrap", count)
    together = max(1, min(RESAMPLES, 1_000_000 // count))  # as many as fit into 8 megabytes
    means: list[NDArray[np.float64]] = []
    for start in range(0, RESAMPLES, together):
        size = (min(together, RESAMPLES - start), count)
        means.append(sample[generator.integers(count, size=size)].mean(axis=1))
    return np.concatenate(means)


def _percentiles(values: NDArray[np.float64]) -> Interval:
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(values, [tail, 1 - tail])
    return Interval(float(low), float(high))


def half_samples(
    statistic: Callable[[NDArray[np.int64]], float], count: int, seed: int = 0
) -> NDArray[np.float64] | None:
    """A statistic of random halves of ``count`` pictures ``(20,)``; None for fewer than 8 pictures.

    ``statistic`` takes the indices of chosen pictures. The halves are drawn without replacement
    (Politis and Romano 1994): with resampling, repeated pictures would add to the bias of FID and
    the like. They depend on ``count`` and ``seed`` alone, so two rows of a table are drawn alike.
    """
    if count < 8:
        return None
    generator = rng(seed, "half-samples", count)
    halves = [generator.choice(count, count // 2, replace=False) for _ in range(HALF_SAMPLES)]
    return np.array([statistic(np.sort(half)) for half in halves])


def around(value: float, halves: Sequence[float] | NDArray[np.float64], count: int) -> Interval:
    """Interval of a statistic of ``count`` pictures with these values of :func:`half_samples`.

    The deviation between halves is the standard error of the whole; their mean, more biased than
    ``value``, is not used. For a difference, give that of the values and that of the halves.
    """
    half = count // 2
    error = float(np.std(halves, ddof=1)) * math.sqrt(half / (count - half))
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
