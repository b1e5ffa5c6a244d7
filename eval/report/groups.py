"""Groups of pictures that were degraded alike, or show the like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from palette.eval.gallery import Record

MOST_GROUPS = 12
"""Numbers of more distinct values than this are cut into quarters; words are left out."""

QUARTERS = 4

Groups = dict[str, list[int]]
"""Name → the indices of its pictures, in a meaningful order."""


def groups_of(records: Sequence[Record]) -> dict[str, Groups]:
    """By class, by the share that is missing, and by every number or word of the degradation.

    What does not tell pictures apart is left out.
    """
    columns: dict[str, list[Any]] = {}
    for index, record in enumerate(records):
        facts = {
            "class": record.label,
            "missing share": record.missing,
            **_scalars(record.degradation),
        }
        for name, value in facts.items():
            columns.setdefault(name, [None] * len(records))[index] = value
    found = {name: _groups(values) for name, values in columns.items()}
    return {name: groups for name, groups in found.items() if groups}


def _scalars(params: Mapping[str, Any]) -> dict[str, Any]:
    """Plain values that say how a picture was degraded; sizes and seeds do not."""
    return {
        key: value
        for key, value in params.items()
        if isinstance(value, int | float | str)
        and key not in ("height", "width")
        and "seed" not in key
    }


def _groups(values: Sequence[Any]) -> Groups:
    """The groups of one column; none where it does not tell pictures apart."""
    if any(value is None for value in values):
        return {}
    distinct = sorted(set(values), key=lambda v: (isinstance(v, str), v))
    if len(distinct) < 2:
        return {}
    if len(distinct) <= min(MOST_GROUPS, len(values) // 2):
        return {str(v): [i for i, x in enumerate(values) if x == v] for v in distinct}
    if isinstance(distinct[-1], str) or len(values) < 2 * QUARTERS:  # words are sorted to the end
        return {}
    return _quarters(np.asarray(values, np.float64))


def _quarters(values: np.ndarray) -> Groups:
    edges = np.quantile(values, np.linspace(0, 1, QUARTERS + 1))
    place = np.clip(np.searchsorted(edges, values, side="right") - 1, 0, QUARTERS - 1)
    groups = {}
    for quarter in range(QUARTERS):
        members = np.flatnonzero(place == quarter).tolist()
        if members:
            groups[f"{edges[quarter]:.3g} to {edges[quarter + 1]:.3g}"] = members
    return groups
