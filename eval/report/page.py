"""The HTML page of a report: self-contained, readable from disk without a network."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import Any

import numpy as np
from markupsafe import Markup

from palette.eval import workspace as files
from palette.eval.measure import Gallery, Paths, enlarged
from palette.eval.metrics.distortion import Pixels
from palette.eval.report.intervals import bootstrap, mean
from palette.eval.report.plots import COLOURS, by_group, distribution

ERROR_GAIN = 4
"""Errors are shown this many times as bright: 64 grey levels of error are white."""

SAMPLES_SHOWN = 8

# Black, violet, orange, pale yellow: dark to bright in print as well.
_HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]])


def render(gallery: Gallery, data: dict[str, Any], times: dict[str, float]) -> str:
    """The page as text. ``times`` are seconds by stage."""
    from jinja2 import Environment

    environment = Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    environment.filters["figure"] = _figure
    source = resources.files("palette.eval.report").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        title=data["title"],
        data=data,
        times=times,
        judged=judged_row(data),
        colours=COLOURS,
        settings={k: v for k, v in data["manifest"].items() if k != "names"},
        cards=[_card(gallery, data, *chosen) for chosen in _chosen(data)],
        findings=findings(data),
        plots=_plots(data),
        strata=[_stratum(data, stratum) for stratum in data["strata"]],
    )


def judged_row(data: dict[str, Any]) -> str:
    """The row whose pictures are shown: the first that is neither input, baseline nor original."""
    keys = [row["key"] for row in data["rows"]]
    return next((k for k in keys if k not in ("input", "baseline", "original")), keys[-1])


def findings(data: dict[str, Any]) -> list[dict[str, str]]:
    """What the figures say in words, with a mark: ``good``, ``bad`` or ``plain``."""
    table, judged = data["table"], judged_row(data)
    if "psnr" not in data["metrics"]:
        return _order_of_cas(data)
    found: list[dict[str, str]] = []
    others = [row for row in data["rows"] if row["key"] in ("input", "baseline")]
    if len(others) == 2 and table["input"]["psnr"] == table["baseline"]["psnr"]:
        others.pop()  # the input, as it is, is the baseline
    if judged != "sample":
        for row in others:
            found += _gain(data, judged, row["key"], row["title"])
    of_mean, of_sample = (table.get(key, {}).get("psnr") for key in ("mean", "sample"))
    if of_mean and of_sample and None not in (of_mean["value"], of_sample["value"]):
        gap = of_mean["value"] - of_sample["value"]
        text = (
            f"One sample lies {gap:.2f} dB below the mean answer. A perfect posterior sample lies "
            "3.01 dB below it; above 4.5 dB the sampler or the network has a fault."
        )
        found.append({"mark": "bad" if gap > 4.5 else "plain", "text": text})
    return found + _order_of_cas(data)


def _order_of_cas(data: dict[str, Any]) -> list[dict[str, str]]:
    """The twins of CAS from best to worst, and whether that is the order to expect."""
    if "cas" not in data["metrics"]:
        return []
    figures = [(data["table"][row["key"]]["cas"]["value"], row) for row in data["rows"]]
    ranked = sorted(((v, row) for v, row in figures if v is not None), key=lambda pair: -pair[0])
    listed = " > ".join(f"{row['title']} {value:.1f} %" for value, row in ranked)
    keys = [row["key"] for _, row in ranked]
    expected = keys[0] == "original" and keys[-1] == "baseline"
    reason = (
        "as expected: what the degradation took from a classifier, the answers give back in part."
        if expected
        else "not as expected: originals should be first and the degraded inputs last. Differences "
        "within the intervals are chance; otherwise the answers mislead the classifier."
    )
    text = f"Classifiers trained on each row, tested on real pictures: {listed}; {reason}"
    return [{"mark": "good" if expected else "bad", "text": text}]


def _gain(data: dict[str, Any], judged: str, other: str, title: str) -> list[dict[str, str]]:
    """The paired difference in PSNR: far surer than the two means of different pictures."""
    values = [picture["values"] for picture in data["pictures"]]
    pairs = [(v[judged]["psnr"], v[other]["psnr"]) for v in values]
    gains = [ours - theirs for ours, theirs in pairs if None not in (ours, theirs)]
    if not gains:
        return []
    gain, interval = mean(gains), bootstrap(gains)
    sure = "" if interval is None else f" (95 % {interval.low:+.2f} to {interval.high:+.2f})"
    wins = sum(gain > 0 for gain in gains)
    text = f"{gain:+.2f} dB PSNR over the {title}{sure}; better on {wins} of {len(gains)} pictures."
    return [{"mark": "good" if gain > 0 else "bad", "text": text}]


def _plots(data: dict[str, Any]) -> list[dict[str, str]]:
    """The values of all pictures by row, a plot a metric."""
    plots = []
    for name, words in _per_picture(data).items():
        series = {
            row["title"]: [
                picture["values"][row["key"]][name]
                for picture in data["pictures"]
                if picture["values"][row["key"]][name] is not None
            ]
            for row in data["rows"]
            if row["key"] != "original"
        }
        svg = distribution(series, words["unit"], words["digits"])
        if svg:
            plots.append({"title": words["title"], "svg": Markup(svg)})
    return plots


def _stratum(data: dict[str, Any], stratum: dict[str, Any]) -> dict[str, Any]:
    """A stratum with one plot a metric."""
    groups = stratum["groups"]
    plots = []
    for name, words in _per_picture(data).items():
        series = {
            row["title"]: [group["table"][row["key"]][name]["value"] for group in groups]
            for row in data["rows"]
            if row["key"] != "original"
        }
        svg = by_group([g["name"] for g in groups], series, words["unit"], words["digits"])
        plots.append({"title": words["title"], "svg": Markup(svg)})
    return {"by": stratum["by"], "groups": groups, "plots": plots}


def _per_picture(data: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: words for name, words in data["metrics"].items() if words["per_picture"]}


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _chosen(data: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Indices of the best, median and worst pictures by each metric, each with its titles.

    Where no metric ranks them, the first three.
    """
    judged = judged_row(data)
    badges: dict[int, list[str]] = {}
    for name, metric in _per_picture(data).items():
        values = [
            (picture["values"][judged][name], index)
            for index, picture in enumerate(data["pictures"])
            if picture["values"][judged][name] is not None
        ]
        if not values or metric["better"] == "zero":
            continue
        values.sort(reverse=metric["better"] == "higher")
        places = {"best": 0, "median": (len(values) - 1) // 2, "worst": len(values) - 1}
        for word, place in places.items():
            badges.setdefault(values[place][1], []).append(f"{word} {metric['title']}")
    first_ones = range(min(3, len(data["pictures"])))
    return list(badges.items()) or [(index, []) for index in first_ones]


def _card(gallery: Gallery, data: dict[str, Any], index: int, badges: list[str]) -> dict[str, Any]:
    name = gallery.names[index]
    target = files.read_pixels(gallery.target[name])
    views = []
    judged = judged_row(data)
    for row in gallery.rows:
        if row.key == "original":
            continue
        pixels = files.read_pixels(row.pictures[name])
        if row.is_input:
            pixels = enlarged(pixels, *target.shape[:2])
        values = data["pictures"][index]["values"].get(row.key, {})
        views.append(
            {"key": row.key, "title": row.title, "uri": data_uri(pixels), "values": values}
        )
    views.append({"key": "target", "title": "target", "uri": data_uri(target), "values": {}})
    answer = next(row for row in gallery.rows if row.key == judged).pictures[name]
    error = data_uri(error_map(files.read_pixels(answer), target))
    views.append({"key": "error", "title": f"error ×{ERROR_GAIN}", "uri": error, "values": {}})
    return {
        "name": name,
        "badges": badges,
        "height": target.shape[0],
        "width": target.shape[1],
        "views": views,
        "draws": [_draw(paths, name) for paths in gallery.draws[:SAMPLES_SHOWN]],
        "record": data["pictures"][index]["record"],
    }


def _draw(paths: Paths, name: str) -> str:
    return data_uri(files.read_pixels(paths[name]))


def error_map(answer: Pixels, target: Pixels) -> Pixels:
    """The mean absolute error over channels, ``ERROR_GAIN`` times as bright, black to yellow."""
    error = np.abs(answer.astype(np.float64) - target).mean(axis=2)
    place = np.clip(error * ERROR_GAIN / 255, 0, 1) * (len(_HEAT) - 1)
    stops = np.arange(len(_HEAT))
    return np.stack([np.interp(place, stops, _HEAT[:, c]) for c in range(3)], 2).astype(np.uint8)


def data_uri(pixels: Pixels, lossless: bool = False) -> str:
    """A picture inside of a page: PNG up to 256 pixels, lossy WebP of high quality above."""
    from PIL import Image

    as_png = lossless or max(pixels.shape[:2]) <= 256
    buffer = io.BytesIO()
    if as_png:
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        Image.fromarray(pixels).save(buffer, "WEBP", quality=92)
    kind = "png" if as_png else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
