"""Groups of pictures that were degraded alike, or show alike things."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

MOST_GROUPS = 12
"""A stratum with more distinct values than this is cut into quarters, or left out for words."""

QUARTERS = 4


@dataclass(frozen=True)
class Stratum:
    """``groups``: name → indices of its pictures, in a meaningful order."""

    by: str
    groups: dict[str, list[int]]


def strata_of(records: Sequence[Mapping[str, Any]]) -> list[Stratum]:
    """By class, by the share that is missing, and by every number or word of the degradation."""
    columns: dict[str, list[Any]] = {}
    for index, record in enumerate(records):
        facts = {
            "class": record.get("label"),
            "missing share": record.get("missing"),
            **dict(_scalars(record.get("degradation") or {})),
        }
        for name, value in facts.items():
            columns.setdefault(name, [None] * len(records))[index] = value
    strata = [_stratum(name, values) for name, values in columns.items()]
    return [stratum for stratum in strata if stratum is not None]


def _scalars(params: Mapping[str, Any]) -> list[tuple[str, Any]]:
    """Plain values that say how a picture was degraded; sizes and seeds say nothing of that."""
    skipped = {"height", "width", "seed"}
    return [
        (key, value)
        for key, value in params.items()
        if isinstance(value, int | float | str) and key not in skipped and "seed" not in key
    ]


def _stratum(name: str, values: Sequence[Any]) -> Stratum | None:
    """The groups of one column; None where it does not tell pictures apart."""
    if any(value is None for value in values):
        return None
    distinct = sorted(set(values), key=lambda v: (isinstance(v, str), v))
    if len(distinct) < 2:
        return None
    if len(distinct) <= min(MOST_GROUPS, len(values) // 2):
        members = {str(v): [i for i, x in enumerate(values) if x == v] for v in distinct}
        return Stratum(name, members)
    if isinstance(distinct[0], str) or isinstance(distinct[-1], str) or len(values) < 2 * QUARTERS:
        return None
    return Stratum(name, _quarters(np.asarray(values, np.float64)))


def _quarters(values: np.ndarray) -> dict[str, list[int]]:
    edges = np.quantile(values, np.linspace(0, 1, QUARTERS + 1))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, QUARTERS - 1)
    groups = {}
    for quarter in range(QUARTERS):
        members = np.flatnonzero(place == quarter).tolist()
        if members:
            groups[f"{edges[quarter]:.3g} to {edges[quarter + 1]:.3g}"] = members
    return groups
