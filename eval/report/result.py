"""The result of an evaluation, and what ``report.json`` holds of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.eval.gallery import Record, Row
from palette.eval.measure import PictureValues
from palette.eval.metrics.cell import Cell
from palette.eval.metrics.intervals import BOOTSTRAP, HALF_SAMPLING, PAIRED, WILSON
from palette.eval.metrics.registry import Metric
from palette.eval.report.fool_rate import FoolRate
from palette.eval.report.papers import ComparedRow
from palette.eval.report.ranking import Ranking, contenders, rankings
from palette.files import digest

SCHEMA = 1
"""Version of the layout of ``report.json``."""

MOST_NAMED = 20
"""Pictures that could not be used and that a report names; report.json has all."""

# "populations" and, below, "strata" are this layout's names of set metrics and of groups.
INTERVALS = {
    "pictures": BOOTSTRAP,
    "populations": HALF_SAMPLING,
    "trained": WILSON,
    "differences": PAIRED,
}

Table = Mapping[str, Mapping[str, Cell]]
"""Row → metric → cell."""


@dataclass(frozen=True)
class PictureResult:
    """One picture: what is known of it, and a value or a reason for every row and metric."""

    record: Record
    values: PictureValues

    def as_json(self) -> dict[str, Any]:
        """Numbers apart from reasons: JSON knows no infinity."""
        numbers = {
            row: {name: None if isinstance(value, str) else value for name, value in cells.items()}
            for row, cells in self.values.items()
        }
        reasons = {
            row: found
            for row, cells in self.values.items()
            if (found := {name: value for name, value in cells.items() if isinstance(value, str)})
        }
        record = self.record.as_json()
        return {"name": record["name"], "record": record, "values": numbers, "reasons": reasons}


@dataclass(frozen=True)
class Group:
    """The means of ``count`` pictures that were degraded alike, or show the like."""

    name: str
    count: int
    table: Table

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "count": self.count, "table": _plain(self.table)}


@dataclass(frozen=True)
class Written:
    """What lies in a folder as a page, as JSON and as a table."""

    out: Path

    @property
    def html(self) -> Path:
        return self.out / "report.html"

    @property
    def json(self) -> Path:
        return self.out / "report.json"

    @property
    def csv(self) -> Path:
        return self.out / "rows.csv"


@dataclass(frozen=True)
class Report(Written):
    """A finished evaluation.

    ``metrics`` in the order of the table, ``table`` by row and metric; ``groups`` by what the
    pictures are grouped by. ``failed`` has the pictures that could not be used, by name with the
    reason. ``papers`` with a protocol, ``fool_rate`` after a study only.
    """

    manifest: Mapping[str, Any]
    metrics: Mapping[str, Metric]
    rows: Sequence[Row]
    table: Table
    groups: Mapping[str, Sequence[Group]]
    pictures: Sequence[PictureResult]
    failed: Mapping[str, str] = field(default_factory=dict)
    papers: Sequence[ComparedRow] | None = None
    fool_rate: FoolRate | None = None

    @property
    def warnings(self) -> list[str]:
        """The first pictures that are left out, then what makes figures doubtful, each once."""
        cells = [cell for row in self.table.values() for cell in row.values()]
        doubts = sorted({cell.warning for cell in cells if cell.warning is not None})
        return [*self._failures(), *doubts]

    def _failures(self) -> list[str]:
        reasons = list(self.failed.values())
        more = len(reasons) - MOST_NAMED
        named = [f"left out: {reason}" for reason in reasons[:MOST_NAMED]]
        return [*named, f"left out: {more} more, see report.json"] if more > 0 else named

    @property
    def of_several_tools(self) -> bool:
        """Whether the rows are answers of more than one tool; the first of them is judged."""
        return self.manifest["kind"] == "compare" and len(self.manifest.get("answers", ())) > 1

    @cached_property
    def rankings(self) -> dict[str, Ranking]:
        """By metric: the answers from best to worst, and which differences are resolved."""
        rows = contenders(self.rows, self.manifest)
        return rankings(rows, self.metrics, self.table, [own.values for own in self.pictures])

    def value(self, row: str, metric: str) -> float | None:
        """One figure of the table; None where it has no value (``table`` says why)."""
        if row not in self.table or metric not in self.table[row]:
            raise UserError(
                f"no figure for row {row!r} and metric {metric!r}: rows are "
                f"{', '.join(self.table)}, metrics are {', '.join(self.metrics)}"
            )
        return self.table[row][metric].value

    def as_text(self) -> str:
        """The table for a terminal."""
        width = max(len(row.title) for row in self.rows)
        metrics = self.metrics.values()
        head = [f"{m.title}{', ' + m.unit if m.unit else ''}" for m in metrics]
        columns = [max(len(name), 9) + 3 for name in head]
        lines = [" " * width + "".join(f"{n:>{w}}" for n, w in zip(head, columns, strict=True))]
        for row in self.rows:
            cells = [
                figure(self.value(row.key, name), m.digits) for name, m in self.metrics.items()
            ]
            figures = "".join(f"{c:>{w}}" for c, w in zip(cells, columns, strict=True))
            lines.append(f"{row.title:<{width}}{figures}")
        lines += self._left_out()
        if self.of_several_tools:
            lines += [ranking.as_text() for ranking in self.rankings.values()]
        for paper in self.papers or []:
            lines.append(paper.as_text({name: m.title for name, m in self.metrics.items()}))
        if self.fool_rate is not None:
            lines.append(self.fool_rate.as_text())
        return "\n".join([*lines, *(f"warning: {warning}" for warning in self.warnings)])

    def _left_out(self) -> list[str]:
        """Which means are over fewer pictures, and why; rows of one reason share a line."""
        rows: dict[tuple[str, str], list[str]] = {}
        for row in self.rows:
            for name, cell in self.table[row.key].items():
                if cell.left_out is not None:
                    rows.setdefault((self.metrics[name].title, cell.left_out), []).append(row.title)
        return [f"{metric} of {', '.join(of)}: {text}" for (metric, text), of in rows.items()]

    @cached_property
    def data(self) -> dict[str, Any]:
        """What ``report.json`` holds."""
        data = {
            "schema": SCHEMA,
            "title": self.manifest["title"],
            "manifest": self.manifest,
            "manifest_digest": digest(self.manifest),
            "records_digest": digest([picture.record.as_json() for picture in self.pictures]),
            "intervals": INTERVALS,
            "metrics": {name: metric.as_json() for name, metric in self.metrics.items()},
            "rows": [{"key": row.key, "title": row.title} for row in self.rows],
            "table": _plain(self.table),
            "rankings": {name: ranking.as_json() for name, ranking in self.rankings.items()},
            "warnings": self.warnings,
            "strata": [
                {"by": by, "groups": [group.as_json() for group in groups]}
                for by, groups in self.groups.items()
            ],
            "pictures": [picture.as_json() for picture in self.pictures],
        }
        if self.failed:
            data["failed"] = dict(self.failed)
        if self.papers is not None:
            data["papers"] = [paper.as_json() for paper in self.papers]
        if self.fool_rate is not None:
            data["fool_rate"] = self.fool_rate.as_json()
        return data


def figure(value: float | None, digits: int) -> str:
    """A figure as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def signed(value: float, digits: int) -> str:
    """A difference as people read it."""
    return f"{value:+.{digits}f}".replace("-", "−")


def _plain(table: Table) -> dict[str, dict[str, Any]]:
    return {
        row: {name: cell.as_json() for name, cell in cells.items()} for row, cells in table.items()
    }
