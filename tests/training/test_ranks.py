"""Many ranks, started by torchrun as a user does: the same training; whatever ends one ends all."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import tomli_w
import torch
from conftest import TINY
from short_runs import GENERALIST, HOLD, about, lines, run, saved
from torch.distributed import TCPStore  # type: ignore[reportPrivateImportUsage]

import palette
from palette.cli.main import main
from palette.config import merge
from palette.data.images import write
from palette.data.opening import open_source
from palette.launch import Launch, launched
from palette.training import ranks
from palette.training.ranks import Ranks, first_to_speak

EVERYTHING: dict[str, Any] = {
    "options": GENERALIST,
    "model": {"dropout": 0.1},
    "diffusion": {"schedule": "adaptive", "drop_condition": 0.3},
    "train": {"batch": 2, "accumulate": 4, "log_every": 1, "checkpoint_every": 20},
    "data": {"val_crops": 1, "grey_share": 0.2},
}
"""All that is drawn for an example, in two passes of each of two ranks."""


def torchrun(
    folder: Path, *command: str | Path, count: int = 2
) -> Callable[[Callable[[int], object]], tuple[int, str]]:
    """Start `palette` under torchrun. The result waits for its end and gives code and stderr."""
    start = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    start += ["--nproc-per-node", str(count), "-m", "palette", *map(str, command)]
    with (folder / "stderr").open("w") as stderr:
        process = subprocess.Popen(start, stdout=stderr, stderr=stderr, cwd=folder)

    def end(disturb: Callable[[int], object]) -> tuple[int, str]:
        try:
            disturb(process.pid)
            code = process.wait(timeout=600)
        finally:
            if process.poll() is None:
                process.terminate()  # so torchrun ends its ranks, which a kill would leave behind
                process.wait(timeout=60)
        return code, (folder / "stderr").read_text()

    return end


def trained_by(folder: Path, count: int, photos: Path, steps: int, *layers: Any) -> Any:
    """The start of a run of EVERYTHING in ``folder`` / "run"."""
    (folder / "run.toml").write_text(tomli_w.dumps(merge(TINY, HOLD, EVERYTHING, *layers)))
    command = ["train", "generalist", "--config", "run.toml", "--data", photos, "--out", "run"]
    return torchrun(folder, *command, "--steps", str(steps), "--seed", "5", count=count)


def wait_for(step: int, out: Path) -> None:
    while not (out / "metrics.jsonl").exists() or len(lines(out)) < step:
        time.sleep(0.01)


def second_rank(agent: int, out: Path) -> int:
    """The process of the rank that does not own the folder."""
    first = json.loads((out / ".owner.json").read_text())["process"]
    others = [
        int(path.parent.name)
        for path in Path("/proc").glob("[0-9]*/stat")
        if path.read_text().rpartition(")")[2].split()[1] == str(agent)
    ]
    (second,) = (pid for pid in others if pid != first)
    return second


def said(text: str) -> list[str]:
    """What palette itself says of the end; torchrun has a report of its own."""
    return [line for line in text.splitlines() if line.startswith("palette: ")]


@pytest.fixture(scope="module")
def alone(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """Twenty steps of one rank."""
    return run(tmp_path_factory.mktemp("alone") / "run", photos, 20, "generalist", EVERYTHING)


def assert_near(one: Path, other: Path, steps: int) -> None:
    """The same losses and weights, within what sums of another order may differ."""
    steps_of = [[line for line in lines(out) if "validation" not in line] for out in (one, other)]
    for name in ("loss", "gradient_norm"):
        curves = [[line[name] for line in found[:steps]] for found in steps_of]
        torch.testing.assert_close(*map(torch.tensor, curves), rtol=1e-5, atol=1e-5)
    torch.testing.assert_close(saved(one, 20), saved(other, 20), rtol=1e-4, atol=1e-5)


def test_two_ranks_are_one_and_a_killed_one_ends_both(
    tmp_path: Path, photos: Path, alone: Path
) -> None:
    """What was done is saved, and one rank goes on with it."""
    out = tmp_path / "run"

    def kill(agent: int) -> None:
        wait_for(20, out)
        os.kill(second_rank(agent, out), signal.SIGKILL)

    code, text = trained_by(tmp_path, 2, photos, 10_000)(kill)
    assert code == 1  # of torchrun, whatever its processes end with
    (line,) = said(text)
    assert re.search("another rank ended.*continue with `palette resume`", line)
    assert re.findall(r"rank *: (\d).*\n *exitcode *: (-?\d+)", text) == [("0", "5"), ("1", "-9")]
    assert_near(alone, out, 20)
    step = lines(out)[-1]["step"]
    palette.resume(out, steps=step + 2)
    assert about(out, step + 2)["updates"] == step + 2
    assert [line["step"] for line in lines(out)] == list(range(1, step + 3))


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("count", "batch", "accumulate"), [(2, 8, 1), (4, 8, 1), (4, 2, 4)])
def test_any_number_of_ranks_and_passes(
    tmp_path: Path, photos: Path, alone: Path, count: int, batch: int, accumulate: int
) -> None:
    layer = {"train": {"batch": batch, "accumulate": accumulate}}
    code, text = trained_by(tmp_path, count, photos, 20, layer)(lambda _: None)
    assert (code, said(text)) == (0, []), text
    assert_near(alone, tmp_path / "run", 20)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("count", [2, 4])
def test_a_divided_state_is_the_same_training(
    tmp_path: Path, photos: Path, alone: Path, count: int
) -> None:
    """It begins whole, goes on divided among ranks, and whole again; it validates on its way."""
    layer = {"train": {"validate_every": 10}}
    out = run(tmp_path / "run", photos, 6, "generalist", EVERYTHING, layer)
    settings = out / "config.toml"
    settings.write_text(settings.read_text().replace("shard = false", "shard = true"))
    code, text = torchrun(tmp_path, "resume", out, "--steps", "14", count=count)(lambda _: None)
    assert (code, said(text)) == (0, []), text
    palette.resume(out, steps=20)
    assert_near(alone, out, 20)
    assert (out / "samples" / "step-10.png").exists()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_divided_run_ends_with_any_rank(tmp_path: Path, photos: Path) -> None:
    """And goes on from its last checkpoint."""
    out = tmp_path / "run"

    def kill(agent: int) -> None:
        wait_for(25, out)
        os.kill(second_rank(agent, out), signal.SIGKILL)

    layer = {"train": {"shard": True}}
    code, text = trained_by(tmp_path, 2, photos, 10_000, layer)(kill)
    assert code == 1
    (line,) = said(text)
    assert "another rank ended" in line
    palette.resume(out, steps=42)
    assert about(out, 42)["updates"] == 42


ORPHAN = """
import signal, sys, time
from palette import launch
launch.LOOK_SECONDS, launch.GRACE_SECONDS = 0.05, 0.2
if sys.argv[1] == "asked":
    signal.signal(signal.SIGTERM, lambda *_: (print("asked", flush=True), sys.exit(0)))
