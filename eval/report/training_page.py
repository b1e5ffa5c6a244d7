"""The HTML page of a training that is going on: it reloads itself and needs no other file."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping, Sequence
from typing import Any

from markupsafe import Markup

from palette.eval.metrics.pixels import read_pixels
from palette.eval.report.embedded import data_uri
from palette.eval.report.plots import CURVES, curves, sparkline
from palette.eval.report.templates import fill
from palette.progress import duration
from palette.training.history import History, Line, thinned

POINTS = 300
"""Of a curve; more than pixels would show nothing."""


def render(history: History, every: float) -> str:
    """The page as text, reloaded ``every`` so many seconds, 0: never."""
    left = history.seconds_left
    validation = history.validations[-1] if history.validations else None
    values = {
        "history": history,
        "reload": 0 if history.finished else math.ceil(every),
        "left": None if left is None else duration(left),
        "age": None if history.age is None else duration(round(history.age)),
        "written": time.strftime("%H:%M:%S"),
        "plots": _plots(history),
        "levels": _levels(history),
        "validation": validation,
        "tasks": [] if validation is None else _tasks(history),
        "strip": None if history.strip is None else data_uri(read_pixels(history.strip)),
    }
    return fill("training.html.j2", values)


def _plots(history: History) -> list[Mapping[str, Any]]:
    """What there is of these; nothing where there are less than two points."""
    numbers = (
        ("loss", "Loss", 3),
        ("images_per_second", "Images per second", 1),
        ("gradient_norm", "Norm of the gradient", 2),
        ("learning_rate", "Learning rate", 6),
    )
    found = [
        (title, curves({name: thinned(history.curve(name), POINTS)}, "", digits, "step"))
        for name, title, digits in numbers
    ]
    gains = {"gain": history.gains()}
    found.insert(1, ("Gain of the mean answer, over all tasks", curves(gains, "dB", 2, "step")))
    return [{"title": title, "svg": Markup(svg)} for title, svg in found if svg]


def _levels(history: History) -> Mapping[str, Any] | None:
    """The loss by noise level, at the first validation and the last."""
    ends: Sequence[Line] = [*history.validations[:1], *history.validations[1:][-1:]]
    series = {
        f"step {line['step']:,}": [(float(x), y) for x, y in line["validation"]["loss"].items()]
        for line in ends
    }
    svg = curves(series, "", 2, "log-SNR: noise on the left")
    names = list(zip(series, CURVES, strict=False))
    return {"svg": Markup(svg), "names": names} if svg else None


def _tasks(history: History) -> list[Mapping[str, Any]]:
    """The newest figures of each, and how its gain went."""
    newest = history.validations[-1]["validation"]["tasks"]
    return [
        {
            "name": name,
            "figures": figures,
            "svg": Markup(sparkline([gain for _, gain in thinned(history.gains(name), POINTS)])),
        }
        for name, figures in newest.items()
    ]
