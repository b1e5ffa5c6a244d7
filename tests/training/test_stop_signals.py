"""Signals as batch systems send them: to every process of a run at once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import tomli_w
from conftest import TINY
from short_runs import lines

from palette.checkpoint import checkpoints
from palette.config import merge
from palette.errors import PREEMPTED


def test_sigterm_to_the_whole_process_group_saves_and_can_be_resumed(
    tmp_path: Path, photos: Path
) -> None:
    """The workers of the loader get it too, and go on until the run has saved."""
    file, out = tmp_path / "run.toml", tmp_path / "run"
    file.write_text(tomli_w.dumps(merge(TINY, {"train": {"workers": 2, "log_every": 1}})))
    command = ["train", "inpainting", "--config", str(file), "--steps", "100000"]
    command += ["--data", str(photos), "--out", str(out)]
    started = subprocess.Popen(
        [sys.executable, "-m", "palette", *command],
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        while not (out / "metrics.jsonl").exists() or not lines(out):
            assert started.poll() is None
            time.sleep(0.1)
        os.killpg(started.pid, signal.SIGTERM)
        _, err = started.communicate(timeout=60)
    finally:
        started.kill()
    assert started.returncode == PREEMPTED
    said = [line for line in err.splitlines() if not line.startswith("measured once")]
    assert len(said) == 1
    assert said[0].startswith("palette: stopped at step")
    (saved,) = checkpoints(out)
    assert saved.name == f"step-{lines(out)[-1]['step']}"
