"""`palette watch`: text and page of a run that is written, resumed, cut off or not begun."""

from __future__ import annotations

import json
import re
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY

import palette
from palette.cli import watch
from palette.cli.main import main
from palette.config import merge
from palette.data.images import write
from palette.eval.report.plots import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, curves
from palette.eval.report.training_page import render
from palette.training.history import read_history, thinned

Make = Callable[..., Path]


def line(step: int, loss: float | None = 0.5, speed: float = 8.0) -> str:
    values = {"step": step, "images": 4 * step, "loss": loss, "gradient_norm": 1.0}
    return json.dumps({**values, "learning_rate": 1e-3, "images_per_second": speed}) + "\n"


def validation(step: int, gain: float) -> str:
    row = {"baseline": 20.0, "mean": 20 + gain, "sample": 19.0, "gain": gain, "gap": 1 + gain}
    tasks = {"jpeg-restoration": row, "<b>bold</b>": {**row, "gain": -gain}}
    found = {"gain": 0.0, "decay": 0.999, "tasks": tasks, "loss": {"-8": 0.9, "0": 0.5 - gain}}
    return json.dumps({"step": step, "validation": found}) + "\n"


@pytest.fixture
def make(tmp_path: Path) -> Make:
    """Writes the folder of a run as a training does."""

    def made(*lines: str, steps: int = 100, strips: tuple[int, ...] = ()) -> Path:
        run = tmp_path / "run"
        (run / "samples").mkdir(parents=True, exist_ok=True)
        (run / "config.toml").write_text(f'steps = {steps}\ntask = "generalist"\n')
        (run / "metrics.jsonl").write_text("".join(lines))
        for step in strips:
            write(run / "samples" / f"step-{step}.png", np.full((8, 32, 3), 0.5, np.float32))
        return run

    return made


def test_what_is_read(make: Make) -> None:
    history = read_history(make(line(10, speed=8), validation(10, 0.2), line(20, speed=24),
                                validation(20, 0.4), strips=(9, 10, 100)))  # fmt: skip
    assert (history.task, history.step, history.steps, history.finished) == (
        "generalist",
        20,
        100,
        False,
    )
    assert history.speed == pytest.approx(12)  # as many images at 8 as at 24 a second
    assert history.seconds_left == pytest.approx(80 * 4 / 12)
    assert history.gains("jpeg-restoration") == [(10, 0.2), (20, 0.4)]
    assert history.strip is not None
    assert history.strip.name == "step-100.png"  # by number, not by name


def test_a_line_that_is_being_written(make: Make) -> None:
    """Every beginning of the last line leaves what the lines before it say."""
    for last in (line(30), validation(20, 0.4)):
        for cut in range(len(last) - 1):
            history = read_history(make(line(10), validation(10, 0.2), line(20), last[:cut]))
            assert (history.step, len(history.lines), len(history.validations)) == (20, 2, 1)
            assert watch.as_text(history)
    half = "é".encode()[:1]  # and half a letter
    run = make(line(10))
    with (run / "metrics.jsonl").open("ab") as file:
        file.write(b'{"step": 20, "' + half)
    assert read_history(run).step == 10


def test_lines_that_came_twice_count_once(make: Make) -> None:
    history = read_history(make(line(10), line(20, 0.9), line(20, 0.4), line(30, None), "7\n"))
    assert history.curve("loss") == [(10, 0.5), (20, 0.4)]
    assert history.step == 30


def test_a_run_that_has_not_begun(make: Make, tmp_path: Path, capsys: Any) -> None:
    run = make()
    (run / "metrics.jsonl").unlink()
    assert main(["watch", str(run)]) == 0
    assert "no line of metrics.jsonl yet" in capsys.readouterr().out
    assert "No line of metrics.jsonl yet" in render(read_history(run), 10)
    assert main(["watch", str(tmp_path / "nowhere")]) == 2
    assert "holds no run" in capsys.readouterr().err


def test_the_text_without_a_terminal(make: Make, capsys: Any) -> None:
    run = make(line(10, 0.8), validation(10, 0.2), line(20, 0.4), validation(20, 0.4), strips=(20,))
    assert main(["watch", str(run)]) == 0  # once
    printed = capsys.readouterr().out
    assert "step 20 of 100 (20.0%)" in printed
    assert "8 images per second, 40 seconds left" in printed
    assert re.search(r"jpeg-restoration +20\.00 +20\.40 +19\.00 +\+0\.40  ▁█", printed)
    assert re.search(r"loss 0\.6000  █▁", printed)
    assert str(run / "samples" / "step-20.png") in printed


