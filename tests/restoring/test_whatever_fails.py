"""A picture that fails, for any reason, is named, and the rest is done."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from copying_restorer import Copying

from palette.data.images import write
from palette.restoring.folder import Result, restore_folder
from palette.restoring.job import Job
from palette.restoring.output import Output
from palette.types import Picture


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """a.png, b.png and c.png; b is white."""
    folder = tmp_path / "in"
    folder.mkdir()
    for name in "abc":
        write(folder / f"{name}.png", np.full((4, 4, 3), float(name == "b"), np.float32))
    return folder


def run(source: Path, out: Path, restorer: Copying | None = None) -> dict[str, Result]:
    results = restore_folder(restorer or Copying(), Job([source], out))
    return {result.source.name: result for result in results}


def fails_at_white(error: Exception) -> Callable[[Picture], None]:
    def check(picture: Picture) -> None:
        if picture.max() == 1:
            raise error

    return check


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (MemoryError(), "memory does not suffice"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory"), "memory does"),
        (OSError(errno.EFBIG, "File too large", "x.png"), "larger than the disk or a limit"),
        (OSError(errno.EIO, "Input/output error"), "cannot be read or written"),
        (OSError("decoder error -2"), "decoder error"),
        (ValueError("bad luck"), "ValueError: bad luck"),
        (AssertionError(), "a mistake of ours"),
    ],
)
def test_any_error_is_that_of_one_picture(
    inbox: Path, tmp_path: Path, error: Exception, said: str
) -> None:
    found = run(inbox, tmp_path / "out", Copying(before=fails_at_white(error)))
    assert [name for name, result in found.items() if result.error] == ["b.png"]
    assert said in str(found["b.png"].error)
    assert str(inbox / "b.png") in str(found["b.png"].error)
    assert sorted(path.name for path in (tmp_path / "out").glob("*.png")) == ["a.png", "c.png"]
    again = run(inbox, tmp_path / "out")
    assert [result.skipped for result in again.values()] == [True, False, True]


def test_a_mistake_of_ours_can_show_where(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PALETTE_TRACEBACK", "1")
    with pytest.raises(AssertionError):
        run(inbox, tmp_path / "out", Copying(before=fails_at_white(AssertionError())))


def test_a_full_disk_costs_no_more_work(
    inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once it is full, no picture is restored until there is room; then the work goes on."""
    from palette.restoring import folder

    real, full = folder.write_bytes, [False]

    def writing(path: Path, data: bytes, **flush: bool) -> None:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        real(path, data, **flush)

    monkeypatch.setattr(folder, "write_bytes", writing)
    for name in "defg":
        write(inbox / f"{name}.png", np.zeros((4, 4, 3), np.float32))
    restorer = Copying()
    results = restore_folder(restorer, Job([inbox], tmp_path / "out"))
    assert next(results).error is None
    full[0] = True
    assert ["disk is full" in str(next(results).error) for _ in range(4)] == [True] * 4
    assert restorer.count == 2
    full[0] = False
    assert [result.error for result in results] == [None, None]
    assert not list((tmp_path / "out").glob(".*partial"))
    assert [r.skipped for r in run(inbox, tmp_path / "out").values()] == [
        *([True] + [False] * 4),
        *([True] * 2),
    ]


