"""Files and folders are complete or absent; a folder has one owner."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from palette.errors import InUse
from palette.files import complete_folder, lock, visible, write_bytes


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A full disk, by a limit on the size of files."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from palette.files import write_bytes;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        f"write_bytes(Path({str(path)!r}), bytes(5000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0
    assert b"OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def write(text: str, fail: bool) -> None:
        with complete_folder(target) as folder:
            (folder / "file").write_text(text)
            assert not (target / "file").exists() or (target / "file").read_text() == "first"
            if fail:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write("first", fail=True)
    assert os.listdir(tmp_path) == []
    write("first", fail=False)
    with pytest.raises(KeyboardInterrupt):
        write("second", fail=True)
    assert (target / "file").read_text() == "first"
    write("second", fail=False)
    assert (target / "file").read_text() == "second"
    assert os.listdir(tmp_path) == ["folder"]


def test_writing_replaces(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"one")
    write_bytes(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


OWN = """
import os, sys, time
from pathlib import Path
from palette.files import lock
with lock(Path(sys.argv[1])):
    if not os.fork():  # a worker, which outlives its killed parent for a while
        print("locked", flush=True)
    time.sleep(60)
"""


def test_a_folder_has_one_owner_until_that_ends_however_it_does(tmp_path: Path) -> None:
    with lock(tmp_path), pytest.raises(InUse, match=f"process {os.getpid()} on"), lock(tmp_path):
        pass
    command = [sys.executable, "-c", OWN, str(tmp_path)]
    owner = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert owner.stdout is not None
        assert owner.stdout.readline() == b"locked\n"
        with pytest.raises(InUse, match=f"process {owner.pid} on .*: wait for it"), lock(tmp_path):
            pass
        owner.kill()
        owner.wait()
        with lock(tmp_path):
            assert not list(visible(tmp_path))
    finally:
        os.killpg(owner.pid, signal.SIGKILL)


@pytest.mark.parametrize("left", ["", "{", "[]", '{"host": "elsewhere", "process": 1}', None])
def test_what_a_dead_owner_left_locks_nothing(tmp_path: Path, left: str | None) -> None:
    """Neither one of another host nor one with this very process number, as in a container."""
    me = json.dumps({"host": "here", "process": os.getpid()})
    (tmp_path / ".owner.json").write_text(me if left is None else left)
    (tmp_path / ".lock").touch()
    with lock(tmp_path):
        assert json.loads((tmp_path / ".owner.json").read_text())["process"] == os.getpid()
