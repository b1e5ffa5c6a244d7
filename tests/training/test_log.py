"""Logs beside metrics.jsonl: a function of a user, also the documented one, and TensorBoard."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from short_runs import lines, run, run_and_stop

import palette
from palette.cli.main import main
from palette.config import merge, to_toml
from palette.training.log import numbers
from palette.training.state import rate

OFTEN = {"train": {"validate_every": 2, "log_every": 1}, "data": {"val_crops": 1}}


def test_a_function_gets_what_is_written(photos: Path, tmp_path: Path) -> None:
    told: list[tuple[int, dict[str, Any]]] = []

    def log(step: int, values: Any) -> None:
        told.append((step, dict(values)))

    config = merge(TINY, OFTEN)
    options = {"tasks": "jpeg-restoration,inpainting"}
    palette.train("generalist", photos, tmp_path / "run", steps=2, options=options, config=config,
                  log=log)  # fmt: skip
    written = lines(tmp_path / "run")
    assert [step for step, _ in told] == [1, 2, 2, 2]
    assert [values for _, values in told[:3]] == [numbers(line) for line in written]
    assert told[0][1]["train/loss"] == written[0]["loss"]
    assert (
        told[2][1]["validation/tasks/inpainting/gain"]
        == (written[2]["validation"]["tasks"]["inpainting"]["gain"])
    )
    assert all(isinstance(v, float) for _, values in told[:3] for v in values.values())
    strip = told[3][1]["validation/strip"]
    assert strip.shape[2] == 3
    assert strip.dtype == np.float32
    assert strip.min() >= 0
    assert strip.max() <= 1


def test_a_resumed_run_logs_on(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = run_and_stop(2, monkeypatch, tmp_path / "run", photos, 4, log_every=1)
    told: list[int] = []
    palette.resume(stopped, log=lambda step, values: told.append(step))
    assert told == [4]


def test_the_learning_rate_is_that_of_the_optimizer(photos: Path, tmp_path: Path) -> None:
    made = run(tmp_path / "run", photos, 6, log_every=2, decay="linear", warmup_images=4)
    config = palette.load(made).model.config
    for line in lines(made):
        expected = rate(config, line["step"]) * config.train.learning_rate
        assert line["learning_rate"] == pytest.approx(expected)


def test_the_documented_hook_for_weights_and_biases(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code of docs/training.md, with a stand-in for the package; five lines at the most."""
    text = (Path(__file__).parents[2] / "docs" / "training.md").read_text(encoding="utf-8")
    (code,) = [c for c in re.findall(r"```python\n(.*?)```", text, re.DOTALL) if "wandb" in c]
    hook, _, rest = code.partition("\n\n")[2].partition("\n\n")
    assert len(hook.splitlines()) <= 5
    sent: list[tuple[int, dict[str, Any]]] = []
    wandb = SimpleNamespace(
        init=lambda project: None,
        Image=lambda picture: ("picture", picture.shape),
        log=lambda values, step: sent.append((step, values)),
    )
    monkeypatch.setitem(sys.modules, "wandb", wandb)
    monkeypatch.chdir(tmp_path)
    Path("photos").symlink_to(photos)
    whole = palette.train

    def short(task: str, **given: Any) -> Any:
        return whole(task, steps=2, config=merge(TINY, OFTEN), **given)

    monkeypatch.setattr(palette, "train", short, raising=False)
    exec(code, {})
    assert rest
    assert sent[0][1]["train/loss"] > 0
    assert sent[-1][1]["validation/strip"][0] == "picture"


def test_tensorboard_has_numbers_and_strips_and_goes_on_after_a_resume(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    run_folder = tmp_path / "run"
    config = tmp_path / "tiny.toml"
    config.write_text(to_toml(merge(TINY, OFTEN, {"train": {"checkpoint_every": 2}})))
    command = ["train", "inpainting", "--config", str(config), "--data", str(photos)]
    assert main([*command, "--out", str(run_folder), "--steps", "3", "--log", "tensorboard"]) == 0
    for leftover in (run_folder / "checkpoints" / "step-3").iterdir():
        leftover.unlink()  # as if it had been killed in step 3: that is done, and logged, again
    (run_folder / "checkpoints" / "step-3").rmdir()
    assert main(["resume", str(run_folder), "--steps", "4"]) == 0
    events = accumulator.EventAccumulator(str(run_folder / "tensorboard"))
    events.Reload()
    assert [event.step for event in events.Scalars("train/loss")] == [1, 2, 3, 4]
    assert {"validation/gain", "validation/loss/-8"} < set(events.Tags()["scalars"])
    assert events.Scalars("train/loss")[2].value == pytest.approx(lines(run_folder)[3]["loss"])
    (_, *_, strip) = events.Images("validation/strip")
    assert (strip.step, strip.width) == (4, 4 * 64)
