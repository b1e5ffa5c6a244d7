"""The learning rate's rise and fall, and the averages of the weights."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from short_runs import run, run_and_stop, saved

import palette
from palette.config import RunConfig
from palette.resolving import resolve
from palette.training import loop as training
from palette.training.state import rate


def config(decay: str, warmup_images: int = 80, steps: int = 100) -> RunConfig:
    """Batches of 4 · 2."""
    train = {"decay": decay, "warmup_images": warmup_images, "batch": 4, "accumulate": 2}
    return resolve("denoising", TINY, {"train": train, "steps": steps})[0]


@pytest.mark.parametrize("decay", ["none", "linear", "cosine"])
def test_it_rises_with_the_images(decay: str) -> None:
    """By 8 of 80 with each step, from the first one on."""
    for updates in range(10):
        falls = (1 + math.cos(math.pi * updates / 100)) / 2 if decay == "cosine" else 1
        assert rate(config(decay), updates) == pytest.approx((updates + 1) / 10 * falls)
    assert rate(config(decay, warmup_images=0), 0) == pytest.approx(1)


@pytest.mark.parametrize(
    ("decay", "expected"),
    [
        ("none", {20: 1, 50: 1, 80: 1, 99: 1, 250: 1}),
        # held for four fifths, then straight down to what the last step still has
        ("linear", {20: 1, 50: 1, 80: 1, 90: 0.5, 99: 0.05, 100: 0, 250: 0}),
        ("cosine", {25: (1 + math.sqrt(0.5)) / 2, 50: 0.5, 75: (1 - math.sqrt(0.5)) / 2, 100: 0}),
    ],
)
def test_it_falls_as_it_was_chosen(decay: str, expected: dict[int, float]) -> None:
    for updates, share in expected.items():
        assert rate(config(decay), updates) == pytest.approx(share, abs=1e-12)


def test_a_linear_decay_begins_later_in_a_longer_run() -> None:
    """So that a run can be made longer before its last fifth, and is the same run."""
    for updates in range(80):
        assert rate(config("linear"), updates) == rate(config("linear", steps=400), updates)
    assert rate(config("linear"), 90) < rate(config("linear", steps=400), 90)


def watch(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The learning rate with which each update is made."""
    rates: list[float] = []
    step = torch.optim.AdamW.step

    def stepping(optimizer: torch.optim.AdamW, *args: Any) -> Any:
        rates.append(optimizer.param_groups[0]["lr"])
        return step(optimizer, *args)

    monkeypatch.setattr(torch.optim.AdamW, "step", stepping)
    return rates


@pytest.mark.parametrize("decay", ["linear", "cosine"])
def test_it_is_the_same_after_a_resume(
    decay: str, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings: dict[str, Any] = {"decay": decay, "warmup_images": 5, "learning_rate": 1e-3}
    rates = watch(monkeypatch)
    whole = run(tmp_path / "whole", photos, 10, "denoising", **settings)
    at_once = rates.copy()
    rates.clear()
    what = (tmp_path / "twice", photos, 10, "denoising")
    twice = run_and_stop(7, monkeypatch, *what, **settings)
    palette.resume(twice)
    assert rates == at_once
    crops = palette.load(whole).model.config
    assert rates == pytest.approx([1e-3 * rate(crops, n) for n in range(10)])
    assert rates[0] == pytest.approx(1e-3 * 2 / 5)


def test_an_average_for_each_decay(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """θ̄ ← β·θ̄ + (1 − β)·θ with β = min(decay, (1 + n)/(10 + n)), from the first weights on."""
    seen: list[dict[str, torch.Tensor]] = []
    optimizer_step = training.optimizer_step

    def watched(state: Any, *rest: Any) -> tuple[float, float]:
        if not seen:
            seen.append({k: v.clone() for k, v in state.denoiser.state_dict().items()})
        result = optimizer_step(state, *rest)
        seen.append({k: v.clone() for k, v in state.denoiser.state_dict().items()})
        return result

    monkeypatch.setattr(training, "optimizer_step", watched)
    settings = {"ema": [0.15, 0.999, 0.0], "learning_rate": 1e-2}
    found = saved(run(tmp_path / "run", photos, 4, "denoising", **settings), 4)
    for decay in (0.15, 0.999, 0.0):
        for name, first in seen[0].items():
            average = first.double()
            for n, weights in enumerate(seen[1:]):
                beta = min(decay, (1 + n) / (10 + n))
                average = beta * average + (1 - beta) * weights[name].double()
            torch.testing.assert_close(
                found[f"average-{decay}.{name}"].double(), average, atol=1e-6, rtol=1e-5
            )
    name = "unet.stem.weight"
    assert torch.equal(found[f"average-0.0.{name}"], found[f"weights.{name}"])
    assert not torch.equal(found[f"average-0.15.{name}"], found[f"average-0.999.{name}"])


def test_without_a_validation_the_model_has_the_first_average(tmp_path: Path, photos: Path) -> None:
    for first, second in ((0.0, 0.9), (0.9, 0.0)):
        out = run(tmp_path / f"{first}", photos, 2, "denoising", ema=[first, second])
        weights = palette.load(out).model.denoiser.state_dict()
        kept = saved(out, 2)
        for name, value in weights.items():
            assert torch.equal(value, kept[f"average-{first}.{name}"])
