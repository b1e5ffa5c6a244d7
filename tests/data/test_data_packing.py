"""Packing: what is left out is said, what was stopped goes on, what is there is left alone."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from conftest import PHOTOS
from PIL import Image

from palette.cli.main import main
from palette.data.hdf5 import Hdf5Source
from palette.data.opening import open_source
from palette.data.packing import pack
from palette.data.selecting import Selection
from palette.data.sources import FolderSource, Source
from palette.errors import PictureError, UserError
from palette.types import Picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six pictures of noise in two classes."""
    rng = np.random.default_rng(0)
    for i in range(6):
        path = tmp_path / "in" / f"class {i % 2}" / f"größe-{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (20 + i, 30, 3), dtype=np.uint8)).save(path)
    return tmp_path / "in"


class Stopping:
    """A folder whose pictures can be read up to a number; then it is as if the process died."""

    def __init__(self, folder: Path, stop: int) -> None:
        self._source = FolderSource(folder)
        self.ids, self.labels, self._stop = self._source.ids, self._source.labels, stop
        self.inputs = None
        self.seen: list[int] = []

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        if index == self._stop:
            raise KeyboardInterrupt
        self.seen.append(index)
        return self._source.read(index)

    def fingerprint(self) -> str:
        return self._source.fingerprint()


def stopped(folder: Path, out: Path, stop: int, selection: Selection | None = None) -> Path:
    """The hidden folder of a packing that was stopped before picture ``stop``."""
    with pytest.raises(KeyboardInterrupt):
        pack(Stopping(folder, stop), out, selection)
    assert not out.exists()
    return out.with_name(f".{out.name}.packing")


def seen_when_going_on(folder: Path, out: Path, selection: Selection | None = None) -> list[int]:
    source = Stopping(folder, stop=-1)
    pack(source, out, selection)
    return source.seen


@pytest.fixture
def whole(folder: Path, tmp_path: Path) -> bytes:
    pack(FolderSource(folder), tmp_path / "whole.h5")
    return (tmp_path / "whole.h5").read_bytes()


@pytest.mark.parametrize("stop", [0, 1, 4, 5])
def test_a_stopped_packing_goes_on_to_the_same_bytes(
    folder: Path, tmp_path: Path, whole: bytes, stop: int
) -> None:
    out = tmp_path / "all.h5"
    stopped(folder, out, stop)
    assert seen_when_going_on(folder, out) == list(range(stop, 6))
    assert out.read_bytes() == whole
    assert sorted(os.listdir(tmp_path)) == ["all.h5", "in", "whole.h5"]


def damages(waiting: Path) -> Iterator[tuple[int, bytes, bytes]]:
    """How many pictures remain of four, and what a crash may have left of pixels and lines."""
    pixels, lines = (waiting / "pixels").read_bytes(), (waiting / "lines").read_bytes()
    yield 4, pixels + b"half a picture", lines
    yield 3, pixels, lines[:-1]
    yield 3, pixels, lines[:-20]
    yield 3, pixels[:-1], lines
    yield 0, b"", lines
    yield 0, pixels, b""
    yield 1, pixels[: 20 * 30 * 3 + 9] + bytes(1) + pixels[20 * 30 * 3 + 10 :], lines
    yield 4, pixels, lines + b"\0" * 100
    yield 4, pixels, lines + b'{"rows": 3}\n' * 2


@pytest.mark.parametrize("number", range(9))
def test_what_a_crash_left_half_is_done_again(
    folder: Path, tmp_path: Path, whole: bytes, number: int
) -> None:
    out = tmp_path / "all.h5"
    waiting = stopped(folder, out, 4)
    remain, pixels, lines = list(damages(waiting))[number]
    (waiting / "pixels").write_bytes(pixels)
    (waiting / "lines").write_bytes(lines)
    assert seen_when_going_on(folder, out) == list(range(remain, 6))
    assert out.read_bytes() == whole


def test_other_pictures_or_choices_begin_anew(folder: Path, tmp_path: Path) -> None:
    out = tmp_path / "all.h5"
    stopped(folder, out, 4)
    chosen = Selection(cut=16)
    stopped(folder, out, 3, chosen)
    assert seen_when_going_on(folder, out, chosen) == [3, 4, 5]
    out.unlink()
    stopped(folder, out, 4, chosen)
    (folder / "class 0" / "größe-0.png").unlink()
    assert seen_when_going_on(folder, out, chosen) == [0, 1, 2, 3, 4]


def test_the_same_call_again_leaves_the_file_alone(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "new" / "all.h5"
    (folder / "class 0" / "broken.png").write_bytes(b"broken")
    command = ["pack", str(folder), str(out), "--min-side", "22"]
    assert main(command) == 3
    first, before = capsys.readouterr(), out.stat().st_mtime_ns
    (out.parent / ".all.h5.packing").mkdir()  # killed after the file had got its name
    assert main(command) == 3
    assert capsys.readouterr() == first
    assert out.stat().st_mtime_ns == before
    assert os.listdir(out.parent) == ["all.h5"]
    assert main([*command[:-1], "23"]) == 2
    assert "all.h5 exists and is not overwritten" in capsys.readouterr().err
    out.write_bytes(b"something else")
    assert main(command) == 2
    assert out.read_bytes() == b"something else"


def test_a_full_disk_loses_nothing(folder: Path, tmp_path: Path, whole: bytes) -> None:
    out = tmp_path / "all.h5"
    script = (
        "import sys; from palette.data.packing import pack; from palette.data.sources import "
        "FolderSource; pack(FolderSource(sys.argv[1]), sys.argv[2])"
    )

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (5000, 5000))

    command = [sys.executable, "-B", "-c", script, str(folder), str(out)]
    done = subprocess.run(command, preexec_fn=limit, capture_output=True)
    assert done.returncode != 0
    assert not out.exists()
    assert seen_when_going_on(folder, out) == [2, 3, 4, 5]
    assert out.read_bytes() == whole


