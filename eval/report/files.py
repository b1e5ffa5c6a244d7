"""The files of a report: one HTML page, one JSON file, one CSV line for each picture and row."""

from __future__ import annotations

import csv
import io

from palette.eval import workspace as files
from palette.eval.gallery import Gallery
from palette.eval.report.page import render
from palette.eval.report.result import Report
from palette.eval.workspace import Workspace
from palette.files import write_bytes


def write(workspace: Workspace, gallery: Gallery, report: Report) -> Report:
    """Save ``report.json``, ``rows.csv`` and ``report.html``, each complete or not at all."""
    files.write_json(report.json, report.data)
    write_bytes(report.csv, _as_csv(report).encode())
    times = files.read_json(workspace.state("times.json"))
    write_bytes(report.html, render(gallery, report, times).encode())
    return report


def _as_csv(report: Report) -> str:
    """One line for every picture and row; a cell without a value is empty."""
    metrics = [name for name, metric in report.metrics.items() if metric.per_picture]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["picture", "row", *metrics])
    for picture in report.pictures:
        for row, values in picture.values.items():
            cells = ["" if isinstance(values[name], str) else values[name] for name in metrics]
            writer.writerow([picture.record.name, row, *cells])
    return text.getvalue()
