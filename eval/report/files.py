"""The report of an evaluation: one HTML page, one JSON file, one CSV line a picture and row."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.measure import Gallery
from palette.eval.workspace import Workspace
from palette.files import write_bytes


@dataclass(frozen=True)
class Report:
    """A finished evaluation. ``data`` is what ``report.json`` holds."""

    out: Path
    data: dict[str, Any]

    @property
    def html(self) -> Path:
        return self.out / "report.html"

    @property
    def json(self) -> Path:
        return self.out / "report.json"

    @property
    def csv(self) -> Path:
        return self.out / "rows.csv"

    def value(self, row: str, metric: str) -> float | None:
        """One figure of the table; None where it has no value (the JSON says why)."""
        table = self.data["table"]
        if row not in table or metric not in table[row]:
            raise UserError(
                f"no figure for row {row!r} and metric {metric!r}: rows are {', '.join(table)}, "
                f"metrics are {', '.join(self.data['metrics'])}"
            )
        return table[row][metric]["value"]

    def as_text(self) -> str:
        """The table for a terminal."""
        metrics = self.data["metrics"]
        titles = {row["key"]: row["title"] for row in self.data["rows"]}
        width = max(len(title) for title in titles.values())
        head = [f"{m['title']}{', ' + m['unit'] if m['unit'] else ''}" for m in metrics.values()]
        columns = [max(len(name), 9) + 3 for name in head]
        lines = [" " * width + "".join(f"{n:>{w}}" for n, w in zip(head, columns, strict=True))]
        for key, title in titles.items():
            cells = [number(self.value(key, name), m["digits"]) for name, m in metrics.items()]
            figures = "".join(f"{c:>{w}}" for c, w in zip(cells, columns, strict=True))
            lines.append(f"{title:<{width}}{figures}")
        return "\n".join([*lines, *self._paper_lines(), *self._last_lines()])

    def _paper_lines(self) -> list[str]:
        lines = []
        for row in self.data.get("papers", []):
            figures = ", ".join(
                f"{self.data['metrics'][name]['title']} {value}"
                for name, value in row["figures"].items()
            )
            verdict = "yes" if not row["because"] else f"no, because {'; '.join(row['because'])}"
            lines.append(f"paper: {row['title']}: {figures or '–'} (comparable: {verdict})")
        return lines

    def _last_lines(self) -> list[str]:
        lines = [f"warning: {warning}" for warning in self.data["warnings"]]
        if "fool_rate" in self.data:
            fool = self.data["fool_rate"]
            lines.insert(
                0,
                f"fool rate {fool['rate']:.1%} ({fool['low']:.1%} to {fool['high']:.1%}), "
                f"{fool['trials']} trials of {len(fool['by_subject'])} subjects; 50 % is perfect",
            )
        return lines


def number(value: float | None, digits: int) -> str:
    """A figure as people read it; a dash where there is none."""
    return "–" if value is None else f"{value:.{digits}f}"


def write(workspace: Workspace, gallery: Gallery, data: dict[str, Any]) -> Report:
    """Save ``report.json``, ``rows.csv`` and ``report.html``, each complete or not at all."""
    from palette.eval.report.page import render

    report = Report(workspace.root, data)
    files.write_json(report.json, data)
    write_bytes(report.csv, _as_csv(data).encode())
    times = files.read_json(workspace.state("times.json"))
    write_bytes(report.html, render(gallery, data, times).encode())
    return report


def _as_csv(data: dict[str, Any]) -> str:
    """One line for every picture and row; a cell without a value is empty."""
    metrics = [name for name, words in data["metrics"].items() if words["per_picture"]]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", "row", *metrics])
    for picture in data["pictures"]:
        for row, values in picture["values"].items():
            cells = ["" if values[name] is None else values[name] for name in metrics]
            writer.writerow([picture["name"], row, *cells])
    return text.getvalue()
