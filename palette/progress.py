"""Progress of long work on stderr: a bar in a terminal or a notebook, elsewhere lines."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence
from typing import Self, TypeVar

T = TypeVar("T")

EVERY = 20.0
"""Seconds between two lines where there is no terminal."""
NOTEBOOK_COLUMNS = 80
"""A cell does not say how wide it is; longer lines of it would be broken."""

_silent = False


def silence() -> None:
    """Show no progress from here on: this is a worker, and the process that asks shows it."""
    global _silent
    _silent = True


class Progress:
    """Counts what is done of ``total`` ``unit`` (plural), ``done`` of which an earlier run did.

    Use it as a context manager, so that a bar ends before anything else is printed.
    """

    def __init__(self, total: int, what: str, unit: str = "pictures", done: int = 0) -> None:
        self._total, self._what, self._unit = total, what, unit
        self._first = self._done = done
        self._began = self._printed = time.monotonic()
        self._note = ""
        self._bar = None
        notebook = in_notebook()
        if (sys.stderr.isatty() or notebook) and not _silent:
            from tqdm import tqdm

            columns = NOTEBOOK_COLUMNS if notebook else None
            self._bar = tqdm(total=total, initial=done, desc=what, unit=f" {unit}", ncols=columns)

    def update(self, count: int = 1) -> None:
        """``count`` more are done."""
        self._done += count
        if self._bar is not None:
            self._bar.update(count)
        elif self._done < self._total and not _silent and time.monotonic() - self._printed >= EVERY:
            self._printed = time.monotonic()
            print(self._line(), file=sys.stderr, flush=True)

    def note(self, text: str) -> None:
        """Show ``text`` behind the numbers from now on, e.g. the loss."""
        self._note = text
        if self._bar is not None:
            self._bar.set_postfix_str(text, refresh=False)

    def write(self, text: str) -> None:
        """Print a line on stderr, above the bar where there is one."""
        if _silent:
            return
        if self._bar is not None:
            self._bar.write(text, file=sys.stderr)
        else:
            print(text, file=sys.stderr, flush=True)

    def _line(self) -> str:
        rate = (self._done - self._first) / max(1e-9, self._printed - self._began)
        left = round((self._total - self._done) / rate) if rate else 0
        note = f"; {self._note}" if self._note else ""
        return (
            f"{self._what}: {self._done} of {self._total} {self._unit}, {rate:.3g}/s, "
            f"{left // 3600}:{left // 60 % 60:02}:{left % 60:02} left{note}"
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self._bar is not None:
            self._bar.close()


def in_notebook() -> bool:
    """Whether this is the kernel of a notebook, whose stderr is no terminal and shows bars."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in shell.config


def progress(items: Sequence[T], what: str, unit: str = "pictures") -> Iterator[T]:
    """Yield ``items`` and count each when the next one is asked for."""
    with Progress(len(items), what, unit) as bar:
        for item in items:
            yield item
            bar.update()


def duration(seconds: float) -> str:
    """In one unit, with three digits: 84.2 minutes."""
    units = ((365.25 * 86400, "years"), (86400, "days"), (3600, "hours"), (60, "minutes"))
    size, unit = next((u for u in units if seconds >= 2 * u[0]), (1, "seconds"))
    count = seconds / size
    text = f"{count:,.0f}" if count >= 100 else f"{count:.3g}"
    return "1 second" if (text, unit) == ("1", "seconds") else f"{text} {unit}"
