"""Progress: a bar in a terminal, elsewhere a line every 20 seconds and nothing at the end."""

from __future__ import annotations

import io
import sys
from types import SimpleNamespace

import pytest

from palette import progress
from palette.progress import Progress, duration


class Clock:
    now = 1000.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(progress, "time", clock)
    return clock


def test_a_line_every_twenty_seconds(clock: Clock, capsys: pytest.CaptureFixture[str]) -> None:
    with Progress(1000, "colorization", "images", done=100) as bar:
        for step in range(90):
            bar.note(f"loss {step}")
            clock.now += 0.5
            bar.update(10)
    first, second = capsys.readouterr().err.splitlines()
    assert first == "colorization: 500 of 1000 images, 20/s, 0:00:25 left; loss 39"
    assert second == "colorization: 900 of 1000 images, 20/s, 0:00:05 left; loss 79"


def test_short_work_and_its_end_say_nothing(
    clock: Clock, capsys: pytest.CaptureFixture[str]
) -> None:
    for item in progress.progress([1, 2, 3], "pack"):
        clock.now += 21 if item == 3 else 1
    assert capsys.readouterr().err == ""


def test_a_bar_in_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = io.StringIO()
    terminal.isatty = lambda: True
    monkeypatch.setattr(sys, "stderr", terminal)
    with Progress(8, "restore", done=2) as bar:
        bar.update(6)
        bar.write("palette: one.png failed")
    text = terminal.getvalue()
    assert "restore:  25%" in text
    assert "8/8" in text
    assert "palette: one.png failed\n" in text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.25, "0.25 seconds"), (1, "1 second"), (119, "119 seconds"), (120, "2 minutes"),
     (86400 * 3, "3 days"), (365.25 * 86400 * 1120, "1,120 years")],
)  # fmt: skip
def test_durations(seconds: float, text: str) -> None:
    assert duration(seconds) == text


def test_a_notebook_gets_a_bar_that_fits(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shell = SimpleNamespace(config={"IPKernelApp": {}})
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: shell))
    with Progress(3, "restore") as bar:
        bar.note("a note that is rather long, as one with many losses would be")
        bar.update(3)
    drawn = capsys.readouterr().err
    assert "100%" in drawn
    assert max(map(len, drawn.rstrip().split("\r"))) <= progress.NOTEBOOK_COLUMNS
    shell.config.clear()  # IPython in a terminal
    with Progress(3, "restore") as bar:
        bar.update(3)
    assert not capsys.readouterr().err
