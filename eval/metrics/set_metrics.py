"""Set metrics, of all pictures of a row together: FID, KID, Inception score, precision, recall.

All come from one pass of features (:mod:`palette.eval.metrics.inception`).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics.cell import Cell
from palette.eval.metrics.frechet import Gaussian, gaussian_of
from palette.eval.metrics.inception import FEATURES
from palette.eval.metrics.intervals import around, half_samples
from palette.eval.metrics.kid import inception_score, kernel_distance
from palette.eval.metrics.manifold import NEIGHBOURS, radii, recall, within


@dataclass(frozen=True)
class PictureSet:
    """One row's features ``(N, 2048)`` and logits ``(N, 1008)``, beside the reference's.

    ``reference_features`` is None where only statistics of the reference are known.
    """

    features: NDArray[np.float32]
    logits: NDArray[np.float32]
    reference: Gaussian
    reference_features: NDArray[np.float32] | None
    is_reference: bool


def fid(pictures: PictureSet) -> Cell:
    """With the warning that FID of few pictures must carry."""
    features, reference = pictures.features, pictures.reference
    count = len(features)
    if count < 2:
        return Cell(None, count, reason="FID needs 2 pictures or more")

    def distance(rows: NDArray[np.float32]) -> float:
        if len(rows) < FEATURES:
            return reference.distance_to_features(rows)
        return reference.distance(gaussian_of(rows))

    value = max(0.0, distance(features))
    cell = _cell(value, count, half_samples(lambda i: distance(features[i]), count))
    return replace(cell, warning=_few_pictures(count) or _few_pictures(reference.count))


def kid(pictures: PictureSet) -> Cell:
    """In units of 1e-3."""
    features, reference = pictures.features, pictures.reference_features
    count = len(features)
    if reference is None:
        reason = "KID needs the reference's pictures: its statistics are not enough"
        return Cell(None, count, reason=reason)
    if pictures.is_reference:  # unbiased only for two independent sets
        return Cell(None, count, reason="this is the reference itself")
    if min(count, len(reference)) < 2:
        return Cell(None, count, reason="KID needs 2 pictures or more")
    value, deviation = kernel_distance(features, reference)
    halves = None
    if deviation is None:
        halves = half_samples(lambda i: 1000 * kernel_distance(features[i], reference).value, count)
    spread = None if deviation is None else 1000 * deviation
    return replace(_cell(1000 * value, count, halves), note=_spread(spread, "subsets"))


def score(pictures: PictureSet) -> Cell:
    """The Inception score."""
    logits, count = pictures.logits, len(pictures.logits)
    value, deviation = inception_score(logits)
    halves = half_samples(lambda i: inception_score(logits[i]).value, count)
    return replace(_cell(value, count, halves), note=_spread(deviation, "chunks"))


def precision_of(pictures: PictureSet) -> Cell:
    """Improved precision: answers within the manifold of the references, whose balls are fixed."""
    if reason := _no_manifold(pictures):
        return Cell(None, len(pictures.features), reason=reason)
    assert pictures.reference_features is not None
    reference, count = pictures.reference_features, len(pictures.features)
    inside = within(pictures.features, reference, radii(reference))
    halves = half_samples(lambda i: float(inside[i].mean()), count)
    return _share(float(inside.mean()), count, halves, len(reference))


def recall_of(pictures: PictureSet) -> Cell:
    """Improved recall: references within the manifold of the answers."""
    if reason := _no_manifold(pictures):
        return Cell(None, len(pictures.features), reason=reason)
    assert pictures.reference_features is not None
    features, reference = pictures.features, pictures.reference_features
    halves = half_samples(lambda i: recall(features[i], reference), len(features))
    return _share(recall(features, reference), len(features), halves, len(reference))


def _no_manifold(pictures: PictureSet) -> str | None:
    """Why there is neither precision nor recall, if so."""
    if pictures.reference_features is None:
        return "precision and recall need the reference's pictures: its statistics are not enough"
    if pictures.is_reference:
        return "this is the reference itself"
    if min(len(pictures.features), len(pictures.reference_features)) <= NEIGHBOURS:
        return f"precision and recall need more than {NEIGHBOURS} pictures"
    return None


def _share(value: float, count: int, halves: NDArray[np.float64] | None, references: int) -> Cell:
    """A share lies in [0, 1], and so does its interval."""
    cell = _cell(value, count, halves)
    note = None if count == references else f"{count} answers, {references} references"
    if cell.low is None or cell.high is None:
        return replace(cell, note=note)
    return replace(cell, low=max(0.0, cell.low), high=min(1.0, cell.high), note=note)


def _few_pictures(count: int | None) -> str | None:
    if count is None or count >= FEATURES:
        return None
    return (
        f"FID of {count} pictures, fewer than its {FEATURES} dimensions: biased upwards, and not "
        "to be compared with figures of other counts; trust KID instead"
    )


def _cell(value: float, count: int, halves: NDArray[np.float64] | None) -> Cell:
    if halves is None:
        return Cell(value, count)
    low, high = around(value, halves, count)
    return Cell(value, count, low, high, halves=tuple(halves.tolist()))


def _spread(deviation: float | None, over: str) -> str | None:
    return None if deviation is None else f"standard deviation over {over} {deviation:.4g}"
