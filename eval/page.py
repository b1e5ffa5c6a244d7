"""The HTML page of a report: self-contained, readable from disk without a network."""

from __future__ import annotations

import base64
import io
from importlib import resources
from typing import Any

import numpy as np

from palette.eval import workspace as files
from palette.eval.distortion import Pixels
from palette.eval.measure import Gallery, Paths, enlarged

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
    source = resources.files("palette.eval").joinpath("report.html.j2").read_text("utf-8")
    return environment.from_string(source).render(
        title=data["title"],
        data=data,
        times=times,
        judged=judged_row(data),
        settings={k: v for k, v in data["manifest"].items() if k != "names"},
        cards=[_card(gallery, data, *chosen) for chosen in _chosen(data)],
        findings=findings(data),
        error_gain=ERROR_GAIN,
    )


def judged_row(data: dict[str, Any]) -> str:
    """The row whose pictures are shown: the first that is neither input, baseline nor original."""
    keys = [row["key"] for row in data["rows"]]
    return next((k for k in keys if k not in ("input", "baseline", "original")), keys[-1])


def findings(data: dict[str, Any]) -> list[dict[str, str]]:
    """What the figures say in words, with a mark: ``good``, ``bad`` or ``plain``."""
    from palette.eval.intervals import bootstrap, mean

    found: list[dict[str, str]] = []
    table, judged = data["table"], judged_row(data)
    for other in ("baseline", "input"):
        if other not in table or "psnr" not in data["metrics"] or judged == "sample":
            continue
        gains = [
            p["values"][judged]["psnr"] - p["values"][other]["psnr"]
            for p in data["pictures"]
            if None not in (p["values"][judged]["psnr"], p["values"][other]["psnr"])
        ]
        if not gains:
            continue
        gain, interval = mean(gains), bootstrap(gains)
        sure = "" if interval is None else f" (95 % {interval.low:+.2f} to {interval.high:+.2f})"
        wins = sum(g > 0 for g in gains)
        title = next(row["title"] for row in data["rows"] if row["key"] == other)
        found.append(
            {
                "mark": "good" if gain > 0 else "bad",
                "text": f"{gain:+.2f} dB PSNR over the {title}{sure}; better on {wins} of "
                f"{len(gains)} pictures.",
            }
        )
    if "mean" in table and "sample" in table and "psnr" in data["metrics"]:
        of_mean, of_sample = table["mean"]["psnr"]["value"], table["sample"]["psnr"]["value"]
        if of_mean is not None and of_sample is not None:
            gap = of_mean - of_sample
            found.append(
                {
                    "mark": "bad" if gap > 4.5 else "plain",
                    "text": f"One sample lies {gap:.2f} dB below the mean answer. A perfect "
                    "posterior sample lies 3.01 dB below it; above 4.5 dB the sampler or the "
                    "network has a fault.",
                }
            )
    return found


def _figure(value: float | None, digits: int) -> str:
    return "–" if value is None else f"{value:.{digits}f}"


def _chosen(data: dict[str, Any]) -> list[tuple[int, list[str]]]:
    """Indices of the best, median and worst pictures by each metric, each with its titles."""
    judged = judged_row(data)
    badges: dict[int, list[str]] = {}
    for name, metric in data["metrics"].items():
        if not metric["per_picture"]:
            continue
        values = [
            (picture["values"][judged][name], index)
            for index, picture in enumerate(data["pictures"])
            if picture["values"][judged][name] is not None
        ]
        if metric["better"] == "zero":
            values.sort(key=lambda pair: abs(pair[0]))
        else:
            values.sort(reverse=metric["better"] == "higher")
        if not values:
            continue
        places = {"best": 0, "median": (len(values) - 1) // 2, "worst": len(values) - 1}
        for word, place in places.items():
            badges.setdefault(values[place][1], []).append(f"{word} {metric['title']}")
    return list(badges.items())


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
        values = data["pictures"][index]["values"][row.key]
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


def data_uri(pixels: Pixels) -> str:
    """A picture inside of the page: PNG up to 256 pixels, lossy WebP of high quality above."""
    from PIL import Image

    small = max(pixels.shape[:2]) <= 256
    buffer = io.BytesIO()
    if small:
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        Image.fromarray(pixels).save(buffer, "WEBP", quality=92)
    kind = "png" if small else "webp"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"
