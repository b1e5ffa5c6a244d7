"""`palette restore` as a user types it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.cli import restore
from palette.cli.main import main
from palette.data.images import read, write

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def jpeg(trained: dict[str, Path]) -> list[str]:
    return ["restore", str(trained["jpeg-restoration"])]


@pytest.fixture
def inbox(tmp_path: Path, picture: np.ndarray) -> Path:
    folder = tmp_path / "in"
    (folder / "deep").mkdir(parents=True)
    for name in ("a.png", "b.jpg", "deep/c.webp"):
        write(folder / name, picture[: 16 + 2 * len(name)])
    return folder


def run(command: list[str], *more: object) -> int:
    return main([*command, "--answer", "mean", "--precision", "fp32", *map(str, more)])


def files(folder: Path) -> list[str]:
    found = (path for path in folder.rglob("*") if path.is_file())
    names = (path.relative_to(folder).as_posix() for path in found)
    return sorted(name for name in names if not name.startswith((".", "palette-restored")))


def fails(capsys: Capture, command: list[str], *more: object) -> str:
    """The one line of a usage error."""
    capsys.readouterr()
    assert run(command, *more) == 2
    said = capsys.readouterr().err.splitlines()
    (line,) = (one for one in said if not one.startswith("measured once for this machine"))
    return line


def test_one_picture_is_the_work_of_the_first_device(
    jpeg: list[str], inbox: Path, tmp_path: Path
) -> None:
    for number, devices in enumerate(([], ["--devices", "cpu,cpu"], ["--devices", "all"])):
        assert run(jpeg, inbox / "a.png", tmp_path / f"{number}.png", *devices) == 0
    first, *others = (read(tmp_path / f"{number}.png").picture for number in range(3))
    assert all((first == other).all() for other in others)


def test_several_inputs_and_names(jpeg: list[str], inbox: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    sources = [inbox / "a.png", inbox / "deep", inbox / "b.jpg"]
    assert run(jpeg, *sources, out, "--suffix", "_x4") == 0
    assert files(out) == ["a_x4.png", "b_x4.png", "c_x4.png"]
    assert run(jpeg, inbox, out / "deep", "--format", "auto", "--no-recursive") == 0
    assert files(out / "deep") == ["a.png", "b.jpg"]


def test_a_folder_of_other_things(
    jpeg: list[str], inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    """Files that are named one by one may go there; a folder's worth of them may not."""
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "b.png").write_bytes(b"precious")
    assert "not empty" in fails(capsys, jpeg, inbox, tmp_path / "other")
    assert run(jpeg, inbox / "a.png", inbox / "b.jpg", tmp_path / "other") == 3
    assert "b.png was there before (8 bytes)" in capsys.readouterr().err
    assert files(tmp_path / "other") == ["a.png", "b.png"]
    assert (tmp_path / "other" / "b.png").read_bytes() == b"precious"


def test_flags_may_stand_between(jpeg: list[str], inbox: Path, tmp_path: Path) -> None:
    """A path, flags, the output: as it has always been."""
    assert run(jpeg, inbox, "--seed", "3", tmp_path / "out") == 0
    assert len(files(tmp_path / "out")) == 3


def test_one_picture(jpeg: list[str], inbox: Path, tmp_path: Path, capsys: Capture) -> None:
    target = tmp_path / "new" / "a.jpg"
    assert run(jpeg, inbox / "a.png", target) == 0
    assert str(target) in capsys.readouterr().out
    before = target.read_bytes()
    assert "--overwrite" in fails(capsys, jpeg, inbox / "a.png", target)
    assert target.read_bytes() == before
    assert run(jpeg, inbox / "b.jpg", target, "--overwrite", "--quality", 30) == 0
    assert len(target.read_bytes()) < len(before)
    assert run(jpeg, inbox / "b.jpg", tmp_path, "--format", "auto", "--suffix=-new") == 0
    assert Image.open(tmp_path / "b-new.jpg").format == "JPEG"
    assert "never replaced" in fails(capsys, jpeg, inbox / "a.png", inbox / "a.png", "--overwrite")
    assert "never replaced" in fails(capsys, jpeg, inbox / "a.png", inbox, "--overwrite")


def test_quality_is_that_of_the_file(jpeg: list[str], inbox: Path, tmp_path: Path) -> None:
    sizes = []
    for quality in (20, 60, 90):
        out = tmp_path / str(quality)
        assert run(jpeg, inbox, out, "--format", "jpg", "--quality", quality) == 0
        sizes.append(sum((out / name).stat().st_size for name in files(out)))
    assert sizes == sorted(sizes)
    assert sizes[0] < 0.7 * sizes[2]


