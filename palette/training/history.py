"""What the folder of a run tells of it while it is written: numbers, validations, the time left."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from typing import Any

from palette.config import read_toml
from palette.errors import UserError

Line = dict[str, Any]
"""Of metrics.jsonl."""
Curve = list[tuple[int, float]]
"""Pairs of step and value."""
RECENT = 100
"""Lines that the speed is taken from, so that validations and checkpoints have their share."""


@dataclass(frozen=True)
class History:
    """A run as it is now."""

    run: Path
    task: str
    steps: int
    """In all."""
    lines: Sequence[Line]
    validations: Sequence[Line]
    strip: Path | None
    """The newest picture of a validation."""
    age: float | None
    """Seconds since the last line; None before the first."""
    finished: bool
    """The last checkpoint is there."""

    @property
    def step(self) -> int:
        return max((line["step"] for line in (*self.lines, *self.validations)), default=0)

    @property
    def speed(self) -> float | None:
        """Images per second of the last lines, with what lay between them."""
        rates = [rate for _, rate in self.curve("images_per_second")[-RECENT:]]
        return len(rates) / sum(1 / rate for rate in rates) if rates else None

    @property
    def seconds_left(self) -> float | None:
        if self.speed is None:
            return None
        images_per_step = self.lines[-1]["images"] / self.lines[-1]["step"]
        return (self.steps - self.step) * images_per_step / self.speed

    def curve(self, name: str) -> Curve:
        """Of a number of the lines, e.g. "loss"; without those where it was not finite."""
        return [(line["step"], line[name]) for line in self.lines if line.get(name) is not None]

    def gains(self, task: str | None = None) -> Curve:
        """Of the mean answer over the baseline in dB: of a task, or the mean over all."""
        found = [(line["step"], line["validation"]) for line in self.validations]
        return [(n, (one if task is None else one["tasks"][task])["gain"]) for n, one in found]


def thinned(curve: Curve, most: int) -> Curve:
    """At most ``most`` points, each the mean of its neighbours."""
    size = math.ceil(len(curve) / most)
    groups = [curve[i : i + size] for i in range(0, len(curve), max(1, size))]
    return [(group[-1][0], fmean(value for _, value in group)) for group in groups]


def read_history(run: Path) -> History:
    """Of a run that may be written, or resumed, at the same time; UserError where there is none."""
    if not (run / "config.toml").is_file():
        raise UserError(f"{run} holds no run: give the folder that `palette train --out` named")
    config, metrics = read_toml(run / "config.toml"), run / "metrics.jsonl"
    by_step: dict[tuple[int, bool], Line] = {}
    for line in _lines(metrics):
        by_step[line["step"], "validation" in line] = line
    strips = sorted((run / "samples").glob("step-*.png"), key=_number)
    return History(
        run=run,
        task=config["task"],
        steps=config["steps"],
        lines=[line for (_, judged), line in sorted(by_step.items()) if not judged],
        validations=[line for (_, judged), line in sorted(by_step.items()) if judged],
        strip=strips[-1] if strips else None,
        age=max(0.0, time.time() - metrics.stat().st_mtime) if by_step else None,
        finished=(run / "checkpoints" / f"step-{config['steps']}").exists(),
    )


def _lines(metrics: Path) -> Iterator[Line]:
    """Those that are whole; the last may be half written, and one of a full disk cut off."""
    try:
        text = metrics.read_text(encoding="utf-8", errors="replace")
    except FileNotFoundError:
        return
    for line in text.splitlines():
        try:
            values = json.loads(line)
        except ValueError:
            continue
        if isinstance(values, dict) and _whole(values):
            yield values


def _whole(line: Line) -> bool:
    """Whether it has the numbers that others are computed of."""
    needed = {"step"} if "validation" in line else {"step", "images", "images_per_second"}
    numbers = [line.get(name) for name in needed]
    sound = all(isinstance(one, int | float) and 0 < one < math.inf for one in numbers)
    return sound and isinstance(line["step"], int)


def _number(strip: Path) -> int:
    digits = strip.stem.removeprefix("step-")
    return int(digits) if digits.isdigit() else -1
