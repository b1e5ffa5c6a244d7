"""The HTML page of a model at several tasks: one table, a few pictures of each, links."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np

from palette.eval.gallery import Row, enlarged
from palette.eval.metrics.pixels import Pixels, read_pixels
from palette.eval.report.embedded import data_uri
from palette.eval.report.findings import classical_rows, findings, judged_row
from palette.eval.report.overview import Overview
from palette.eval.report.page import chosen_pictures
from palette.eval.report.result import INTERVALS, Report
from palette.eval.report.templates import fill

SHOWN = 3
"""Pictures of each task."""
SIDE = 360
"""Pixels that a picture has on the page at most; the file that it leads to has all."""


def render(overview: Overview) -> str:
    """The page as text."""
    values = {
        "title": overview.title,
        "metrics": overview.metrics,
        "intervals": INTERVALS,
        "tasks": [_task(overview, name, report) for name, report in overview.reports.items()],
    }
    return fill("overview.html.j2", values)


def _task(overview: Overview, name: str, report: Report) -> dict[str, Any]:
    """What the page shows of one task."""
    apart = ("input", "original", *classical_rows(report))
    return {
        "name": name,
        "link": _link(overview, report.html),
        "report": report,
        "judged": judged_row(report).key,
        "rows": [row for row in report.rows if row.key not in ("input", "original")],
        "findings": findings(report),
        "cards": [
            _card(overview, report, [row for row in report.rows if row.key not in apart], *chosen)
            for chosen in chosen_pictures(report)[:SHOWN]
        ],
    }


def _card(
    overview: Overview, report: Report, answers: list[Row], index: int, badges: list[str]
) -> dict[str, Any]:
    """One picture: what was given, the answers, the original."""
    record, by_key = report.pictures[index].record, {row.key: row for row in report.rows}
    values: Mapping[str, Any] = report.pictures[index].values
    views = []
    for row in (by_key["input"], *answers, by_key["original"]):
        path = row.pictures[record.name]
        pixels = read_pixels(path)
        if row.is_input:
            pixels = enlarged(pixels, record.height, record.width)
        title = "original" if row.key == "original" else row.title
        view = {"title": title, "by": {} if row.key == "original" else values.get(row.key, {})}
        views.append({**view, "uri": data_uri(_small(pixels)), "link": _link(overview, path)})
    return {"record": record, "badges": badges, "views": views}


def _small(pixels: Pixels) -> Pixels:
    """At most ``SIDE`` pixels a side, each the mean of those that it covers."""
    height, width = pixels.shape[:2]
    share = SIDE / max(height, width)
    if share >= 1:
        return pixels
    size = (max(1, round(width * share)), max(1, round(height * share)))
    return np.asarray(cv2.resize(pixels, size, interpolation=cv2.INTER_AREA), np.uint8)


def _link(overview: Overview, path: Path) -> str:
    """From the page to a file below its folder."""
    return quote(path.relative_to(overview.out).as_posix())
