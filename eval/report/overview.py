"""One model at several tasks: the report of each, and what ``report.json`` holds of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from palette.errors import UserError
from palette.eval.metrics.registry import Metric
from palette.eval.report.result import SCHEMA, Report, Written


@dataclass(frozen=True)
class Overview(Written):
    """Finished evaluations of one model.

    ``reports`` by the names of the tasks; each is complete and lies in the folder of that name
    below ``out``.
    """

    title: str
    reports: Mapping[str, Report]

    @property
    def failed(self) -> dict[str, str]:
        """The pictures that could not be used for one task or another."""
        return {name: text for each in self.reports.values() for name, text in each.failed.items()}

    @property
    def metrics(self) -> dict[str, Metric]:
        """All that were measured of one task or another, in the order of the tables."""
        return {k: v for report in self.reports.values() for k, v in report.metrics.items()}

    def value(self, task: str, row: str, metric: str) -> float | None:
        """One figure of a task's table; None where it has no value."""
        if task not in self.reports:
            raise UserError(f"no report of {task!r}: the tasks are {', '.join(self.reports)}")
        return self.reports[task].value(row, metric)

    def as_text(self) -> str:
        """The tables for a terminal, one under the other."""
        return "\n\n".join(f"{name}\n{each.as_text()}" for name, each in self.reports.items())

    @cached_property
    def data(self) -> dict[str, Any]:
        """What ``report.json`` holds."""
        return {
            "schema": SCHEMA,
            "title": self.title,
            "metrics": {name: metric.as_json() for name, metric in self.metrics.items()},
            "tasks": [_summary(name, report.data) for name, report in self.reports.items()],
        }


def _summary(name: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """Of one task all but its single pictures and groups, which are in the task's own file."""
    kept = ("manifest_digest", "records_digest", "rows", "table", "warnings")
    return {
        "name": name,
        "report": f"{name}/report.json",
        "pictures": len(data["pictures"]),
        **{key: data[key] for key in kept},
    }
