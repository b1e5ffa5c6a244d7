"""Help, errors and full disks: in a pipe whose reader is gone, at any width, for every command."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from palette.cli import tasks
from palette.cli.main import COMMANDS, main
from palette.errors import (
    DIVERGED,
    INTEGRITY,
    INTERRUPTED,
    MACHINE,
    OK,
    PREEMPTED,
    USAGE,
    Diverged,
    IntegrityError,
    InUse,
    MachineError,
    PictureError,
    Preempted,
    UserError,
)

COMMAND = [sys.executable, "-m", "palette"]
HELPS = [["--help"], ["train", "colorization", "--help"], *([name, "--help"] for name in COMMANDS)]


def unread(args: Sequence[str], stream: str) -> subprocess.CompletedProcess[bytes]:
    """Run with ``stream`` into a pipe that nobody reads, in a window of one column."""
    read, write = os.pipe()
    os.close(read)
    try:
        return subprocess.run(
            [*COMMAND, *args],
            stdout=write if stream == "stdout" else subprocess.PIPE,
            stderr=write if stream == "stderr" else subprocess.PIPE,
            env={**os.environ, "COLUMNS": "1"},
            check=False,
        )
    finally:
        os.close(write)


@pytest.mark.parametrize("args", HELPS, ids=" ".join)
def test_help_that_nobody_reads(args: list[str]) -> None:
    done = unread(args, "stdout")
    assert (done.returncode, done.stderr) == (OK, b"")


@pytest.mark.parametrize("args", [["restor"], ["restore"], ["train", "colorizatoin"], []])
def test_errors_that_nobody_reads(args: list[str]) -> None:
    assert unread(args, "stderr").returncode == USAGE


def test_help_loads_no_torch() -> None:
    """But for train, whose flags are those of the tasks and their degradations."""
    light = [args for args in HELPS if args[0] != "train"]
    code = (
        "import sys; from palette.cli.main import main\n"
        f"for args in {light}:\n"
        "    try: main(args)\n"
        "    except SystemExit: pass\n"
        "    assert 'torch' not in sys.modules, args"
    )
    subprocess.run([sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL)


def test_the_overview_loads_nothing_heavy() -> None:
    """`palette --help` and unknown commands answer at once: no library is loaded."""
    code = (
        "import sys; from palette.cli.main import main\n"
        "assert main(['--help']) == 0 and main(['restor']) == 2\n"
        "ours = {name for name in sys.modules if name.partition('.')[0] == 'palette'}\n"
        "assert len(ours) < 12, ours\n"
        "heavy = {'numpy', 'torch', 'tyro', 'PIL', 'cv2', 'scipy', 'h5py', 'pydantic', 'tqdm'}\n"
        "assert not heavy & set(sys.modules), heavy & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_letters_that_an_encoding_lacks(encoding: str) -> None:
    environment = {**os.environ, "PYTHONIOENCODING": encoding}
    done = subprocess.run(
        [*COMMAND, "restore", "--help"], env=environment, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (OK, b"")
    assert b"--steps" in done.stdout


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_behind_stdout() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*COMMAND, "--help"], stdout=full, stderr=subprocess.PIPE, text=True, check=False
        )
    assert done.returncode == MACHINE
    assert done.stderr.startswith("palette: the disk is full")
    assert done.stderr.count("\n") == 1


def on_full_disk(*args: object, limit: int) -> str:
    """The last line of stderr where no file may grow beyond ``limit`` bytes."""

    def small_files() -> None:
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))

    command = [*COMMAND, *map(str, args)]
    done = subprocess.run(
        command, preexec_fn=small_files, capture_output=True, text=True, check=False
    )
    assert done.returncode == MACHINE, done.stderr
    assert "Traceback" not in done.stderr
    line = done.stderr.splitlines()[-1]
    assert line.startswith("palette: ")
    return line


@pytest.mark.parametrize("args", [["degrade", "grayscale"], ["pack"]])
def test_a_full_disk_is_no_usage_error(args: list[str], photos: Path, tmp_path: Path) -> None:
    said = on_full_disk(*args, photos, tmp_path / "out.h5", limit=1000)
    assert "give the same command again" in said


def test_a_full_disk_in_training(photos: Path, tmp_path: Path) -> None:
    """Settings fit, the first checkpoint does not."""
    small = ["--model.width", "8", "--model.groups", "4", "--train.precision", "fp32"]
    flags = ["--data", photos, "--out", tmp_path / "run", "--steps", "1", "--train.workers", "0"]
    line = on_full_disk("train", "colorization", *flags, *small, limit=20_000)
    assert "weights.safetensors" in line
    assert "palette resume" in line
    assert not list((tmp_path / "run").rglob("*.safetensors"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UserError("text"), USAGE),
        (PictureError("text"), USAGE),
        (InUse("text"), USAGE),
        (FileNotFoundError(2, "No such file", "text"), USAGE),
        (PermissionError(13, "Permission denied", "text"), USAGE),
        (IntegrityError("text"), INTEGRITY),
        (Diverged("text"), DIVERGED),
        (Preempted("text"), PREEMPTED),
        (MachineError("text"), MACHINE),
        (OSError(28, "No space left on device", "text"), MACHINE),
        (OSError(122, "Disk quota exceeded", "text"), MACHINE),
        (KeyboardInterrupt(), INTERRUPTED),
    ],
)
def test_the_class_decides_the_code(
    error: BaseException,
    code: int,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(tasks, "run", fail_with(error))
    assert main(["tasks"]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("palette: ")
    assert "text" in line or code == INTERRUPTED


@pytest.mark.parametrize("words", ["", "[enforce fail] DefaultCPUAllocator: can't allocate memory"])
def test_memory_is_the_machine(
    words: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch  # noqa: F401

    error = RuntimeError(words) if words else MemoryError()
    monkeypatch.setattr(tasks, "run", fail_with(error))
    assert main(["tasks"]) == MACHINE
    assert "the memory does not suffice" in capsys.readouterr().err


@pytest.mark.parametrize(
    "error", [kind("ours") for kind in (AssertionError, ValueError, RuntimeError, OSError)]
)
def test_a_bug_of_ours_keeps_its_traceback(
    error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tasks, "run", fail_with(error))
    with pytest.raises(type(error), match="ours"):
        main(["tasks"])


def fail_with(error: BaseException):
    def run(args: object) -> int:
        raise error

    return run
