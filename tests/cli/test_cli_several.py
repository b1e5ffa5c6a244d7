"""A model of several tasks at the command line and from Python: evaluate, merge, search, info."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from conftest import SEVERAL

import palette
from palette.checkpoint import load_model
from palette.cli.main import main
from palette.errors import OK, USAGE
from palette.tasks import TASKS, trainable

Capture = pytest.CaptureFixture[str]
QUICK = ["--steps", "2", "--answer", "mean", "--device", "cpu"]


def evaluate(model: Path, photos: Path, out: Path, *flags: str, code: int = OK) -> None:
    command = ["evaluate", str(model), "--data", str(photos), "--out", str(out), *QUICK, *flags]
    assert main(command) == code


def test_every_task_in_one_report(
    generalist: Path, photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    evaluate(generalist, photos, tmp_path / "all", "--limit", "2", "--luma")
    told = capsys.readouterr().out
    assert [line for line in told.splitlines() if line in SEVERAL] == SEVERAL
    assert told.count("model, mean answer") == len(SEVERAL)
    assert told.rstrip().endswith(f"Open {tmp_path / 'all' / 'report.html'}")
    data = json.loads((tmp_path / "all" / "report.json").read_text())
    for task in data["tasks"]:
        manifest = json.loads((tmp_path / "all" / task["name"] / "manifest.json").read_text())
        assert manifest["model"]["task"] == task["name"]
        assert manifest["model"]["sampling"]["steps"] == 2
        assert manifest["settings"]["luma"]
        out = tmp_path / task["name"]
        evaluate(generalist, photos, out, "--limit", "2", "--luma", "--task", task["name"])
        alone = json.loads((out / "report.json").read_text())
        assert alone["table"] == task["table"]
        assert (out / "mean").is_dir()


def test_task_and_scale_choose_one_and_others_are_named(
    generalist: Path, photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    evaluate(generalist, photos, tmp_path / "x2", "--limit", "1", "--scale", "2")
    manifest = json.loads((tmp_path / "x2" / "manifest.json").read_text())
    assert manifest["model"]["task"] == "super-resolution-x2"
    wrong = {
        ("--task", "denoising"): "does not do denoising: choose --task from " + ", ".join(SEVERAL),
        ("--task", "super-resolution"): "from super-resolution-x2, super-resolution-x4",
        ("--scale", "3"): "does not do ×3",
        ("--protocol", "photos-super-resolution"): "from super-resolution-x2, super-resolution-x4",
        ("--protocol", "photos-colorization"): f"fits none of {', '.join(SEVERAL)}",
        ("--protocol", "photos-jpeg", "--task", "inpainting"): "the model is for inpainting",
        ("--protocol", "photos-jpg"): "did you mean 'photos-jpeg'",
    }
    for flags, message in wrong.items():
        evaluate(generalist, photos, tmp_path / "none", *flags, code=USAGE)
        assert message in capsys.readouterr().err
    assert not (tmp_path / "none").exists()


def test_a_protocol_chooses_its_task(generalist: Path, photos: Path, tmp_path: Path) -> None:
    protocols = {
        "photos-jpeg": ("jpeg-restoration", []),
        "photos-super-resolution": ("super-resolution-x4", ["--scale", "4"]),
    }
    for protocol, (task, flags) in protocols.items():
        out = tmp_path / protocol
        evaluate(generalist, photos, out, "--limit", "1", "--protocol", protocol, *flags)
        manifest = json.loads((out / "manifest.json").read_text())
        assert (manifest["kind"], manifest["model"]["task"]) == ("evaluate", task)


def test_shards_of_all_tasks_merge(
    generalist: Path, photos: Path, tmp_path: Path, capsys: Capture
) -> None:
    source = tmp_path / "photos"
    for copy in "abc":  # more than one block
        shutil.copytree(photos, source / copy)
    shards = [tmp_path / name for name in "01"]
    for index, shard in enumerate(shards):
        evaluate(generalist, source, shard, "--shard", f"{index}/2")
    assert "palette merge" in capsys.readouterr().out
    evaluate(generalist, source, tmp_path / "whole")
    assert main(["merge", *map(str, shards), "--out", str(tmp_path / "merged")]) == OK
    for name in (".", *SEVERAL):
        whole, merged = (tmp_path / w / name / "report.json" for w in ("whole", "merged"))
        assert whole.read_bytes() == merged.read_bytes()


def test_evaluating_from_python(generalist: Path, photos: Path, tmp_path: Path) -> None:
    asked = {"data": photos, "limit": 1, "answers": ("mean",), "device": "cpu"}
    every = palette.evaluate(generalist, out=tmp_path / "all", **asked)
    assert isinstance(every, palette.Overview)
    assert list(every.reports) == SEVERAL
    model = palette.load(generalist, task="super-resolution", scale=2)
    for task, name in ((None, "super-resolution-x2"), ("inpainting", "inpainting")):
        one = palette.evaluate(model, out=tmp_path / name, task=task, **asked)
        assert isinstance(one, palette.Report)
        assert one.value("mean", "psnr") == every.value(name, "mean", "psnr")
    assert model.member.name == "super-resolution-x2"  # as it was
    with pytest.raises(palette.UserError, match="choose --task from"):
        palette.evaluate(model, out=tmp_path / "none", task="colorization", **asked)


def test_searched_levels_belong_to_their_task(
    generalist: Path, tmp_path: Path, capsys: Capture
) -> None:
    model = tmp_path / "model"
    shutil.copytree(generalist / "model", model)
    flags = ["--steps", "2", "--pictures", "3"]
    assert main(["search", str(model), *flags]) == USAGE
    assert f"choose --task from {', '.join(SEVERAL)}" in capsys.readouterr().err
    chosen = [["--task", "inpainting"], ["--task", "super-resolution", "--scale", "4"]]
    for choice in [*chosen, chosen[0]]:
        assert main(["search", str(model), *flags, *choice]) == OK
    told = capsys.readouterr().out.splitlines()[-1]
    assert "--task inpainting --steps 2" in told
    entries = {entry["task"]: entry for entry in load_model(model).searched}
    assert list(entries) == ["super-resolution-x4", "inpainting"]
    for name in SEVERAL:
        described = palette.load(model, task=name, steps=2).describe()
        assert described["task"] == name
        levels = described["sampling"]["logsnrs"]
        expected = entries[name]["logsnrs"] if name in entries else None
        assert (levels if levels is None else list(levels)) == expected


def test_info_lists_the_tasks_of_a_model(
    generalist: Path, trained: dict[str, Path], capsys: Capture
) -> None:
    assert main(["info", str(generalist)]) == OK
    info = json.loads(capsys.readouterr().out)
    tasks = {task["name"]: task for task in info["tasks"]}
    assert list(tasks) == SEVERAL
    assert [task["weight"] for task in tasks.values()] == [1, 1, 1, 3]
    stored = json.loads((generalist / "model" / "model.json").read_text())["targets"]
    assert [task["target"] for task in tasks.values()] == stored
    assert tasks["inpainting"]["target"]["residual"]
    assert tasks["inpainting"]["target"]["scale"] != tasks["jpeg-restoration"]["target"]["scale"]
    denoiser = load_model(generalist).denoiser
    assert info["parameters"] == sum(p.numel() for p in denoiser.parameters())
    assert main(["info", str(trained["colorization"])]) == OK
    (task,) = json.loads(capsys.readouterr().out)["tasks"]
    assert task["name"] == "colorization"
    assert task["target"]["chroma"]


def test_tasks_are_listed_readably(capsys: Capture) -> None:
    assert main(["tasks"]) == OK
    told = capsys.readouterr().out
    lines = told.splitlines()
    names = [line for line in lines if line and not line.startswith((" ", "`"))]
    assert names == list(trainable())
    assert set(names) == {*TASKS, "generalist"}
    assert max(map(len, lines)) <= 100
    assert "MISSING" not in told
    assert "<" not in told
    assert "None" not in told
    assert "--scale 4" in lines[lines.index("super-resolution") + 2]
    assert "--parts" not in told
    assert "--fill harmonic" in lines[lines.index("inpainting") + 2]
