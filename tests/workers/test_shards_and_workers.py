"""Serial, shards that are merged, and workers on this machine make the same bytes."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from palette.cli.main import main
from palette.errors import INTEGRITY, MACHINE, OK, SOME_FAILED, USAGE

Capture = pytest.CaptureFixture[str]
TIMES = ("report.html", "times")
"""Files that hold seconds."""


def run(*command: object) -> int:
    return main([str(part) for part in command])


def contents(folder: Path) -> dict[str, bytes]:
    """All that a user sees, without what says how long it took."""
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith((".", *TIMES))
    }


@pytest.fixture
def inbox(photos: Path, tmp_path: Path) -> Path:
    """Six photographs in two folders, and a file that is none."""
    shutil.copytree(photos, tmp_path / "in")
    (tmp_path / "in" / "broken.png").write_text("no picture")
    return tmp_path / "in"


@pytest.fixture
def many(photos: Path, tmp_path: Path) -> Path:
    """More than two blocks of an evaluation."""
    for copy in "abcdef":
        shutil.copytree(photos, tmp_path / "many" / copy)
    return tmp_path / "many"


Command = Callable[[Path], list[object]]


@pytest.fixture(params=["restore", "degrade"])
def command(request: pytest.FixtureRequest, trained: dict[str, Path], inbox: Path) -> Command:
    """A command that fills a folder."""
    if request.param == "degrade":
        return lambda out: ["degrade", "jpeg", inbox, out, "--count", 2]
    model = trained["jpeg-restoration"]
    return lambda out: ["restore", model, inbox, out, "--precision", "fp32", "--answer", "mean"]


def test_shards_of_one_folder_merge_to_the_whole(
    command: Command, tmp_path: Path, capsys: Capture
) -> None:
    whole, out = tmp_path / "whole", tmp_path / "out"
    assert run(*command(whole)) == SOME_FAILED
    assert run(*command(out), "--shard", "1/2") in (OK, SOME_FAILED)
    assert "palette merge" in capsys.readouterr().out
    assert run("merge", out) == INTEGRITY
    assert "shard 0/2 is in none of the folders" in capsys.readouterr().err
    assert run(*command(out), "--shard", "0/2") in (OK, SOME_FAILED)
    assert run("merge", out) == SOME_FAILED
    assert contents(out) == contents(whole)
    assert run(*command(out)) == SOME_FAILED  # goes on as the whole, with nothing but the failed
    assert contents(out) == contents(whole)


def test_shards_of_folders_of_their_own_merge(
    command: Command, tmp_path: Path, capsys: Capture
) -> None:
    parts = [tmp_path / f"part-{index}" for index in range(3)]
    for index, part in enumerate(parts):
        assert run(*command(part), "--shard", f"{index}/3") in (OK, SOME_FAILED)
    assert run(*command(tmp_path / "whole")) == SOME_FAILED
    assert run("merge", *parts) == USAGE
    assert "name a new one by --out" in capsys.readouterr().err
    assert run("merge", *parts[:2], "--out", tmp_path / "two") == INTEGRITY
    assert "shard 2/3" in capsys.readouterr().err
    assert run("merge", *reversed(parts), "--out", tmp_path / "merged") == SOME_FAILED
    assert contents(tmp_path / "merged") == contents(tmp_path / "whole")
    lost = next(path for path in sorted(parts[0].rglob("*.png")))
    lost.unlink()
    assert run("merge", *parts, "--out", tmp_path / "again") == INTEGRITY
    assert lost.name in capsys.readouterr().err
    assert not (tmp_path / "again").exists()


def test_shards_of_other_works_are_refused(
    command: Command, tmp_path: Path, inbox: Path, capsys: Capture
) -> None:
    one, two, three = (tmp_path / name for name in ("one", "two", "three"))
    run(*command(one), "--shard", "0/2")
    run(*command(two), "--seed", "1", "--shard", "1/2")
    (inbox / "broken.png").unlink()
    run(*command(three), "--shard", "1/2")
    capsys.readouterr()
    assert run("merge", one, two, "--out", tmp_path / "out") == INTEGRITY
    assert "has other settings than" in capsys.readouterr().err
    assert run("merge", one, three, "--out", tmp_path / "out") == INTEGRITY
    assert "has other inputs than" in capsys.readouterr().err
    assert run("merge", one, one, "--out", tmp_path / "out") == INTEGRITY
    assert "are both shard 0/2" in capsys.readouterr().err


def test_shards_of_a_packing_merge_to_the_same_file(
    inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    """What is repeated is found across shards."""
    shutil.copy(inbox / "a" / "photo-0.png", inbox / "z.png")
    chosen = ["--cut", 24, "--overlap", 4, "--distinct"]
    assert run("pack", inbox, tmp_path / "whole.h5", *chosen) == SOME_FAILED
    said = capsys.readouterr()
    assert "1 duplicate" in said.out
    out = tmp_path / "photos.h5"
    for index in range(3):
        assert run("pack", inbox, out, *chosen, "--shard", f"{index}/3") in (OK, SOME_FAILED)
    parts = [tmp_path / f"photos.h5-{index}-of-3" for index in range(3)]
    capsys.readouterr()
    assert run("merge", *parts[:2], "--out", out) == INTEGRITY
    assert run("merge", *parts, "--out", out) == SOME_FAILED
    assert out.read_bytes() == (tmp_path / "whole.h5").read_bytes()
    assert "1 duplicate" in capsys.readouterr().out
    pixels = (parts[1] / "pixels").read_bytes()
    (parts[1] / "pixels").write_bytes(pixels[:-1] + bytes([pixels[-1] ^ 1]))
    assert run("merge", *parts, "--out", tmp_path / "other.h5") == INTEGRITY
    assert "is damaged" in capsys.readouterr().err
    assert not (tmp_path / "other.h5").exists()


def test_a_degrading_that_was_stopped_goes_on_to_the_same_bytes(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from palette.degrading import folder

    whole, out, real, count = tmp_path / "whole", tmp_path / "out", folder.write_bytes, [0]
    command = ["degrade", "jpeg", inbox, out]

    def stopping(path: Path, data: bytes) -> None:
        count[0] += 1
        if count[0] == 6:  # the second file of a pair
            raise KeyboardInterrupt
        real(path, data)

    assert run("degrade", "jpeg", inbox, whole) == SOME_FAILED
    with monkeypatch.context() as patch:
        patch.setattr(folder, "write_bytes", stopping)
        assert run(*command) == 130
    assert not (out / "records.jsonl").exists()
    with (out / ".records.jsonl.partial").open("a") as file:
        file.write('{"half a li')
    assert run(*command) == SOME_FAILED
    assert contents(out) == contents(whole)
    edited = inbox / "a" / "photo-0.png"
    shutil.copy(inbox / "a" / "photo-2.webp", inbox / "other.webp")
    before = json.loads((out / "records.jsonl").read_text().splitlines()[0])
    from palette.data.images import read, write

    write(edited, 1 - read(edited).picture)
    assert run(*command) == SOME_FAILED
    after = (out / "records.jsonl").read_text().splitlines()
    assert json.loads(after[0])["source_digest"] != before["source_digest"]
    assert len(after) == 7


@pytest.mark.slow
@pytest.mark.timeout(1200)  # a busy machine takes minutes to begin workers
@pytest.mark.skipif(sys.platform != "linux", reason="/proc tells which process is a worker")
@pytest.mark.parametrize("name", ["restore", "evaluate"])
def test_a_killed_worker_loses_nothing(
    name: str, trained: dict[str, Path], many: Path, tmp_path: Path, capsys: Capture
) -> None:
    """It is killed once it has begun, whatever it is doing; the same command does the rest."""
    model, whole, out = trained["jpeg-restoration"], tmp_path / "whole", tmp_path / "out"
    command = [
        name,
        model,
        *{"restore": [many, out], "evaluate": ["--data", many, "--out", out]}[name],
    ]
    script = f"import sys; from palette.cli.main import main; sys.exit(main({[*map(str, command)]}"
    script += " + ['--devices', 'cpu,cpu']))"
    done = subprocess.Popen([sys.executable, "-c", script], stderr=subprocess.PIPE, text=True)
    wait_for(lambda: done.poll() is not None or any(out.rglob("*.png")))
    victim = max(children(done.pid))
    os.kill(victim, signal.SIGKILL)
    _, said = done.communicate()
    assert done.returncode in (OK, SOME_FAILED, MACHINE)  # OK where it had nothing in hand
    assert f"(process {victim}) was killed by signal 9" in said
    assert run(*command) == OK
    assert run(*(whole if part == out else part for part in command)) == OK
    made, expected = contents(out), contents(whole)
    for lines in (made, expected):  # the manifest says what was lost, too
        lines.pop("palette-restored.jsonl", None)
    assert made == expected


def children(parent: int) -> list[int]:
    """The workers of a process; multiprocessing has another child, which tracks resources."""
    found = []
    for status in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            fields = status.read_text().rsplit(")", 1)[1].split()
            command = (status.parent / "cmdline").read_bytes()
            if int(fields[1]) == parent and b"spawn_main" in command:
                found.append(int(status.parent.name))
    return found


def wait_for(what: Callable[[], bool]) -> None:
    """The test's own time ends it: a busy machine takes minutes to begin two workers."""
    while not what():
        time.sleep(0.05)


@pytest.mark.slow
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("engine", ["processes", "ray"])
def test_workers_make_the_same_bytes(
    engine: str, trained: dict[str, Path], inbox: Path, many: Path, tmp_path: Path
) -> None:
    if engine == "ray":
        pytest.importorskip("ray")
    model = trained["jpeg-restoration"]
    network, cores = ["--devices", "cpu,cpu"], ["--processes", 2]
    for name, given, workers, code in (
        ("restore", [model, inbox, "OUT", "--precision", "fp32", "--steps", 2], network, 3),
        ("evaluate", [model, "--data", many, "--out", "OUT", "--steps", 2], network, 0),
        ("degrade", ["bsr", inbox, "OUT"], cores, 3),
    ):
        outs = [tmp_path / f"{name}-{how}" for how in ("serial", "workers")]
        for out, asked in zip(outs, ([], [*workers, "--engine", engine]), strict=True):
            command = [name, *(out if part == "OUT" else part for part in given), *asked]
            assert run(*command) == code
        assert contents(outs[0]) == contents(outs[1])
        assert len(contents(outs[1])) > 6
