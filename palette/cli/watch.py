"""`palette watch RUN`: how a training goes, in the terminal or as a page that reloads itself."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import tyro

from palette.errors import OK, UserError

if TYPE_CHECKING:
    from palette.training.history import Curve, History

BARS = "▁▂▃▄▅▆▇█"
CLEAR = "\x1b[H\x1b[2J"


@dataclass(frozen=True)
class Watch:
    """Show how a training goes: loss, validation by task, images per second, time left. It looks
    again and again until the run is finished or Ctrl-C; where there is no terminal, once."""

    run: tyro.conf.Positional[Path]
    """The folder of the run."""
    html: Path | None = None
    """Write a page to this file instead, with plots and the newest strip, for a browser: it
    reloads itself."""
    every: float = 10.0
    """Seconds between two looks; 0: look once."""

    def __post_init__(self) -> None:
        if not 0 <= self.every <= 86400:
            raise UserError(f"every is {self.every}: choose 0 to 86400 seconds, e.g. 10")


def run(args: Watch) -> int:
    with suppress(KeyboardInterrupt):  # the usual end of watching
        last = _look(args)
        if args.html is not None:
            print(f"open {args.html.resolve()}", flush=True)
        while not last:
            time.sleep(args.every)
            last = _look(args)
    return OK


def _look(args: Watch) -> bool:
    """Whether it was the last one."""
    from palette.training.history import read_history

    history = read_history(args.run)
    if args.html is not None:
        from palette.eval.report.training_page import render
        from palette.files import write_bytes

        args.html.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(args.html, render(history, args.every).encode())
        return history.finished or not args.every
    terminal = sys.stdout.isatty()
    print((CLEAR if terminal and args.every else "") + as_text(history), flush=True)
    return history.finished or not args.every or not terminal


def as_text(history: History) -> str:
    """A screenful, with curves of one line each."""
    from palette.progress import duration

    share = f"{history.step / history.steps:.1%}"
    title = f"{history.run}: {history.task}, step {history.step:,} of {history.steps:,} ({share})"
    if history.finished:
        title += ", finished"
    facts = []
    if history.speed is not None:
        facts.append(f"{history.speed:.3g} images per second")
    if history.seconds_left is not None and not history.finished:
        facts.append(f"{duration(history.seconds_left)} left")
    if history.age is not None and not history.finished:
        facts.append(f"last line {duration(round(history.age))} ago")
    lines = [title, ", ".join(facts) or "no line of metrics.jsonl yet"]
    loss = history.curve("loss")
    if loss:
        lines += ["", f"loss {_newest(loss):.4f}  {_bars(loss)}"]
    return "\n".join(line.rstrip() for line in [*lines, *_validation(history)])


def _validation(history: History) -> list[str]:
    """The newest figures by task."""
    if not history.validations:
        return []
    newest = history.validations[-1]
    tasks = newest["validation"]["tasks"]
    width = max(map(len, tasks)) + 2
    lines = ["", f"validation at step {newest['step']:,}, PSNR in dB"]
    lines.append(f"{'':{width}}baseline    mean  sample    gain")
    for name, found in tasks.items():
        figures = "".join(f"{found[key]:8.2f}" for key in ("baseline", "mean", "sample"))
        lines.append(f"{name:{width}}{figures}{found['gain']:+8.2f}  {_bars(history.gains(name))}")
    if history.strip is not None:
        lines += ["", f"baseline | mean | sample | original: {history.strip}"]
    return lines


def _newest(curve: Curve) -> float:
    """The mean of the last ten: one line is noise."""
    values = [value for _, value in curve[-10:]]
    return sum(values) / len(values)


def _bars(curve: Curve, most: int = 40) -> str:
    from palette.training.history import thinned

    values = [value for _, value in thinned(curve, most)]
    low, high = min(values), max(values)
    if low == high:
        return ""
    return "".join(BARS[round((v - low) / (high - low) * (len(BARS) - 1))] for v in values)