def test_what_cannot_be_is_said_before_the_work(
    jpeg: list[str], inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    out = tmp_path / "out"
    assert "through pipes" in fails(capsys, jpeg, "-", out)
    assert "through pipes" in fails(capsys, jpeg, inbox / "a.png", "-")
    assert "give an output" in fails(capsys, jpeg, inbox)
    assert "absent.png: check" in fails(capsys, jpeg, inbox, tmp_path / "absent.png", out)
    assert "cannot write '.xyz'" in fails(capsys, jpeg, inbox / "a.png", tmp_path / "a.xyz")
    assert "looks like a picture" in fails(capsys, jpeg, inbox, tmp_path / "out.png")
    several = [inbox / "a.png", inbox / "b.jpg"]
    assert "looks like a picture" in fails(capsys, jpeg, *several, tmp_path / "out.png")
    assert "quality is 80: png" in fails(capsys, jpeg, inbox, out, "--quality", 80)
    assert "guidance" in fails(capsys, jpeg, inbox, out, "--guidance", 3)
    assert "fills no holes" in fails(capsys, jpeg, inbox, out, "--mask", inbox / "deep")
    assert "folder of masks" in fails(capsys, jpeg, inbox, out, "--mask", inbox / "a.png")
    assert not out.exists()
    assert not (tmp_path / "out.png").exists()


def test_a_second_command_with_other_precision_names_it(
    jpeg: list[str], inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    assert run(jpeg, inbox, tmp_path / "out") == 0
    assert run(jpeg, inbox, tmp_path / "out") == 0
    assert "3 were there already" in capsys.readouterr().out.splitlines()[-1]
    line = fails(capsys, jpeg, inbox, tmp_path / "out", "--precision", "bf16")
    assert "dtype was float32 and is bfloat16" in line or "bf16" in line


def test_a_generalist_of_another_task_names_it(
    generalist: Path, inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    restore = ["restore", str(generalist)]
    task = ["--task", "super-resolution-x2"]
    assert run(restore, inbox, tmp_path / "out", "--task", "jpeg-restoration") == 0
    line = fails(capsys, restore, inbox, tmp_path / "out", *task)
    assert "task was jpeg-restoration and is super-resolution-x2" in line


def test_one_mask_of_a_folder_of_masks(
    trained: dict[str, Path], inbox: Path, tmp_path: Path, capsys: Capture
) -> None:
    (tmp_path / "masks").mkdir()
    height, width = read(inbox / "b.jpg").picture.shape[:2]
    hole = np.zeros((height, width, 3), np.float32)
    hole[:5] = 1
    write(tmp_path / "masks" / "b.png", hole)
    command = ["restore", str(trained["inpainting"])]
    out = tmp_path / "b.png"
    assert "a.png has no mask" in fails(
        capsys, command, inbox / "a.png", out, "--mask", tmp_path / "masks"
    )
    assert run(command, inbox / "b.jpg", out, "--mask", tmp_path / "masks") == 0
    same = (read(out).picture == read(inbox / "b.jpg").picture).all(-1)
    assert same[5:].all()
    assert not same[:5].all()


def test_warnings_are_lines_of_ours(trained: dict[str, Path], inbox: Path, tmp_path: Path) -> None:
    """No file of Python, no line number, no name of a class."""
    (inbox / "raw.dng").touch()
    (inbox / "broken.png").write_text("no picture")
    run = str(trained["jpeg-restoration"])
    command = [sys.executable, "-m", "palette", "restore", run, inbox, tmp_path / "out"]
    done = subprocess.run(
        [*map(str, command), "--answer", "mean"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 3
    assert "3 of 4 pictures" in done.stdout
    lines = [line for line in done.stderr.splitlines() if not line.startswith("measured")]
    assert len(lines) == 2
    assert "passed over 1 .dng" in lines[0]
    assert "broken.png" in lines[1]
    assert all(line.startswith("palette: ") and "Warning" not in line for line in lines)


def test_outputs_inside_of_the_inputs(
    jpeg: list[str], inbox: Path, monkeypatch: pytest.MonkeyPatch, capsys: Capture
) -> None:
    monkeypatch.chdir(inbox)
    for skipped in (0, 3, 3):
        assert run(jpeg, ".", "restored") == 0
        assert f"3 of 3 pictures in restored, {skipped} were" in capsys.readouterr().out
    assert files(inbox / "restored") == ["a.png", "b.png", "deep/c.png"]


def test_the_manifest_names_what_failed(jpeg: list[str], inbox: Path, tmp_path: Path) -> None:
    shutil.copy(inbox / "a.png", inbox / "z.png")
    (inbox / "z.png").write_bytes((inbox / "z.png").read_bytes()[:200])
    assert run(jpeg, inbox, tmp_path / "out") == 3
    assert run(jpeg, inbox, tmp_path / "out") == 3
    lines = (tmp_path / "out" / "palette-restored.jsonl").read_text().splitlines()
    failed = [line for line in map(json.loads, lines) if "error" in line]
    assert [line["target"] for line in failed] == ["z.png"]
    assert str(inbox / "z.png") in failed[0]["error"]


def test_where_all_is_there_no_network_is_loaded(
    jpeg: list[str], inbox: Path, tmp_path: Path, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "out"
    assert run(jpeg, inbox, out) == 0
    again = [*jpeg, inbox, out, "--answer", "mean", "--precision", "fp32"]
    code = (
        "import sys; from palette.cli.main import main; rc = main(sys.argv[1:]);"
        "assert 'torch' not in sys.modules; sys.exit(rc)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *map(str, again)], capture_output=True, text=True, check=True
    )
    assert "3 of 3 pictures" in done.stdout
    assert "3 were there already" in done.stdout

    loads: list[object] = []
    restorer = restore._restorer  # pyright: ignore[reportPrivateUsage]
    monkeypatch.setattr(restore, "_restorer", lambda *by: loads.append(1) or restorer(*by))
    assert run(jpeg, inbox, out) == 0
    assert not loads
    before = (out / "a.png").read_bytes()
    (out / "a.png").unlink()
    assert run(jpeg, inbox, out) == 0
    assert (out / "a.png").read_bytes() == before
    write(inbox / "b.jpg", read(inbox / "b.jpg").picture[:12])
    assert run(jpeg, inbox, out) == 0
    assert read(out / "b.png").picture.shape[0] == 12
    assert run(jpeg, inbox, out, "--seed", "1") == 2  # another command, although all is there
    assert "seed was 0 and is 1" in capsys.readouterr().err
    assert len(loads) == 3
    assert run(jpeg, inbox, out) == 0
    assert len(loads) == 3
