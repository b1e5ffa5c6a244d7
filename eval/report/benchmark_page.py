"""The HTML page of a benchmark: tables, what quality costs, strips of pictures, links."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import cv2
import numpy as np
from markupsafe import Markup

from palette.eval.gallery import Row, enlarged
from palette.eval.metrics.pixels import Pixels, read_pixels
from palette.eval.report.benchmark import SIMPLE, Benchmark, Judged, Line, Table, set_title
from palette.eval.report.cost_plot import Point, quality_against_cost
from palette.eval.report.embedded import data_uri
from palette.eval.report.result import INTERVALS
from palette.eval.report.templates import fill

STRIPS = 2
"""Pictures of each protocol."""
SIDE = 112
"""Pixels of a strip's piece, which is shown larger."""


def render(benchmark: Benchmark) -> str:
    """The page as text."""
    by_setting: dict[str, list[Judged]] = {}
    for one in benchmark.judged:
        by_setting.setdefault(one.setting, []).append(one)
    values = {
        "title": benchmark.title,
        "cost": benchmark.cost,
        "intervals": INTERVALS,
        "count": len(benchmark.judged),
        "pictures": sum(len(one.report.pictures) for one in benchmark.judged),
        "settings": [_setting(benchmark, t, by_setting[t.setting]) for t in benchmark.tables],
        "timed": any(line.seconds for table in benchmark.tables for line in table.lines),
    }
    return fill("benchmark.html.j2", values, {"test_set": set_title})


def _setting(benchmark: Benchmark, table: Table, judged: Sequence[Judged]) -> dict[str, Any]:
    sets = {one.dataset: [c for c in table.columns if c[0] == one.dataset] for one in judged}
    return {
        "table": table,
        "sets": sets,
        "links": {one.dataset: _link(benchmark, one.report.html) for one in judged},
        "apart": _titles({line.title: line.because for line in table.lines}),
        "sources": _titles({line.title: line.source for line in table.lines}),
        "warnings": [text for one in judged for text in one.report.warnings],
        "plots": [plot for one in judged if (plot := _plot(table, one.dataset))],
        "strips": [_strip(benchmark, one, i) for one in judged for i in _shown(one)],
    }


def _titles(texts: Mapping[str, str]) -> dict[str, list[str]]:
    """The methods that a text is about, by the text; "" is none."""
    found: dict[str, list[str]] = {}
    for title, text in texts.items():
        if text:
            found.setdefault(text, []).append(title)
    return found


def _plot(table: Table, dataset: str) -> dict[str, Any] | None:
    """PSNR against multiply-adds; None unless a paper's method has a place beside the own ones."""
    points = [
        Point(line.short, line.multiply_adds, line.figures[dataset, "psnr"], line.kind == "own")
        for line in table.lines
        if line.multiply_adds is not None and (dataset, "psnr") in line.figures
    ]
    if not any(point.own for point in points) or all(point.own for point in points):
        return None
    line = _of_simple(table.lines, dataset)
    svg = quality_against_cost(points, line)
    return {"title": f"{set_title(dataset)}: PSNR, dB", "svg": Markup(svg)}


def _of_simple(lines: Sequence[Line], dataset: str) -> tuple[str, float] | None:
    """The baseline's title and figure."""
    found = [line for line in lines if line.kind == "simple"]
    figures = {line.title: line.figures.get((dataset, "psnr")) for line in found}
    return next(((title, v) for title, v in figures.items() if v is not None), None)


def _shown(judged: Judged) -> list[int]:
    """The pictures in the middle and at the end of the order by the answer's PSNR."""
    answer = judged.report.rows[-1].key
    values = [(p.values[answer].get("psnr"), i) for i, p in enumerate(judged.report.pictures)]
    ranked = sorted((v, i) for v, i in values if isinstance(v, float))
    if not ranked:
        return []
    return list(dict.fromkeys([ranked[len(ranked) // 2][1], ranked[0][1]]))[:STRIPS]


def _strip(benchmark: Benchmark, judged: Judged, index: int) -> dict[str, Any]:
    """The same piece of the original and of every answer."""
    report = judged.report
    record, values = report.pictures[index].record, report.pictures[index].values
    rows = {row.key: row for row in report.rows}
    original = read_pixels(rows["original"].pictures[record.name])
    top, left, side = richest(original)
    shown = [row for key, row in rows.items() if key in ("baseline", "mean", "average", "sample")]
    if judged.protocol.task == "super-resolution":
        shown.insert(0, rows["input"])
    views = []
    for row in (*shown, rows["original"]):
        path = row.pictures[record.name]
        pixels = read_pixels(path)
        if row.is_input:
            pixels = enlarged(pixels, *original.shape[:2])
        views.append(
            {
                "title": _name(row, judged.protocol.task),
                "uri": data_uri(np.ascontiguousarray(pixels[top : top + side, left : left + side])),
                "link": _link(benchmark, path),
                "by": {} if row.key in ("original", "input") else values.get(row.key, {}),
            }
        )
    return {"dataset": judged.dataset, "name": record.name, "views": views}


def richest(picture: Pixels, side: int = SIDE) -> tuple[int, int, int]:
    """Top, left and side of the square with the most energy in fine detail."""
    side = min(side, *picture.shape[:2])
    grey = picture.mean(axis=2)
    energy = np.square(grey - cv2.GaussianBlur(grey, (0, 0), 1.5))
    # edges alone would win over texture, so their energy is bounded
    sums = cv2.integral(np.minimum(energy, 100.0))
    windows = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    top, left = np.unravel_index(int(windows.argmax()), windows.shape)
    return int(top), int(left), side


def _name(row: Row, task: str) -> str:
    names = {"original": "original", "baseline": SIMPLE[task], "input": "input"}
    return names.get(row.key, row.title.removeprefix("model, "))


def _link(benchmark: Benchmark, path: Path) -> str:
    """From the page to a file below its folder."""
    return quote(path.relative_to(benchmark.out).as_posix())
