"""What the tests of distributions share: the draws of a degradation, and tests of their shape."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

import numpy as np
from scipy import stats

from palette.degradations import build
from palette.seeding import rng
from palette.types import Params, Spec

DRAWS = 1500
SPEC = Spec(128, 96)
SURE = 1e-4
"""A p-value below it would be a one in ten thousand accident; the seeds were not chosen."""


def leaves(params: Params, names: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Params]]:
    """All that was applied: the names around each operator and its params."""
    if params.get("on") is False:
        return
    if "steps" in params:
        for step in params["steps"]:
            yield from leaves(step["params"], (*names, step["name"]))
    elif isinstance(params.get("params"), dict):
        inner = (*names, params["name"]) if "name" in params else names
        yield from leaves(params["params"], inner)
    else:
        yield names, params


def drawn(name: str, scale: int | None = None, spec: Spec = SPEC) -> list[Params]:
    degradation = build(name, scale)
    return [degradation.draw(spec, rng(0, name, i)) for i in range(DRAWS)]


def collected(draws: list[Params]) -> dict[str, list[Params]]:
    """Name to the params of all operators below it."""
    found: dict[str, list[Params]] = {}
    for params in draws:
        for names, leaf in leaves(params):
            for name in dict.fromkeys(names):
                found.setdefault(name, []).append(leaf)
    return found


def is_uniform(values: list[float], low: float, high: float, power: float = 1) -> None:
    """Continuous uniform between low and high, of values^power."""
    low, high = sorted((low, high))
    unit = (np.array(values, dtype=float) ** power - low) / (high - low)
    assert len(unit) > 50
    assert stats.kstest(unit, "uniform").pvalue > SURE


def is_integer_uniform(values: list[int], low: int, high: int) -> None:
    counts = Counter(values)
    assert set(counts) == set(range(low, high + 1))
    assert stats.chisquare([counts[i] for i in range(low, high + 1)]).pvalue > SURE


def has_shares(values: list[Any], shares: dict[Any, float]) -> None:
    counts = Counter(values)
    assert set(counts) == set(shares)
    total = sum(shares.values())
    expected = [len(values) * share / total for share in shares.values()]
    assert stats.chisquare([counts[key] for key in shares], expected).pvalue > SURE


def column(params: list[Params], key: str) -> list[Any]:
    return [one[key] for one in params]
