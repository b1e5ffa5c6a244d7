"""What goes wrong around a run: a full disk, workers that die. Nothing that was done is lost."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from short_runs import assert_equal_bits, run, saved

import palette
from palette.cli.main import main
from palette.data import loader
from palette.training.set import TrainingSet


@contextmanager
def no_file_larger_than(limit: int) -> Iterator[None]:
    """A full disk, by a limit on the size of files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_full_disk_keeps_the_checkpoint_before(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = run(tmp_path / "run", photos, 2)
    before = {path: path.read_bytes() for path in out.rglob("*.safetensors")}
    capsys.readouterr()
    with no_file_larger_than(20_000):
        assert main(["resume", str(out), "--steps", "4"]) == 5
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert "cannot be written" in message
    assert "give the same command again" in message
    assert {path: path.read_bytes() for path in out.rglob("*.safetensors")} == before
    palette.resume(out, steps=4)
    assert_equal_bits(saved(out, 4), saved(run(tmp_path / "whole", photos, 4), 4))


@pytest.mark.parametrize("how", ["dies", pytest.param("hangs", marks=pytest.mark.slow)])
def test_what_was_done_before_a_worker_ended_is_saved(
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    how: str,
) -> None:
    """It dies, or hangs, in the fourth batch of two."""
    example = TrainingSet.example

    def fragile(crops: TrainingSet, position: int) -> Any:
        if position >= 6 and crops.config.train.workers:
            if how == "dies":
                os._exit(9)
            time.sleep(30)
        return example(crops, position)

    out = run(tmp_path / "run", photos, 2, workers=1)
    capsys.readouterr()
    with monkeypatch.context() as patch:
        patch.setattr(TrainingSet, "example", fragile)
        patch.setattr(loader, "WORKER_TIMEOUT_SECONDS", 3)
        assert main(["resume", str(out), "--steps", "5"]) == 5
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert ("prepares batches ended" if how == "dies" else "no batch came within 3") in message
    assert saved(out, 3) or how == "dies"  # which the main process may learn in step 3
    palette.resume(out)
    assert_equal_bits(saved(out, 5), saved(run(tmp_path / "whole", photos, 5), 5))