def test_a_terminal_shows_it_again_until_the_run_is_finished(
    make: Make, capsys: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make(line(10))
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)

    def goes_on(seconds: float) -> None:
        assert seconds == 3
        make(line(10), line(100))
        (run / "checkpoints" / "step-100").mkdir(parents=True)

    monkeypatch.setattr(watch.time, "sleep", goes_on)
    assert main(["watch", str(run), "--every", "3"]) == 0
    first, second = capsys.readouterr().out.split(watch.CLEAR)[1:]
    assert "step 10 of 100" in first
    assert "step 100 of 100 (100.0%), finished" in second


def test_ctrl_c_ends_watching(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(watch.time, "sleep", interrupt)
    assert main(["watch", str(make(line(10))), "--html", str(tmp_path / "new" / "w.html")]) == 0
    assert (tmp_path / "new" / "w.html").exists()


def test_the_page_needs_no_other_file_and_reloads(make: Make) -> None:
    run = make(line(10), validation(10, 0.2), line(20, 0.4), validation(20, 0.4), strips=(20,))
    page = render(read_history(run), 10)
    assert '<meta http-equiv="refresh" content="10">' in page
    assert not re.search(r'(src|href)="(?!data:|#)', page)
    for title in ("Loss", "Gain of the mean answer", "Images per second", "Loss by noise level"):
        assert f"<h3>{title}" in page
    assert "<b>bold</b>" not in page
    assert "&lt;b&gt;bold" in page
    assert "data:image/png;base64," in page
    (run / "checkpoints" / "step-100").mkdir(parents=True)
    assert "refresh" not in render(read_history(run), 10)


def test_curves_go_from_edge_to_edge() -> None:
    svg = curves({"loss": [(5, 1.0), (10, 0.0), (20, 0.5)]}, "", 1, "step")
    (points,) = re.findall(r'points="(.*?)"', svg)
    (x0, y0), (x1, y1), (x2, y2) = (map(float, point.split(",")) for point in points.split())
    assert (x0, x2) == (LEFT, WIDTH - RIGHT)
    assert x1 - x0 == pytest.approx((x2 - x0) / 3, abs=0.1)
    assert TOP < y0 < y2 < y1 < HEIGHT - BOTTOM
    assert y2 == pytest.approx((y0 + y1) / 2, abs=0.1)
    assert curves({"loss": [(5, 1.0)]}, "", 1, "step") == ""


def test_thinned_curves_keep_their_mean() -> None:
    curve = [(step, float(step % 7)) for step in range(1, 1001)]
    thin = thinned(curve, 300)
    assert 200 < len(thin) <= 300
    assert thin[-1][0] == 1000
    assert thinned(curve[:5], 300) == curve[:5]
    assert thinned([], 300) == []
    assert np.mean([value for _, value in thinned(curve, 250)]) == pytest.approx(
        np.mean([value for _, value in curve])
    )


def test_watching_a_training_while_it_runs_and_is_resumed(photos: Path, tmp_path: Path) -> None:
    """A real run: watched at any moment, killed in the midst of a line, resumed, and finished."""
    run, ended, looks = tmp_path / "run", threading.Event(), []

    def look() -> None:
        while not ended.wait(0.05):  # a loop without pauses would hold up the training
            if (run / "config.toml").exists():
                history = read_history(run)
                looks.append(history.step)
                assert render(history, 1)

    often = {"train": {"log_every": 1, "validate_every": 2, "checkpoint_every": 2}}
    config = merge(TINY, often, {"data": {"val_crops": 1}})
    with ThreadPoolExecutor(1) as pool:
        watching = pool.submit(look)
        try:
            _train_kill_resume(photos, run, config)
        finally:
            ended.set()
        watching.result()
    history = read_history(run)
    assert [made["step"] for made in history.lines] == [1, 2, 3, 4, 5]
    assert [made["step"] for made in history.validations] == [2, 4, 5]
    assert (history.finished, history.seconds_left) == (True, 0)
    assert looks
    assert max(looks) <= 5


def _train_kill_resume(photos: Path, run: Path, config: dict[str, Any]) -> None:
    palette.train("inpainting", photos, run, steps=3, config=config)
    shutil.rmtree(run / "checkpoints" / "step-3")
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 4, "ima')  # the process died here
    assert read_history(run).step == 3
    palette.resume(run, steps=5)


@pytest.mark.parametrize(
    "values", [(-0.031, -0.038), (1e-3, 1e-3), (1e-3, 1e-3 - 2e-19), (12.0, 31.0)]
)
def test_numbers_beside_a_curve_differ_and_fit(values: tuple[float, float]) -> None:
    """Also of a small range, and of a value that never changes."""
    svg = curves({"gain": list(enumerate(values))}, "", 2, "step")
    labels = re.findall(rf'<text x="{LEFT - 6:.1f}" [^>]*>([^<]*)<', svg)
    assert len(labels) == len(set(labels)) >= 4
    assert max(map(len, labels)) <= 6
