"""Runs of a few steps, and what they leave: weights, averages, moments, lines."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY, partners
from safetensors.torch import load_file

import palette
from palette.config import merge
from palette.data.cache import CachedSource
from palette.data.opening import open_source
from palette.errors import Preempted
from palette.resolving import resolve
from palette.training import loop as training
from palette.training.set import TrainingSet

HOLD = {"train": {"checkpoint_every": 2, "decay": "none"}}
"""A learning rate that does not know the end of the run, so that it may come later."""
GENERALIST: dict[str, Any] = {
    "tasks": "super-resolution:2,colorization,inpainting,denoising",
    "scale": "2,3",
}
"""Five members: whole pictures, chroma and a hole."""


def run(
    out: Path,
    photos: Path,
    steps: int,
    task: str = "inpainting",
    *layers: dict[str, Any],
    **train: Any,
) -> Path:
    """Train in ``out`` with the constant learning rate of HOLD, under ``layers`` and ``train``."""
    config = merge(TINY, {"model": {"dropout": 0.1}}, HOLD, *layers, {"train": train})
    palette.train(task, data=photos, out=out, steps=steps, seed=5, config=config)
    return out


def stop_at(step: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Send SIGTERM when the step is about to begin."""
    optimizer_step = training.optimizer_step

    def step_and_signal(state: Any, *rest: Any) -> tuple[float, float]:
        if state.step == step:
            os.kill(os.getpid(), signal.SIGTERM)
        return optimizer_step(state, *rest)

    monkeypatch.setattr(training, "optimizer_step", step_and_signal)


def run_and_stop(
    at: int, monkeypatch: pytest.MonkeyPatch, out: Path, *rest: Any, **more: Any
) -> Path:
    """A run that is told to stop in step ``at`` + 1, and saves."""
    with monkeypatch.context() as patch:
        stop_at(at, patch)
        with pytest.raises(Preempted, match="palette resume"):
            run(out, *rest, **more)
    return out


def saved(run: Path, step: int) -> dict[str, torch.Tensor]:
    """Every tensor of a checkpoint: weights, averages, moments and the draws' losses."""
    folder = run / "checkpoints" / f"step-{step}"
    return {
        f"{path.stem}.{name}": value
        for path in sorted(folder.glob("*.safetensors"))
        for name, value in load_file(path).items()
    }


def about(run: Path, step: int) -> dict[str, Any]:
    """The plain values of a checkpoint."""
    return json.loads((run / "checkpoints" / f"step-{step}" / "state.json").read_text())


def lines(run: Path) -> list[dict[str, Any]]:
    """metrics.jsonl"""
    return [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]


def assert_equal_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


def training_set(
    task: str, data: Path | str, *layers: dict[str, Any], cache_bytes: int = 2**24
) -> TrainingSet:
    """What a run of TINY would read, under ``layers``."""
    config, members = resolve(task, TINY, {"data": {"path": str(data)}}, *layers)
    inputs = partners(Path(data)) if any(member.task.paired for member in members) else None
    return TrainingSet(CachedSource(open_source(data, inputs=inputs), cache_bytes), members, config)
