"""The model in the box: small, whole, found by its name, and better than no model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.torch import load_file

import palette
from palette.cli.main import main
from palette.data.images import read, write
from palette.data.opening import open_source
from palette.models import DEFAULT, shipped
from palette.seeding import rng
from palette.types import Picture, Spec

SIDE = 96
TASKS = [
    "super-resolution-x2",
    "super-resolution-x3",
    "super-resolution-x4",
    "jpeg-restoration",
    "denoising",
    "inpainting",
    "uncropping",
    "colorization",
]


@pytest.fixture(scope="module")
def crops() -> list[Picture]:
    """Of photographs that it was not trained on."""
    source = open_source("bundled", split="held_out")
    return [source.read(i)[90 : 90 + SIDE, 170 : 170 + SIDE] for i in range(len(source))]


def test_it_is_small_and_whole() -> None:
    folder = shipped()[DEFAULT]
    weights = folder / "weights.safetensors"
    assert weights.stat().st_size < 12e6
    assert {str(value.dtype) for value in load_file(weights).values()} == {"torch.bfloat16"}
    card = (folder / "README.md").read_text(encoding="utf-8")
    for word in ("CC BY", "BSDS500", "steps", "evidence"):
        assert word in card
    assert json.loads((folder / "model.json").read_text(encoding="utf-8"))["config"]["data"]["path"]


def test_it_is_the_default() -> None:
    model = palette.load(task="denoising", device="cpu", answer="mean")
    assert model.digest == palette.load("photos", task="colorization").digest
    assert set(TASKS) <= {member.name for member in model.members}
    weights = model.digest[:12]
    assert repr(model) == f"<Restorer: denoising, mean answer, on cpu, weights {weights}>"
    with pytest.raises(palette.UserError, match=r"comes with palette: .*photos"):
        palette.load("photo")


@pytest.mark.parametrize("task", TASKS)
def test_its_mean_answer_is_no_worse_than_the_baseline(task: str, crops: list[Picture]) -> None:
    """And much better where small networks shine; photographs and draws are fixed."""
    model = palette.load(task=task, answer="mean", precision="fp32")
    errors = {"baseline": 0.0, "mean": 0.0}
    for number, clean in enumerate(crops):
        params = model.task.draw(Spec(SIDE, SIDE), rng(number, "draw"))
        held = model.task.degrade(clean, params)
        (mean,) = model.restore_observations([held])
        for row, made in (("baseline", model.task.baseline(held)), ("mean", mean)):
            errors[row] += float(np.square(np.clip(made, 0, 1) - clean).sum())
    gain = 10 * np.log10(errors["baseline"] / errors["mean"])
    least = {"super-resolution-x2": 0.8, "super-resolution-x4": 0.4, "denoising": 5}
    assert gain > least.get(task, -0.3)


def test_a_folder_of_its_name_may_hold_pictures(
    crops: list[Picture],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    recwarn: pytest.WarningsRecorder,
) -> None:
    """The first of two paths is the pictures, of three the model, which is said where both fit."""
    monkeypatch.chdir(tmp_path)
    Path("photos").mkdir()
    write(Path("photos/one.png"), crops[0][:32, :32])
    more = ["--task", "jpeg-restoration", "--answer", "mean", "--precision", "fp32"]
    assert main(["restore", "photos", "photos", "out", *more]) == 0
    assert main(["restore", "photos/one.png", "two.png", *more]) == 0
    one, two = read("out/one.png"), read("two.png")
    np.testing.assert_array_equal(one.picture, two.picture)
    assert main(["restore", "photos", "short", *more]) == 0
    np.testing.assert_array_equal(read("short/one.png").picture, two.picture)
    assert not recwarn
    with pytest.warns(UserWarning, match="photos is the model of this name; to restore what is in"):
        assert main(["restore", "photos", "two.png", "three.png", *more]) == 0
    assert main(["restore", "photos", "photos/one.png", *more]) == 2
    assert main(["info", "photos"]) == 0


@pytest.mark.parametrize("paths", [["photos", "two.png"], ["two.png"]])
def test_a_picture_alone_has_no_place_to_go(
    paths: list[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(["restore", *paths]) == 2
    assert "two.png has no place to go" in capsys.readouterr().err


@pytest.mark.slow
def test_the_demo_shows_every_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    out = tmp_path / "demo"
    assert main(["demo", "--out", str(out)]) == 0
    said = capsys.readouterr().out
    assert all(task in said for task in TASKS)
    assert (out / "report" / "report.html").exists()
