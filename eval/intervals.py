"""Confidence intervals of a mean over pictures, by resampling the pictures."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from palette.seeding import rng

RESAMPLES = 1000
CONFIDENCE = 0.95
BOOTSTRAP = f"{CONFIDENCE:.0%} percentile bootstrap over pictures, {RESAMPLES} resamples"


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
    means = [
        sample[generator.integers(sample.size, size=sample.size)].mean() for _ in range(RESAMPLES)
    ]
    tail = (1 - CONFIDENCE) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(low), float(high))


def mean(values: Sequence[float]) -> float:
    """The correctly rounded mean: the order of the pictures does not matter, not even in bits."""
    return math.fsum(values) / len(values)
