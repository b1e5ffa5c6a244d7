"""Which rows are better than which: paired differences with intervals, and the order they allow."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import combinations
from typing import Any

from palette.eval.gallery import Row
from palette.eval.measure import PictureValues
from palette.eval.metrics.cell import Cell
from palette.eval.metrics.intervals import Interval, around, mean, paired_bootstrap
from palette.eval.metrics.registry import Metric


@dataclass(frozen=True)
class Difference:
    """Of one metric: row ``a``, which stands higher in the table, minus row ``b``.

    Of metrics that are best at zero it is that of their sizes. ``count`` is the number of pictures
    of which both rows have a value; ``low`` to ``high`` the 95 % interval, None where there is
    none. ``better`` is the row that is better beyond it; None: they cannot be told apart.
    """

    a: str
    b: str
    value: float
    count: int
    low: float | None
    high: float | None
    better: str | None

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "resolved": self.better is not None}


@dataclass(frozen=True)
class Place:
    """One row in the order of a metric.

    ``rank`` is one more than the number of rows that are surely better, so rows that cannot be told
    apart share it.
    """

    key: str
    title: str
    value: float
    rank: int


@dataclass(frozen=True)
class Ranking:
    """The rows of one metric from best to worst, and the difference of every two of them."""

    metric: Metric
    places: Sequence[Place]
    differences: Sequence[Difference]

    def surely_above(self, key: str) -> list[str]:
        """The titles of the rows that this one is better than beyond doubt."""
        won = [d for d in self.differences if d.better == key]
        return [self.title(d.b if d.a == key else d.a) for d in won]

    def not_told_from(self, key: str) -> list[str]:
        """The titles of the rows that may be as good."""
        doubtful = [d for d in self.differences if key in (d.a, d.b) and d.better is None]
        return [self.title(d.b if d.a == key else d.a) for d in doubtful]

    def title(self, key: str) -> str:
        return next(place.title for place in self.places if place.key == key)

    def as_json(self) -> dict[str, Any]:
        order = [{"row": p.key, "value": p.value, "rank": p.rank} for p in self.places]
        return {"order": order, "differences": [d.as_json() for d in self.differences]}

    def as_text(self) -> str:
        """Lines for a terminal: every row with its difference to the one above it."""
        digits, unit = self.metric.digits, f", {self.metric.unit}" if self.metric.unit else ""
        width = max(len(place.title) for place in self.places)
        above = {(d.a, d.b): d for d in self.differences}
        lines = [f"ranking by {self.metric.title}{unit}"]
        for before, place in zip([None, *self.places], self.places, strict=False):
            line = f"{place.rank:>4}  {place.title:<{width}}  {place.value:>9.{digits}f}"
            if before is not None:
                line += "  " + _in_words(above[before.key, place.key], before.title, digits)
            lines.append(line)
        return "\n".join(lines)


def rankings(
    rows: Sequence[Row],
    metrics: Mapping[str, Metric],
    table: Mapping[str, Mapping[str, Cell]],
    pictures: Sequence[PictureValues],
) -> dict[str, Ranking]:
    """By metric, where two ``rows`` or more have a figure. ``pictures``: the values of each."""
    found = {}
    for name, metric in metrics.items():
        figures = {row.key: table[row.key][name].value for row in rows}
        known = [(value, row) for row in rows if (value := figures[row.key]) is not None]
        known.sort(key=lambda pair: _badness(pair[0], metric))
        if len(known) < 2:
            continue
        differences = [
            _of_pictures(a.key, b.key, name, metric, pictures)
            if metric.per_picture
            else _of_sets(a.key, b.key, table[a.key][name], table[b.key][name], metric)
            for (_, a), (_, b) in combinations(known, 2)
        ]
        worse = [d.b if d.better == d.a else d.a for d in differences if d.better is not None]
        places = [Place(r.key, r.title, value, 1 + worse.count(r.key)) for value, r in known]
        found[name] = Ranking(metric, places, differences)
    return found


def contenders(rows: Iterable[Row], manifest: Mapping[str, Any]) -> list[Row]:
    """The rows that are ranked: answers, and what they are to beat.

    The originals are not, nor is an input that its enlargement stands beside, nor the mean colour.
    """
    answers = [row for row in rows if row.key != "original"]
    if manifest["kind"] == "compare" and "given" not in manifest["files"]:
        return [row for row in answers if row.key != "baseline"]
    if any(row.key == "baseline" for row in answers):
        return [row for row in answers if row.key != "input"]
    return answers


def _badness(value: float, metric: Metric) -> float:
    """Smaller is better."""
    if metric.better == "higher":
        return -value
    return abs(value) if metric.better == "zero" else value


def _of_pictures(
    a: str, b: str, name: str, metric: Metric, pictures: Sequence[PictureValues]
) -> Difference:
    """The paired difference over the pictures of which both rows have a value."""
    both = [(own[a][name], own[b][name]) for own in pictures]
    pairs = [(x, y) for x, y in both if not isinstance(x, str) and not isinstance(y, str)]
    of_a, of_b = [x for x, _ in pairs], [y for _, y in pairs]
    if not pairs:
        return Difference(a, b, 0.0, 0, None, None, None)
    distance = metric.better == "zero"
    sizes = (abs(mean(of_a)), abs(mean(of_b))) if distance else (mean(of_a), mean(of_b))
    interval = paired_bootstrap(of_a, of_b, distance=distance)
    return _difference(a, b, sizes[0] - sizes[1], len(pairs), interval, metric)


def _of_sets(a: str, b: str, of_a: Cell, of_b: Cell, metric: Metric) -> Difference:
    """The difference of two set metrics, by what it is of the same half-samples."""
    value = (of_a.value or 0.0) - (of_b.value or 0.0)
    interval = None
    if of_a.halves is not None and of_b.halves is not None and of_a.count == of_b.count:
        halves = [x - y for x, y in zip(of_a.halves, of_b.halves, strict=True)]
        interval = around(value, halves, of_a.count)
    return _difference(a, b, value, of_a.count, interval, metric)


def _difference(
    a: str, b: str, value: float, count: int, interval: Interval | None, metric: Metric
) -> Difference:
    if interval is None:
        return Difference(a, b, value, count, None, None, None)
    better = None
    if interval.low * interval.high > 0:  # it leaves out zero
        better = a if (interval.low > 0) == (metric.better == "higher") else b
    return Difference(a, b, value, count, *interval, better)


def _in_words(difference: Difference, title: str, digits: int) -> str:
    """Of a row to the one above it."""
    if difference.low is None or difference.high is None:
        return f"{-difference.value:+.{digits}f} to {title}: no interval"
    verdict = "not resolved" if difference.better is None else "resolved"
    return (
        f"{-difference.value:+.{digits}f} to {title} (95 % {-difference.high:+.{digits}f} to "
        f"{-difference.low:+.{digits}f}): {verdict}"
    )
