"""Improved precision and recall (Kynkäänniemi et al. 2019): are answers likely, are all reached.

The manifold of a set is the union of balls around its features, each as wide as the distance to its
third nearest neighbour. Precision is the share of the answers within the manifold of the
references, recall the share of the references within that of the answers.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError

NEIGHBOURS = 3
CHUNK = 2048
"""Rows of a matrix of distances that exist at once, and columns too: 32 megabytes."""

_EXACT = 1e-12
"""Distances below this share of the lengths are rounding: copies are at distance 0 then."""

Features = NDArray[np.floating]


def recall(features: Features, reference: Features, neighbours: int = NEIGHBOURS) -> float:
    """The share of ``reference (M, D)`` that lies in the manifold of ``features (N, D)``."""
    return float(within(reference, features, radii(features, neighbours)).mean())


def within(
    points: Features, centres: Features, squared_radii: NDArray[np.float64]
) -> NDArray[np.bool_]:
    """Whether each of ``points (N, D)`` is in a ball around one of ``centres (M, D)``: ``(N,)``."""
    found = np.zeros(len(points), bool)
    for rows in _chunks(len(points)):
        for columns in _chunks(len(centres)):
            near = _squared_distances(points[rows], centres[columns]) <= squared_radii[columns]
            found[rows] |= near.any(axis=1)
    return found


def radii(features: Features, neighbours: int = NEIGHBOURS) -> NDArray[np.float64]:
    """Squared distance of each of ``features (N, D)`` to its nearest neighbour of that number.

    A feature is no neighbour of itself, its copies are. UserError for too few features.
    """
    if len(features) <= neighbours:
        raise UserError(f"{len(features)} pictures have no {neighbours} neighbours each")
    nearest = np.full((len(features), neighbours + 1), np.inf)
    for rows in _chunks(len(features)):
        for columns in _chunks(len(features)):
            distances = _squared_distances(features[rows], features[columns])
            both = np.concatenate([nearest[rows], distances], axis=1)
            nearest[rows] = np.partition(both, neighbours, axis=1)[:, : neighbours + 1]
    return nearest.max(axis=1)  # the nearest of all is the feature itself


def _squared_distances(a: Features, b: Features) -> NDArray[np.float64]:
    """Of all pairs, ``(N, D)`` and ``(M, D)`` to ``(N, M)``, in float64."""
    a, b = a.astype(np.float64), b.astype(np.float64)
    lengths = np.square(a).sum(axis=1)[:, None] + np.square(b).sum(axis=1)
    distances = lengths - 2 * (a @ b.T)
    return np.where(distances < _EXACT * lengths, 0.0, distances)


def _chunks(count: int) -> list[slice]:
    return [slice(start, start + CHUNK) for start in range(0, count, CHUNK)]
