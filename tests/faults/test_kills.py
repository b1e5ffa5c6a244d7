"""Training, packing and restoring survive SIGKILL; `make faults` kills each of them 50 times."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import tomli_w
from conftest import TINY
from kills import Contents, Work, contents, run, survive

from palette.checkpoint import checkpoints, load_checkpoint, load_model
from palette.config import merge
from palette.data.hdf5 import verify

KILLS = int(os.environ.get("PALETTE_KILLS", "2"))
"""Of each command."""

pytestmark = pytest.mark.timeout(60 + 120 * KILLS)

SETTINGS = {
    "steps": 6,
    "train": {"checkpoint_every": 2, "validate_every": 3, "log_every": 1, "workers": 1},
    "data": {"val_crops": 1},
}


def report(what: str, work: Work) -> None:
    found = survive(work, KILLS)
    print(
        f"{what}: {found.at_work} kills at work ({found.attempts} attempts) at random moments of "
        f"{found.seconds:.1f} s, then again: the bytes of an uninterrupted run"
    )


def test_training(photos: Path, tmp_path: Path) -> None:
    folder = tmp_path / "out" / "run"
    config = tmp_path / "config.toml"
    config.write_text(tomli_w.dumps(merge(TINY, SETTINGS)))
    flags = ["--data", str(photos), "--out", str(folder), "--config", str(config)]
    command = ["train", "inpainting", *flags]

    def again() -> list[str]:
        return ["resume", str(folder)] if (folder / "run.json").exists() else command

    def sound(whole: Contents) -> None:
        for checkpoint in checkpoints(folder):
            load_checkpoint(checkpoint)
        for model in ("model", "best"):
            if (folder / model).exists():
                load_model(folder / model)

    def same(name: str, content: bytes) -> object:
        """Without the clock."""
        if not name.endswith("metrics.jsonl"):
            return content
        lines = [json.loads(line) for line in content.splitlines()]
        return [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines]

    report("training", Work(tmp_path / "out", command, again, sound, same))


def test_packing(photos: Path, tmp_path: Path) -> None:
    target = tmp_path / "out" / "photos.h5"
    command = ["pack", str(photos), str(target)]

    def sound(whole: Contents) -> None:
        assert contents(target.parent) in ({}, whole)
        assert not target.exists() or verify(target) == []

    report("packing", Work(target.parent, command, lambda: command, sound))
    assert [path.name for path in target.parent.iterdir()] == ["photos.h5"]


def test_restoring(photos: Path, trained: dict[str, Path], tmp_path: Path) -> None:
    folder = tmp_path / "out" / "restored"
    before = contents(photos)
    command = ["restore", str(trained["jpeg-restoration"]), str(photos), str(folder)]

    def sound(whole: Contents) -> None:
        for name, content in contents(folder.parent).items():
            appended = name.endswith(".jsonl")
            same = whole[name].startswith(content) if appended else content == whole[name]
            assert same, f"{name} is half"

    report("restoring", Work(folder.parent, command, lambda: command, sound))
    assert contents(photos) == before


def test_a_command_that_fails_says_why(tmp_path: Path) -> None:
    code, text = run(["pack", str(tmp_path / "none"), str(tmp_path / "all.h5")], tmp_path)
    assert code == 2
    assert "no such folder" in text
