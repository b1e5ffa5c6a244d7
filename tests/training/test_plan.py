"""`palette train … --dry-run`: what it says is what the run would be, and nothing is written."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch
from conftest import TINY

from palette.api import plan_run
from palette.config import merge
from palette.errors import UserError
from palette.network.denoiser import Denoiser
from palette.resolving import resolve
from palette.training import plan as planning


def plan_of(photos: Path, *layers: dict[str, object], task: str = "generalist") -> str:
    several = {"tasks": "jpeg-restoration:3,colorization", "scale": "2"}
    options = {"options": several if task == "generalist" else {}}
    config, members = resolve(task, TINY, options, {"data": {"path": str(photos)}}, *layers)
    return plan_run(config, members, photos.parent / "run")


def test_the_plan_says_what_the_run_would_be(
    photos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = plan_of(photos, {"train": {"accumulate": 3}, "steps": 40})
    assert text.startswith("generalist: 40 steps of 6 crops of 32² pixels, 3 × 2\n")
    config, _ = resolve("generalist", TINY, {"options": {"tasks": "jpeg-restoration,colorization"}})
    count = sum(p.numel() for p in Denoiser(config.model, 32).parameters())
    assert re.search(rf"parameters +{count:,}\n", text)
    assert re.search(r"\n +0 +16 +8 +1\n +1 +8 +16 +1\nmiddle +8 +16 +2  yes\n", text)
    assert re.search(r"seconds a step, .* on cpu \(measured, 6 passes\)", text)
    assert re.search(r"pictures +[45] in .*; [12] for validation", text)
    assert re.search(r"task jpeg-restoration +75\.0% of the crops, residual diffused", text)
    assert re.search(r"task colorization +25\.0% of the crops, chroma diffused", text)
    assert not list(tmp_path.iterdir())
    assert not (photos.parent / "run").exists()


def test_the_plan_does_not_move_the_random_numbers(photos: Path) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    plan_of(photos, task="jpeg-restoration")
    assert torch.equal(torch.rand(3), expected)


def test_what_takes_too_long_is_estimated(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "TRIED", {"cpu": 0.0})
    assert re.search(
        r"a step, .* on cpu \(at least: one of its convolutions does .*G? mul",
        plan_of(photos),
    )


def test_what_does_not_fit_is_said(photos: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(planning, "free_bytes", lambda _: 1e5)
    assert "too little: lower --train.batch" in plan_of(photos)

    def full(*_: object) -> float:
        raise MemoryError

    monkeypatch.setattr(planning, "_measured_pass", full)
    assert "a pass does not fit in the memory of cpu" in plan_of(photos)


def test_pictures_that_do_not_suit_are_found(photos: Path, tmp_path: Path) -> None:
    config, members = resolve("jpeg-restoration", TINY, {"data": {"path": str(tmp_path / "no")}})
    with pytest.raises(UserError, match="no"):
        plan_run(config, members, tmp_path / "run")
    config, members = resolve("jpeg-restoration", merge(TINY, {"data": {"path": str(photos)}}))
    with pytest.raises(UserError, match="inside of the pictures"):
        plan_run(config, members, photos / "run")
