"""The HTML page of a report: self-contained, readable from disk without a network."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from palette.eval.gallery import Gallery, enlarged
from palette.eval.metrics.pixels import read_pixels
from palette.eval.metrics.registry import Metric
from palette.eval.report.embedded import ERROR_GAIN, data_uri, error_map
from palette.eval.report.findings import findings, judged_row
from palette.eval.report.plots import COLOURS, by_group, distribution
from palette.eval.report.result import INTERVALS, Group, Report
from palette.eval.report.templates import fill
from palette.files import digest

SAMPLES_SHOWN = 8


def render(gallery: Gallery, report: Report, times: Mapping[str, float]) -> str:
    """The page as text. ``times`` are seconds by stage."""
    values = {
        "report": report,
        "manifest": report.manifest,
        "digest": digest(report.manifest),
        "intervals": INTERVALS,
        "times": times,
        "judged": judged_row(report).key,
        "colours": COLOURS,
        "settings": {k: v for k, v in report.manifest.items() if k != "names"},
        "cards": [_card(gallery, report, *chosen) for chosen in chosen_pictures(report)],
        "findings": findings(report),
        "plots": _plots(report),
        "plots_of_groups": {by: _plots_of(report, groups) for by, groups in report.groups.items()},
    }
    return fill("report.html.j2", values)


def _plots(report: Report) -> list[dict[str, str]]:
    """The values of all pictures by row, one plot for each metric."""
    plots = []
    for name, metric in _per_picture(report).items():
        series = {
            row.title: [
                value
                for picture in report.pictures
                if not isinstance(value := picture.values[row.key][name], str)
            ]
            for row in report.rows
            if row.key != "original"
        }
        svg = distribution(series, metric.unit, metric.digits)
        if svg:
            plots.append({"title": metric.title, "svg": Markup(svg)})
    return plots


def _plots_of(report: Report, groups: Sequence[Group]) -> list[dict[str, str]]:
    """The means of the groups by row, one plot for each metric."""
    plots = []
    for name, metric in _per_picture(report).items():
        series = {
            row.title: [group.table[row.key][name].value for group in groups]
            for row in report.rows
            if row.key != "original"
        }
        svg = by_group([group.name for group in groups], series, metric.unit, metric.digits)
        plots.append({"title": metric.title, "svg": Markup(svg)})
    return plots


def _per_picture(report: Report) -> dict[str, Metric]:
    return {name: metric for name, metric in report.metrics.items() if metric.per_picture}


def chosen_pictures(report: Report) -> list[tuple[int, list[str]]]:
    """Indices of the best, median and worst pictures by each metric, each with its titles.

    Where no metric ranks them, the first three.
    """
    judged = judged_row(report).key
    badges: dict[int, list[str]] = {}
    for name, metric in _per_picture(report).items():
        values = [
            (value, index)
            for index, picture in enumerate(report.pictures)
            if not isinstance(value := picture.values[judged][name], str)
        ]
        if not values or metric.better == "zero":
            continue
        values.sort(reverse=metric.better == "higher")
        places = {"best": 0, "median": (len(values) - 1) // 2, "worst": len(values) - 1}
        for word, place in places.items():
            badges.setdefault(values[place][1], []).append(f"{word} {metric.title}")
    first_ones = range(min(3, len(report.pictures)))
    return list(badges.items()) or [(index, []) for index in first_ones]


def _card(gallery: Gallery, report: Report, index: int, badges: list[str]) -> dict[str, Any]:
    """What the page shows of one picture."""
    picture = report.pictures[index]
    name = picture.record.name
    target = read_pixels(gallery.target[name])
    views = []
    for row in gallery.rows:
        if row.key == "original":
            continue
        pixels = read_pixels(row.pictures[name])
        if row.is_input:
            pixels = enlarged(pixels, *target.shape[:2])
        values = picture.values.get(row.key, {})
        views.append({"key": row.key, "title": row.title, "uri": data_uri(pixels), "by": values})
    views.append({"key": "target", "title": "target", "uri": data_uri(target), "by": {}})
    answer = read_pixels(judged_row(report).pictures[name])
    error = data_uri(error_map(answer, target))
    views.append({"key": "error", "title": f"error ×{ERROR_GAIN}", "uri": error, "by": {}})
    draws = [data_uri(read_pixels(paths[name])) for paths in gallery.draws[:SAMPLES_SHOWN]]
    return {"record": picture.record, "badges": badges, "views": views, "draws": draws}
