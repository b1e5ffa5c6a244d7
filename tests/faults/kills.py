"""Run a command, kill it (SIGKILL) at a random moment, go on, compare with an uninterrupted run.

The commands run in processes that are forked from one that has imported everything, so that a
kill finds work and not an import.
"""

from __future__ import annotations

import faulthandler
import multiprocessing
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

from palette.progress import Progress
from palette.seeding import rng

Command = Sequence[str]
Contents = dict[str, bytes]
"""The files of a folder by their path below it, hidden ones apart."""

HANGS_SECONDS = 300
"""A command that takes longer, even on a busy machine, hangs: it ends with a traceback."""

_FORKS = multiprocessing.get_context("forkserver")
_FORKS.set_forkserver_preload(
    ["palette.api", "palette.training.loop", "palette.restoring.restorer", "palette.data.hdf5"]
)


@dataclass(frozen=True)
class Work:
    """A command that makes files in ``out``, a folder that is empty before."""

    out: Path
    command: Command
    again: Callable[[], Command]
    """How a user goes on after a kill, by what is there."""
    sound: Callable[[Contents], None]
    """Asserts after a kill that nothing in ``out`` is half; gets the uninterrupted run's files."""
    same: Callable[[str, bytes], object] = lambda name, content: content
    """What of a file, by its name and content, is the same in every run."""


@dataclass(frozen=True)
class Kills:
    """How many kills found the command at work, of how many attempts, in which seconds of it."""

    at_work: int
    attempts: int
    seconds: float


def survive(work: Work, kills: int, seed: int = 0) -> Kills:
    """Kill ``work`` at ``kills`` random moments, each in a run of its own; assert that nothing is
    lost, nothing half, and that going on ends in the files of an uninterrupted run."""
    whole, seconds = _uninterrupted(work)
    at_work = attempts = 0
    with Progress(kills, work.command[0], "kills") as bar:
        while at_work < kills:
            assert attempts < 10 * kills, "the command ends before it can be killed"
            moment = float(rng(seed, "kill", attempts).random()) * seconds
            attempts += 1
            _empty(work.out)
            if not _killed(work, moment):
                continue
            at_work += 1
            bar.update()
            work.sound(whole)
            code, text = run(work.again(), work.out.parent)
            assert code == 0, f"kill {attempts} after {moment:.3f} s: {text}"
            found = contents(work.out)
            assert found.keys() == whole.keys(), f"kill {attempts} after {moment:.3f} s"
            for name, content in found.items():
                expected = work.same(name, whole[name])
                assert work.same(name, content) == expected, f"kill {attempts}: {name} differs"
    return Kills(at_work, attempts, seconds)


def run(command: Command, folder: Path) -> tuple[int, str]:
    """The exit code of a command and what it printed, by way of a file in ``folder``."""
    process = _start(command, folder)
    process.join()
    code = process.exitcode
    assert code is not None
    return code, _printed(folder).read_text(encoding="utf-8")


def contents(folder: Path) -> Contents:
    paths = sorted(path for path in folder.rglob("*") if path.is_file())
    names = {path.relative_to(folder): path for path in paths}
    visible = {n: p for n, p in names.items() if not any(part[0] == "." for part in n.parts)}
    return {name.as_posix(): path.read_bytes() for name, path in visible.items()}


def _uninterrupted(work: Work) -> tuple[Contents, float]:
    """The files, and the seconds from the first of them to the end."""
    seconds = 0.0
    for _ in range(2):  # the first run may also measure formats and fill caches
        _empty(work.out)
        process = _start(work.command, work.out.parent)
        begin = _first_sign(process, work.out)
        process.join()
        seconds = time.monotonic() - begin
        assert process.exitcode == 0, _printed(work.out.parent).read_text(encoding="utf-8")
    return contents(work.out), seconds


def _killed(work: Work, moment: float) -> bool:
    """Whether the command was still at work ``moment`` seconds after its first file."""
    process = _start(work.command, work.out.parent)
    _first_sign(process, work.out)
    process.join(moment)
    process.kill()
    process.join()
    return process.exitcode != 0


def _first_sign(process: BaseProcess, out: Path) -> float:
    while process.is_alive() and not any(out.iterdir()):
        time.sleep(0.001)
    return time.monotonic()


def _empty(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()


def _printed(folder: Path) -> Path:
    return folder / "printed.txt"


def _start(command: Command, folder: Path) -> BaseProcess:
    process = _FORKS.Process(target=_main, args=(list(command), _printed(folder)))
    process.start()
    return process


def _main(command: list[str], printed: Path) -> None:
    from palette.cli.main import main

    multiprocessing.set_start_method("fork", force=True)  # of the loader's workers, as usual
    with printed.open("w", encoding="utf-8") as file:
        sys.stdout = sys.stderr = file
        faulthandler.dump_traceback_later(HANGS_SECONDS, file=file, exit=True)
        code = main(command)
    raise SystemExit(code)