else:
    signal.signal(signal.SIGTERM, lambda *_: print("deaf", flush=True))
launch.end_with_parent()
print("begun", flush=True)
while True:
    time.sleep(0.05)
"""


@pytest.mark.parametrize("kind", ["asked", "deaf"])
def test_a_process_ends_when_its_parent_was_killed(kind: str) -> None:
    """Its stdout ends with it: that of an orphan would stay open."""
    parent = "import subprocess, sys; subprocess.run([sys.executable, '-c', *sys.argv[1:]])"
    start = [sys.executable, "-c", parent, ORPHAN, kind]
    with subprocess.Popen(start, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "begun\n"
        process.kill()
        assert process.stdout.read() == f"{kind}\n"


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_killed_torchrun_leaves_no_rank_and_what_was_done(
    tmp_path: Path, photos: Path, alone: Path
) -> None:
    out = tmp_path / "run"
    ranks_of: list[int] = []

    def kill(agent: int) -> None:
        wait_for(20, out)
        ranks_of.extend([json.loads((out / ".owner.json").read_text())["process"]])
        ranks_of.append(second_rank(agent, out))
        os.kill(agent, signal.SIGKILL)

    code, _ = trained_by(tmp_path, 2, photos, 10_000)(kill)
    assert code == -signal.SIGKILL
    until = time.monotonic() + 120
    while any(Path(f"/proc/{pid}").exists() for pid in ranks_of):
        assert time.monotonic() < until, "a rank lives on"
        time.sleep(0.1)
    assert_near(alone, out, 20)
    assert about(out, lines(out)[-1]["step"])["updates"] == lines(out)[-1]["step"]
    assert "continue with `palette resume" in (tmp_path / "stderr").read_text()


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_one_rank_goes_on_as_two_and_both_stop_at_a_signal(
    tmp_path: Path, photos: Path, alone: Path
) -> None:
    out = run(tmp_path / "run", photos, 10, "generalist", EVERYTHING)
    code, text = torchrun(tmp_path, "resume", out, "--steps", "20")(lambda _: None)
    assert (code, said(text)) == (0, []), text
    assert_near(alone, out, 20)

    def stop(agent: int) -> None:
        wait_for(25, out)
        os.kill(agent, signal.SIGTERM)

    code, text = torchrun(tmp_path, "resume", out, "--steps", "10000")(stop)
    step = lines(out)[-1]["step"]
    (line,) = said(text)
    assert f"stopped at step {step}: continue with `palette resume" in line
    assert about(out, step)["updates"] == step


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_a_picture_that_only_one_rank_reads_is_named_once(tmp_path: Path, photos: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    broken = tmp_path / "photos" / "b" / "broken.png"
    write(broken, open_source("bundled").read(0)[:50, :50])
    broken.write_bytes(broken.read_bytes()[:2000])
    layer = {"data": {"val_share": 0.0}, "train": {"workers": 0}}
    recorded = []
    for count in (1, 2):
        (tmp_path / str(count)).mkdir()
        end = trained_by(tmp_path / str(count), count, tmp_path / "photos", 4, layer)
        code, text = end(lambda _: None)
        assert code == 0, text
        (line,) = [line for line in said(text) if "left out" in line]
        assert "broken.png" in line
        recorded.append((tmp_path / str(count) / "run" / "left_out.json").read_text())
    assert recorded[0] == recorded[1]


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (
            ["--train.batch", "3", "--train.accumulate", "1"],
            2,
            "a step has 3 crops, which 2 ranks cannot share evenly",
        ),
        (["--train.device", "cuda:1"], 2, "device is 'cuda:1'"),
        (["--data", "nowhere"], 2, "nowhere"),
        (["--dry-run"], 2, "--dry-run plans for one device: give it without torchrun"),
    ],
)
def test_what_ranks_cannot_do_is_one_line(
    tmp_path: Path, flags: list[str], code: int, message: str
) -> None:
    (tmp_path / "run.toml").write_text(tomli_w.dumps(merge(TINY, EVERYTHING)))
    command = ["train", "generalist", "--config", "run.toml", "--out", "run", *flags]
    _, text = torchrun(tmp_path, *command)(lambda _: None)
    assert [message in line for line in said(text)] == [True], text
    assert re.findall(r"exitcode *: (\d+)", text)[-1] == str(code)
    assert not (tmp_path / "run").exists()


def test_commands_for_one_process_are_refused_by_one_line(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Of all ranks; so is any other error."""
    assert launched() == Launch()
    store = TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    launch = {"WORLD_SIZE": "2", "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1"}
    for attempt, command in enumerate((["restore", "run", "in", "out"], ["train", "nothing"])):
        launch |= {"MASTER_PORT": str(store.port), "TORCHELASTIC_RESTART_COUNT": str(attempt)}
        for rank in ("1", "0"):
            for name, value in (launch | {"RANK": rank, "LOCAL_RANK": rank}).items():
                monkeypatch.setenv(name, value)
            assert main(command) == 2
    restore, train = capfd.readouterr().err.splitlines()
    assert "restore is the work of one process, and torchrun started 2" in restore
    assert "task is 'nothing'" in train
    del store
    monkeypatch.setattr(ranks, "ANSWER", timedelta(seconds=0.1))
    assert first_to_speak()  # where nobody can be asked


def test_a_step_is_shared_evenly() -> None:
    parts = [Ranks(torch.device("cpu"), rank, 3).part(12) for rank in range(3)]
    assert parts == [range(4), range(4, 8), range(8, 12)]
    with pytest.raises(ValueError, match=r"has 16 crops, which 3 ranks .* a multiple of 3"):
        Ranks(torch.device("cpu"), 0, 3).part(16)
