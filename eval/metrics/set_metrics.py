"""Metrics of a whole set of pictures: FID, KID and Inception score, from one pass of features."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics.frechet import Gaussian, gaussian_of
from palette.eval.metrics.inception import FEATURES
from palette.eval.metrics.kid import Spread, inception_score, kernel_distance
from palette.eval.report.intervals import half_sampling


@dataclass(frozen=True)
class Population:
    """One row's features ``(N, 2048)`` and logits ``(N, 1008)``, beside the reference's.

    ``reference_features`` is None where only statistics of the reference are known.
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    reference: Gaussian
    reference_features: NDArray[np.float32] | None
    is_reference: bool


Cell = dict[str, Any]
"""``value`` (None with a ``reason``), ``count``, ``low``, ``high``, and ``warning`` or ``note``."""


@dataclass(frozen=True)
class PopulationMetric:
    """A metric of a set of pictures, and its words for the report."""

    title: str
    unit: str
    better: Literal["higher", "lower"]
    digits: int
    expect: str
    compute: Callable[[Population], Cell]


def few_pictures(count: int | None) -> str | None:
    """The warning that FID of few pictures must carry."""
    if count is None or count >= FEATURES:
        return None
    return (
        f"FID of {count} pictures, fewer than its {FEATURES} dimensions: biased upwards, and not "
        "to be compared with figures of other counts; trust KID instead"
    )


def _fid(population: Population) -> Cell:
    features, reference = population.features, population.reference
    count = len(features)
    if count < 2:
        return {"value": None, "count": count, "reason": "FID needs 2 pictures or more"}

    def distance(rows: NDArray[np.float32]) -> float:
        if len(rows) < FEATURES:
            return reference.distance_to_features(rows)
        return reference.distance(gaussian_of(rows))

    value = max(0.0, distance(features))
    cell = _cell(value, count, half_sampling(value, lambda i: distance(features[i]), count))
    warning = few_pictures(count) or few_pictures(reference.count)
    return cell | ({"warning": warning} if warning else {})


def _kid(population: Population) -> Cell:
    features, reference = population.features, population.reference_features
    count = len(features)
    if reference is None:
        reason = "KID needs the reference's pictures: its statistics are not enough"
        return {"value": None, "count": count, "reason": reason}
    if population.is_reference:  # unbiased only for two independent sets
        return {"value": None, "count": count, "reason": "this is the reference itself"}
    if min(count, len(reference)) < 2:
        return {"value": None, "count": count, "reason": "KID needs 2 pictures or more"}
    value, deviation = kernel_distance(features, reference)
    cell = _cell(
        1000 * value,
        count,
        half_sampling(
            1000 * value, lambda i: 1000 * kernel_distance(features[i], reference).value, count
        )
        if deviation is None
        else None,
    )
    return cell | _spread(Spread(1000 * value, deviation and 1000 * deviation), "subsets")


def _inception_score(population: Population) -> Cell:
    logits = population.logits
    score = inception_score(logits)
    interval = half_sampling(score.value, lambda i: inception_score(logits[i]).value, len(logits))
    return _cell(score.value, len(logits), interval) | _spread(score, "chunks")


def _cell(value: float, count: int, interval: tuple[float, float] | None) -> Cell:
    low, high = interval or (None, None)
    return {"value": value, "count": count, "low": low, "high": high}


def _spread(spread: Spread, over: str) -> Cell:
    if spread.deviation is None:
        return {}
    return {"note": f"standard deviation over {over} {spread.deviation:.4g}"}


POPULATIONS: dict[str, PopulationMetric] = {
    "fid": PopulationMetric(
        "FID",
        "",
        "lower",
        2,
        "Distance between the features of all answers and of all references. The originals' figure "
        "is the floor; a sample should lie nearer to it than the smooth mean answer.",
        _fid,
    ),
    "kid": PopulationMetric(
        "KID",
        "1e-3",
        "lower",
        3,
        "Like FID but unbiased, so it may be trusted for few pictures; about 0 (also just below) "
        "says that answers and references cannot be told apart.",
        _kid,
    ),
    "is": PopulationMetric(
        "IS",
        "",
        "higher",
        2,
        "Inception score over all 1008 outputs, without bias, in chunks of 5000: how certain and "
        "how varied the recognised classes are. It grows with the number of pictures.",
        _inception_score,
    ),
}
