"""The files of a report: one HTML page, one JSON file, one CSV line for each picture and row."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from palette.eval import workspace as files
from palette.eval.gallery import Gallery
from palette.eval.metrics.registry import Metric
from palette.eval.report import overview_page, page
from palette.eval.report.overview import Overview
from palette.eval.report.result import Report
from palette.eval.workspace import Workspace
from palette.files import write_bytes


def write(workspace: Workspace, gallery: Gallery, report: Report) -> Report:
    """Save ``report.json``, ``rows.csv`` and ``report.html``, each complete or not at all."""
    files.write_json(report.json, report.data)
    names = _columns(report.metrics.items())
    write_bytes(report.csv, _as_csv(["picture", "row", *names], _lines(report, names)))
    times = files.times_of(workspace)
    write_bytes(report.html, page.render(gallery, report, times).encode())
    return report


def write_overview(overview: Overview) -> Overview:
    """The same files of several tasks; a line of the CSV file begins with the task."""
    files.write_json(overview.json, overview.data)
    names = _columns(overview.metrics.items())
    lines = (
        [task, *line] for task, report in overview.reports.items() for line in _lines(report, names)
    )
    write_bytes(overview.csv, _as_csv(["task", "picture", "row", *names], lines))
    write_bytes(overview.html, overview_page.render(overview).encode())
    return overview


def _columns(metrics: Iterable[tuple[str, Metric]]) -> list[str]:
    return [name for name, metric in metrics if metric.per_picture]


def _lines(report: Report, metrics: Sequence[str]) -> Iterator[list[Any]]:
    """Picture, row and values; a cell without a value is empty."""
    for picture in report.pictures:
        for row, values in picture.values.items():
            found = [values.get(name, "") for name in metrics]
            cells = ["" if isinstance(value, str) else value for value in found]
            yield [picture.record.name, row, *cells]


def _as_csv(head: Sequence[str], lines: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(head)
    writer.writerows(lines)
    return text.getvalue().encode()
