"""The command line as a user runs it, in its own process or in this one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from conftest import PHOTOS, TINY

from palette.cli.main import COMMANDS, main
from palette.config import to_toml
from palette.data.images import read, write
from palette.tasks import TASKS

Capture = pytest.CaptureFixture[str]

SMALL = [
    *("--model.width", "8", "--model.multipliers", "1", "2", "--model.blocks", "1"),
    *("--model.groups", "4", "--model.head-width", "8"),
    *("--data.size", "32", "--train.batch", "2", "--train.validate-every", "0"),
]


def palette(*args: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "palette", *map(str, args)]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def fails(capsys: Capture, *args: object) -> str:
    """The one line that a usage error prints; its exit code is 2."""
    assert main([str(arg) for arg in args]) == 2
    captured = capsys.readouterr()
    (line,) = captured.err.splitlines()
    assert line.startswith("palette: ")
    assert "Traceback" not in captured.out + captured.err
    return line


@pytest.mark.parametrize("task", sorted(TASKS))
def test_train_resume_restore_evaluate(
    task: str, photos: Path, blurred: Path, tmp_path: Path, capsys: Capture
) -> None:
    run = str(tmp_path / "run")
    data = ["--data", str(photos), *(["--data.input", str(blurred)] * TASKS[task].paired)]
    assert main(["train", task, *data, "--out", run, "--steps", "2", *SMALL]) == 0
    assert main(["resume", run, "--steps", "3"]) == 0
    assert json.loads((tmp_path / "run/metrics.jsonl").read_text().splitlines()[-1])["step"] == 3
    extra = ["--extend", "4", "4", "4", "4"] if TASKS[task].masked else []
    source = next(photos.rglob("*.jpg"))
    out = tmp_path / "restored.png"
    assert main(["restore", run, str(source), str(out), "--steps", "2", *extra]) == 0
    before, after = read(source).picture.shape, read(out).picture.shape
    grown = {"super-resolution": (4 * before[0], 4 * before[1], 3)}
    padded = (before[0] + 8, before[1] + 8, 3)
    assert after == grown.get(task, padded if extra else before)
    report = tmp_path / "report"
    assert main(["evaluate", run, *data, "--out", str(report), "--limit", "2"]) == 0
    assert json.loads((report / "report.json").read_text())
    assert (report / "report.html").stat().st_size > 10_000
    capsys.readouterr()
    assert main(["info", run]) == 0
    assert json.loads(capsys.readouterr().out)["config"]["task"] == task


def test_a_process_of_its_own(photos: Path, tmp_path: Path) -> None:
    """From a real photograph to a restored one; the second start of a run is refused."""
    source = PHOTOS / "train" if PHOTOS.exists() else photos
    train = ["train", "jpeg-restoration", "--data", source, "--out", tmp_path / "run"]
    done = palette(*train, "--steps", 1, *SMALL)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""  # no progress bar where there is no terminal
    again = palette(*train, "--steps", 1, *SMALL)
    assert again.returncode == 2
    assert "palette resume" in again.stderr
    picture = next(photos.rglob("*.webp"))
    done = palette("restore", tmp_path / "run", picture, tmp_path / "out")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "out" / f"{picture.stem}.png").exists()


def test_a_folder_with_a_broken_picture(
    trained: dict[str, Path], photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    import shutil

    shutil.copytree(photos, tmp_path / "in")
    (tmp_path / "in" / "text.png").write_text("not a picture")
    run = str(trained["colorization"])
    command = ["restore", run, str(tmp_path / "in"), str(tmp_path / "out"), "--answer", "mean"]
    assert main(command) == 3
    captured = capsys.readouterr()
    assert "6 of 7 pictures" in captured.out
    assert captured.err.count("\n") == 1
    assert "text.png" in captured.err


def test_inpainting_with_a_mask(
    trained: dict[str, Path], picture: object, tmp_path: Path, capsys: Capture
) -> None:
    import numpy as np

    assert isinstance(picture, np.ndarray)
    write(tmp_path / "photo.png", picture)
    mask = np.zeros_like(picture)
    mask[:20] = 1
    write(tmp_path / "mask.png", mask)
    write(tmp_path / "small.png", mask[:8])
    command = ["restore", trained["inpainting"], tmp_path / "photo.png", tmp_path / "out.png"]
    line = fails(capsys, *command, "--mask", tmp_path / "small.png")
    assert "56×8" in line
    assert "56×40" in line
    assert "mask" in fails(capsys, *command)
    assert not (tmp_path / "out.png").exists()
    assert main([*map(str, command), "--mask", str(tmp_path / "mask.png")]) == 0
    np.testing.assert_array_equal(read(tmp_path / "out.png").picture[20:], picture[20:])


def test_usage_errors_are_one_line(
    trained: dict[str, Path], tmp_path: Path, capsys: Capture
) -> None:
    run, out = trained["jpeg-restoration"], tmp_path / "out"
    text = tmp_path / "text.png"
    text.write_text("not a picture")
    (tmp_path / "empty").mkdir()
    train = ["train", "jpeg-restoration", "--out", out]
    assert "no/such/folder" in fails(capsys, *train, "--data", "no/such/folder")
    assert "empty" in fails(capsys, *train, "--data", tmp_path / "empty")
    assert "did you mean 'colorization'" in fails(capsys, "train", "colorisation", "--out", out)
    unknown = fails(capsys, *train, "--stepz", 3, "--model.widht", 8)
    assert {"--stepz,", "--steps", "--model.width"} < set(unknown.split())  # the nearest, to copy
    assert "--scale" in fails(capsys, *train, "--scale", 4)  # an option of another task
    assert "data.size" in fails(capsys, *train, "--data.size", 30)
    assert "from 2 to 8" in fails(capsys, "train", "super-resolution", "--out", out, "--scale", 9)
    assert "cuda" in fails(capsys, "restore", run, text, out, "--device", "cuda:77")
    assert "text.png" in fails(capsys, "restore", run, text, out)
    assert "no picture or folder" in fails(capsys, "restore", run, tmp_path / "absent", out)
    assert "holds no model" in fails(capsys, "restore", tmp_path, text, out)
    assert "dpmpp_2m" in fails(capsys, "restore", run, text, out, "--sampler", "dpmpp2m")
    assert "i/n" in fails(capsys, "restore", run, text, out, "--shard", "2/2")
    assert "did you mean 'restore'" in fails(capsys, "restor")
    assert not out.exists()


def test_a_text_file_among_the_training_pictures(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "photos").mkdir()
    (tmp_path / "photos" / "text.png").write_text("not a picture")
    command = ["train", "colorization", "--data", tmp_path / "photos", "--out", tmp_path / "run"]
    assert "text.png" in fails(capsys, *command, *SMALL)


def test_settings_come_from_defaults_file_and_flags(
    photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    from palette.resolving import resolve

    config, _ = resolve("super-resolution", TINY, {"steps": 1, "options": {"scale": 2}})
    (tmp_path / "run.toml").write_text(to_toml(config))
    command = ["train", "super-resolution", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert main([*command, "--config", str(tmp_path / "run.toml"), "--train.batch", "3"]) == 0
    saved = (tmp_path / "run" / "config.toml").read_text()
    assert "scale = 2" in saved
    assert "batch = 3" in saved
    assert "width = 8" in saved
    (tmp_path / "bad.toml").write_text("[model]\nwidht = 8\n")
    bad = fails(capsys, *command, "--config", tmp_path / "bad.toml")
    assert "model.widht" in bad
    assert "did you mean 'width'" in bad
    (tmp_path / "broken.toml").write_text("[model\n")
    assert "not valid TOML" in fails(capsys, *command, "--config", tmp_path / "broken.toml")


def test_presets_are_named(capsys: Capture) -> None:
    assert "'huge'" in fails(capsys, "train", "colorization", "--out", "x", "--preset", "huge")


def test_every_command_has_help(capsys: Capture) -> None:
    assert main(["--help"]) == 0
    overview = capsys.readouterr().out
    for name in COMMANDS:
        assert f"  {name} " in overview
        with pytest.raises(SystemExit) as stop:
            main([name, "--help"])
        assert stop.value.code == 0
        assert f"palette {name}" in capsys.readouterr().out


def test_lists(capsys: Capture) -> None:
    assert main(["tasks"]) == 0
    listed = capsys.readouterr().out
    assert all(name in listed for name in TASKS)
    assert main(["degradations"]) == 0
    assert "palette_jpeg" in capsys.readouterr().out
    assert main(["doctor", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["problems"] == []
    assert main(["--version"]) == 0
    assert f"torch {torch.__version__} on " in capsys.readouterr().out