@pytest.mark.skipif(sys.platform == "win32", reason="resource is of Unix")
def test_a_file_that_is_larger_than_a_limit(inbox: Path, tmp_path: Path) -> None:
    """The kernel's own refusal: one large picture does not fit, the small ones do."""
    import subprocess

    noise = np.random.default_rng(0).random((300, 300, 3), dtype=np.float32)
    write(inbox / "b.png", noise)
    script = f"""
import resource, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from pathlib import Path
from copying_restorer import Copying
from palette.restoring.folder import restore_folder
from palette.restoring.job import Job
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
job = Job([Path({str(inbox)!r})], Path({str(tmp_path / "out")!r}))
for result in restore_folder(Copying(), job):
    print(result.source.name, result.error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    first, second, third = done.stdout.splitlines()
    assert (first, third) == ("a.png None", "c.png None")
    assert "larger than the disk or a limit allows" in second
    assert sorted(p.name for p in (tmp_path / "out").glob("*.png")) == ["a.png", "c.png"]
    assert not list((tmp_path / "out").glob(".*partial"))


def test_a_name_that_is_too_long_is_said_before_the_work(inbox: Path, tmp_path: Path) -> None:
    long = "x" * 249
    write(inbox / f"{long}.png", np.zeros((4, 4, 3), np.float32))
    restorer = Copying()
    job = Job([inbox], tmp_path / "out", Output(suffix="_x4"))
    failed = [result for result in restore_folder(restorer, job) if result.error]
    assert [result.source.name for result in failed] == [f"{long}.png"]
    assert "too long" in str(failed[0].error)
    assert restorer.count == 3


def test_a_folder_in_the_way(inbox: Path, tmp_path: Path) -> None:
    write(inbox / "b.jpg", np.zeros((4, 4, 3), np.float32))
    (inbox / "b.png").unlink()
    (inbox / "b.png").mkdir()
    write(inbox / "b.png" / "deep.png", np.zeros((4, 4, 3), np.float32))
    for _ in range(2):
        found = run(inbox, tmp_path / "out")
        assert [name for name, result in found.items() if result.error] == ["deep.png"]
    (tmp_path / "out" / "c.png").unlink()
    (tmp_path / "out" / "c.png").mkdir()
    assert "is a folder" in str(run(inbox, tmp_path / "out")["c.png"].error)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_pipes_and_dead_links_are_named(inbox: Path, tmp_path: Path) -> None:
    (inbox / "b.png").unlink()
    os.mkfifo(inbox / "b.png")
    (inbox / "c.png").unlink()
    (inbox / "c.png").symlink_to("nowhere")
    found = run(inbox, tmp_path / "out")
    assert [name for name, result in found.items() if result.error] == ["b.png", "c.png"]


def test_transparency_for_jpeg_is_said_before_the_work(inbox: Path, tmp_path: Path) -> None:
    write(inbox / "b.png", np.zeros((4, 4, 3), np.float32), np.full((4, 4), 0.5, np.float32))
    restorer = Copying()
    results = list(restore_folder(restorer, Job([inbox], tmp_path / "out", Output(format="jpg"))))
    assert ["transparency" in str(result.error) for result in results] == [False, True, False]
    assert restorer.count == 2


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names are UTF-8 there")
def test_names_that_are_not_utf8(inbox: Path, tmp_path: Path) -> None:
    folder = os.fsencode(inbox)
    os.rename(folder + b"/a.png", folder + b"/caf\xe9.png")
    os.rename(folder + b"/b.png", folder + b"/broken\xe9.png")
    Path(os.fsdecode(folder + b"/broken\xe9.png")).write_bytes(b"no picture")
    for skipped in (False, True):
        results = list(run(inbox, tmp_path / "out").values())
        failed = [result for result in results if result.error]
        assert [os.fsencode(result.source.name) for result in failed] == [b"broken\xe9.png"]
        assert [result.skipped for result in results if not result.error] == [skipped] * 2
    assert os.path.exists(os.fsencode(tmp_path / "out") + b"/caf\xe9.png")


def test_memory_stays_flat(tmp_path: Path) -> None:
    """The manifest is streamed: a picture leaves a few hundred bytes behind, not its pixels."""
    import tracemalloc

    (tmp_path / "in").mkdir()
    for i in range(60):
        write(tmp_path / "in" / f"{i:02}.png", np.full((64, 64, 3), i / 255, np.float32))
    results = restore_folder(Copying(), Job([tmp_path / "in"], tmp_path / "out"))
    for _ in range(10):
        next(results)
    tracemalloc.start()
    for _ in range(50):
        next(results)
    grown, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert grown < 50 * 4096