def test_commands(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "new" / "all.h5"
    assert main(["pack", str(folder), str(out)]) == 0
    assert "6 pictures in" in capsys.readouterr().out
    assert main(["verify", str(out)]) == 0
    content = bytearray(out.read_bytes())
    content[-1] ^= 1
    out.write_bytes(content)
    assert main(["verify", str(out)]) == 4
    assert "größe-5" in capsys.readouterr().err
    assert main(["verify", str(tmp_path / "none.h5")]) == 2
    assert main(["pack", str(folder), str(tmp_path / "all.zip")]) == 2
    assert main(["pack", str(tmp_path / "none"), str(tmp_path / "a.h5")]) == 2
    assert main(["pack", str(folder), str(tmp_path / "a.h5"), "--overlap", "3"]) == 2
    assert "less than cut" in capsys.readouterr().err


def test_broken_pictures_are_named(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "class 0" / "größe-2.png").write_bytes(b"broken")
    out = tmp_path / "all.h5"
    assert main(["pack", str(folder), str(out)]) == 3
    printed = capsys.readouterr()
    assert "größe-2.png: " in printed.err
    assert "5 pictures in" in printed.out
    assert "left out: 1 broken" in printed.out
    assert len(open_source(out)) == 5
    (line,) = Hdf5Source(out).about["left_out"]["broken"]
    assert "größe-2.png: " in line
    for path in folder.rglob("*.png"):
        path.write_bytes(b"broken")
    assert main(["pack", str(folder), str(tmp_path / "none.h5")]) == 3
    assert "no picture remains, of 6 broken; the first: " in capsys.readouterr().err
    assert sorted(os.listdir(tmp_path)) == ["all.h5", "in"]


def test_everything_at_once(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each picture has one fault; only the good ones and the first of two are packed."""
    folder, out = tmp_path / "in", tmp_path / "all.h5"
    folder.mkdir()
    for i, source in enumerate((open_source("bundled"), open_source("bundled", "held_out"))):
        pixels = (source.read(i)[:256, :256] * 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"good-{i}.png")
    good = Image.open(folder / "good-0.png")
    good.resize((128, 128)).save(folder / "same.jpg", quality=40)
    good.crop((60, 60, 90, 90)).save(folder / "small.png")
    good.resize((8, 8)).resize((256, 256), Image.Resampling.BICUBIC).save(folder / "blurred.png")
    Image.new("RGB", (256, 256), (99, 100, 101)).save(folder / "flat.png")
    (folder / "broken.webp").write_bytes(b"RIFF")
    flags = "--min-side 64 --min-contrast 5 --min-sharpness 20 --distinct --cut 96 --overlap 16"
    assert main(["pack", str(folder), str(out), *flags.split()]) == 3
    reasons = "1 broken, 1 small, 9 blurred, 9 flat, 1 duplicate"
    printed = capsys.readouterr().out
    for part in reasons.split(", "):
        assert part in printed
    source = Hdf5Source(out)
    wholes = [f"good-{i}@{top},{left}.png" for i in (0, 1) for top in (0, 80, 160)
              for left in (0, 80, 160)]  # fmt: skip
    assert source.ids == wholes
    assert source.about["left_out"]["duplicate"] == ["same.jpg: looks like good-0.png"]
    assert source.about["left_out"]["small"] == ["small.png: 30×30 pixels"]
    np.testing.assert_array_equal(source.stored(1), np.asarray(good)[:96, 80:176])
    assert json.dumps(source.about["selection"])


def test_a_name_that_a_piece_would_take(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), dtype=np.uint8)
    for name in ("a.png", "a@0,0.png"):
        Image.fromarray(noise).save(tmp_path / "in" / name)
    with pytest.raises(UserError, match=r"a@0,0\.png has the name of a piece of a\.png"):
        pack(FolderSource(tmp_path / "in"), tmp_path / "all.h5", Selection(cut=30))


def test_real_photographs_survive_packing(tmp_path: Path) -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photographs here")
    (tmp_path / "few").mkdir()
    for path in sorted((PHOTOS / "val").glob("*.jpg"))[:4]:
        shutil.copy(path, tmp_path / "few")
    files = FolderSource(tmp_path / "few")
    assert pack(files, tmp_path / "few.h5") == {}
    packed: Source = open_source(tmp_path / "few.h5")
    for i in range(4):
        np.testing.assert_array_equal(files.read(i), packed.read(i))


def test_damage_of_the_file_that_was_just_written_is_noticed(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("palette.data.packing.verify", lambda path: ["it is damaged"])
    with pytest.raises(RuntimeError, match=r"all\.h5 was not written soundly: it is damaged"):
        pack(FolderSource(folder), tmp_path / "all.h5")
    assert not (tmp_path / "all.h5").exists()


def test_nothing_is_packed_of_nothing(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"of 6 small; the first: .*größe-0\.png: 30×20 pixels"):
        pack(FolderSource(folder), tmp_path / "all.h5", Selection(min_side=100))
    assert os.listdir(tmp_path) == ["in"]
