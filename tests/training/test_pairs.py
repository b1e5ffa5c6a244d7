"""Pairs that another tool made: trained on, judged, resumed; and what does not fit, in one line."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import TINY
from PIL import Image, ImageFilter, ImageOps
from short_runs import HOLD, assert_equal_bits, run_and_stop, saved

import palette
from palette.cli.main import main
from palette.config import merge, read_toml
from palette.data.cache import CachedSource
from palette.data.images import read
from palette.data.opening import open_source
from palette.errors import UserError
from palette.fitting import fit
from palette.resolving import resolve
from palette.training.set import TrainingSet

SMALL = ["--model.width", "8", "--model.blocks", "1", "--model.multipliers", "1", "2"]
SMALL += ["--model.groups", "4", "--model.head-width", "8", "--train.batch", "2"]
SMALL += ["--data.size", "32", "--train.precision", "fp32", "--train.workers", "0"]

Filter = Callable[[Image.Image], Image.Image]
FILTERS: dict[str, Filter] = {
    "blur": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "emboss": lambda picture: picture.filter(ImageFilter.EMBOSS).convert("L"),
    "invert": ImageOps.invert,
    "half": lambda picture: picture.resize((36, 28), Image.Resampling.LANCZOS),
}


@pytest.fixture(scope="module")
def folders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """20 photographs of 72×56 in sharp/, and a folder of partners for each filter of Pillow."""
    root = tmp_path_factory.mktemp("pairs")
    source = open_source("bundled")
    for number in range(20):
        pixels = (source.read(number % 10)[number : number + 56, 80:152] * 255).astype(np.uint8)
        made = {"sharp": Image.fromarray(pixels)}
        made |= {name: change(made["sharp"]) for name, change in FILTERS.items()}
        for name, picture in made.items():
            path = root / name / "ab"[number % 2] / f"{number}.{'bmp' if name == 'half' else 'png'}"
            path.parent.mkdir(parents=True, exist_ok=True)
            picture.save(path)
    return root


@pytest.mark.parametrize(
    ("name", "scale", "diffuse"),
    [("blur", None, "residual"), ("half", 2, "residual"), ("emboss", None, "picture")],
)
def test_twenty_pairs_of_another_tool_train_restore_and_evaluate(
    folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    name: str,
    scale: int | None,
    diffuse: str,
) -> None:
    given, out = folders / name, tmp_path / "run"
    data = ["--data", str(folders / "sharp"), "--data.input", str(given)]
    steps = ["--steps", "2", "--train.validate-every", "2", "--data.val-crops", "2"]
    assert main(["train", "paired", *data, "--out", str(out), *steps, *SMALL]) == 0
    assert f"20 pairs, ×{scale or 1}: the difference" in capsys.readouterr().err
    options = read_toml(out / "config.toml")["options"]
    assert (options["diffuse"], options.get("scale")) == (diffuse, scale)
    assert (out / "samples" / "step-2.png").exists()

    picture = next(given.rglob("*0.*"))
    assert main(["restore", str(out), str(picture), str(tmp_path / "one.png"), "--steps", "2"]) == 0
    assert read(tmp_path / "one.png").picture.shape == (56, 72, 3)

    report = tmp_path / "report"
    limits = ["--out", str(report), "--limit", "3", "--steps", "2"]
    assert main(["evaluate", str(out), *data, *limits]) == 0
    names = json.loads((report / "manifest.json").read_text())["names"]
    for one in names:
        written = read(report / "input" / f"{one}.png").picture
        (partner,) = given.glob(f"{one}.*")
        np.testing.assert_array_equal(written, read(partner).picture)
        clean = read(report / "reference" / f"{one}.png").picture
        np.testing.assert_array_equal(clean, read(folders / "sharp" / f"{one}.png").picture)
    assert len(names) == 3


def odd_size(sharp: Path, blurred: Path) -> None:
    Image.new("RGB", (50, 40)).save(blurred / "a" / "4.png")


def other_scale(sharp: Path, blurred: Path) -> None:
    Image.new("RGB", (36, 28)).save(blurred / "a" / "4.png")


def larger(sharp: Path, blurred: Path) -> None:
    Image.new("RGB", (144, 112)).save(blurred / "a" / "4.png")


def unreadable(sharp: Path, blurred: Path) -> None:
    for path in blurred.rglob("*.png"):
        path.write_bytes(b"none")


def truncated(sharp: Path, blurred: Path) -> None:
    for path in blurred.rglob("*.png"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def equal(sharp: Path, blurred: Path) -> None:
    shutil.rmtree(blurred)
    shutil.copytree(sharp, blurred)


MISFITS: dict[str, tuple[Callable[[Path, Path], Any], str]] = {
    "no input": (
        lambda sharp, blurred: (blurred / "a" / "4.png").unlink(),
        "1 of 20 pictures of .*sharp have no partner in .*blur: a/4.png; add",
    ),
    "no target": (
        lambda sharp, blurred: (sharp / "a" / "4.png").unlink(),
        "1 of 20 pictures of .*blur have no partner in .*sharp: a/4.png; add",
    ),
    "two partners": (
        lambda sharp, blurred: Image.new("RGB", (72, 56)).save(blurred / "a" / "4.bmp"),
        "a/4.bmp and a/4.png of .*blur would both be the partner of a/4: keep one",
    ),
    "other names": (
        lambda sharp, blurred: (blurred / "a").rename(blurred / "c"),
        "10 of 20 pictures of .*sharp have no partner .*: a/0.png, a/10.png, .* and 7 more",
    ),
    "no name in common": (
        lambda sharp, blurred: (sharp / "a").rename(sharp / "c") and shutil.rmtree(sharp / "b"),
        "no picture has a partner, e.g. c/0.png of .*sharp",
    ),
    "neither equal nor a scale": (
        odd_size,
        "a/4.png has 72×56 pixels and its input 50×40: make them equal, or the target exactly 2 to",
    ),
    "an input that is larger": (larger, "72×56 pixels and its input 144×112: make them equal"),
    "two scales": (other_scale, r"several scales \(×1: a/0.png, .* and 16 more; ×2: a/4.png\)"),
    "no readable header": (unreadable, r"/0.png: no PNG"),
    "all files cut off": (truncated, r"/0.png: cannot be decoded"),
    "no pictures": (
        lambda sharp, blurred: shutil.rmtree(blurred) or blurred.mkdir(),
        "blur holds no pictures: choose a folder",
    ),
    "no folder": (lambda sharp, blurred: shutil.rmtree(blurred), "blur: no such folder"),
    "nothing to learn": (equal, "in all 20 pairs the input equals the target"),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_a_misfit_is_one_line_before_the_run_begins(
    folders: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], kind: str
) -> None:
    sharp, blurred = tmp_path / "sharp", tmp_path / "blur"
    shutil.copytree(folders / "sharp", sharp)
    shutil.copytree(folders / "blur", blurred)
    spoil, message = MISFITS[kind]
    spoil(sharp, blurred)
    line = refused(capsys, "paired", sharp, blurred, tmp_path / "run")
    assert re.search(message, line), line
    assert not (tmp_path / "run").exists()


def refused(
    capsys: pytest.CaptureFixture[str], task: str, data: Path, given: Path | None, out: Path
) -> str:
    """The one line of `palette train`."""
    arguments = ["train", task, "--data", str(data), "--out", str(out), "--steps", "1", *SMALL]
    arguments += [] if given is None else ["--data.input", str(given)]
    assert main(arguments) == 2
    (line,) = capsys.readouterr().err.splitlines()
    return line


@pytest.mark.parametrize(
    ("task", "data", "given", "message"),
    [
        ("paired", "sharp", None, "paired learns from pairs: name --data and --data.input"),
        ("paired", "sharp", "sharp", "are one folder, or one is inside of the other"),
        ("paired", ".", "blur", "are one folder, or one is inside of the other"),
        ("denoising", "sharp", "blur", "denoising makes its own inputs: leave --data.input out"),
    ],
)
def test_tasks_and_folders_that_do_not_go_together(
    folders: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    task: str,
    data: str,
    given: str | None,
    message: str,
) -> None:
    inputs = None if given is None else folders / given
    assert message in refused(capsys, task, folders / data, inputs, tmp_path / "run")


def test_validation_needs_pairs_of_the_same_scale(folders: Path, tmp_path: Path) -> None:
    sharp, blur, half = folders / "sharp", folders / "blur", folders / "half"
    train: dict[str, Any] = {"data": sharp, "input": blur, "steps": 1, "config": TINY}
    with pytest.raises(UserError, match=r"inputs of --val with --data\.val-input"):
        palette.train("paired", out=tmp_path / "a", val=sharp, **train)
    with pytest.raises(UserError, match=r"has no targets: name their --val"):
        palette.train("paired", out=tmp_path / "a", val_input=half, **train)
    with pytest.raises(UserError, match=r"pairs of --val have the scale ×2, those of --data ×1"):
        palette.train("paired", out=tmp_path / "a", val=sharp, val_input=half, **train)
    palette.train("paired", out=tmp_path / "a", val=sharp, val_input=blur, **train)


def test_evaluating_and_searching_need_pairs_of_the_scale(folders: Path, tmp_path: Path) -> None:
    sharp, blur, half = folders / "sharp", folders / "blur", folders / "half"
    palette.train("paired", sharp, tmp_path / "run", input=half, steps=1, config=TINY)
    report = tmp_path / "report"
    with pytest.raises(UserError, match=r"name those of --data with --data\.input"):
        palette.evaluate(tmp_path / "run", sharp, report)
    with pytest.raises(UserError, match="the pairs have the scale ×1, the model ×2"):
        palette.evaluate(tmp_path / "run", sharp, report, input=blur)
    with pytest.raises(UserError, match="photos-jpeg degrades the pictures itself"):
        palette.evaluate(tmp_path / "run", sharp, report, input=half, protocol="photos-jpeg")
    assert not report.exists()
    few: dict[str, Any] = {"pictures": 3, "steps": 1}
    found = palette.search(tmp_path / "run", sharp, input=half, **few)
    assert found.steps == 1
    with pytest.raises(UserError, match="the pairs have the scale ×1"):
        palette.search(tmp_path / "run", sharp, input=blur, **few)


def test_any_model_of_whole_pictures_is_judged_on_pairs(
    trained: dict[str, Path], folders: Path, tmp_path: Path
) -> None:
    sharp, blur = folders / "sharp", folders / "blur"
    report = palette.evaluate(
        trained["denoising"], sharp, tmp_path / "report", input=blur, limit=2, answers=("mean",)
    )
    assert report is not None
    written = read(tmp_path / "report" / "input" / "a" / "0.png").picture
    np.testing.assert_array_equal(written, read(blur / "a" / "0.png").picture)
    with pytest.raises(UserError, match="inpainting makes holes in the pictures"):
        palette.evaluate(trained["inpainting"], sharp, tmp_path / "other", input=blur)


def training_set(folders: Path, name: str, *layers: dict[str, Any]) -> TrainingSet:
    config, members = resolve("paired", TINY, *layers)
    source = open_source(folders / "sharp", inputs=folders / name)
    config, members = fit(config, members, source, None)
    return TrainingSet(CachedSource(source, 2**24), members, config)


@pytest.mark.parametrize("resize", ["none", "random"])
@pytest.mark.parametrize("size", [32, 48])
def test_an_example_is_one_place_of_both(folders: Path, resize: str, size: int) -> None:
    """Of an inverted picture every crop, mirrored, reduced or continued, is the inverse."""
    data = {"size": size, "resize": resize, "grey_share": 0.3}
    examples = training_set(folders, "invert", {"data": data})
    assert examples.members[0].task.target == "picture"
    for position in range(12):
        example = examples.example(position)
        assert example["x"].shape == example["y"].shape == (3, size, size)
        np.testing.assert_allclose(example["x"], -example["y"], atol=1e-5)


@pytest.mark.parametrize("resize", ["none", "random"])
def test_an_example_with_a_scale_is_one_place_of_both(folders: Path, resize: str) -> None:
    examples = training_set(folders, "half", {"data": {"resize": resize}})
    error, shifted = 0.0, 0.0
    for position in range(12):
        example = examples.example(position)
        assert example["x"].shape == example["y"].shape == (3, 32, 32)
        error += np.square(example["x"] - example["y"]).mean()
        shifted += np.square(np.roll(example["x"], 1, axis=-1) - example["y"]).mean()
    assert error < 0.5 * shifted


def test_what_is_chosen_is_not_measured(folders: Path, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = training_set(folders, "blur", {"options": {"diffuse": "picture"}})
    assert chosen.config.options["diffuse"] == "picture"
    assert capsys.readouterr().err == ""
    with pytest.raises(UserError, match="scale is 3, but the pairs have ×2: leave it out"):
        training_set(folders, "half", {"options": {"scale": 3}})


@pytest.mark.parametrize("name", ["blur", "half"])
def test_stopped_and_resumed_is_the_same_to_the_bit(
    folders: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    """Also from another place, with workers; other inputs are refused."""
    sharp, given = folders / "sharp", folders / name
    layers: dict[str, Any] = {"data": {"input": str(given)}}
    config = merge(TINY, HOLD, layers, {"model": {"dropout": 0.1}})
    palette.train("paired", sharp, tmp_path / "once", steps=4, seed=5, config=config)
    twice = run_and_stop(2, monkeypatch, tmp_path / "twice", sharp, 4, "paired", layers, workers=2)
    moved = tmp_path / "moved"
    shutil.copytree(given, moved)
    if name == "blur":
        with pytest.raises(UserError, match="was trained on other pictures"):
            palette.resume(twice, input=folders / "invert")
    palette.resume(twice, input=moved)
    assert_equal_bits(saved(tmp_path / "once", 4), saved(twice, 4))
    assert read_toml(twice / "config.toml")["data"]["input"] == str(moved)


def test_pairs_are_a_part_of_a_generalist(folders: Path, tmp_path: Path) -> None:
    """The other tasks degrade the targets themselves."""
    sharp, half, run = folders / "sharp", folders / "half", tmp_path / "run"
    options = {"tasks": "paired:2,super-resolution,inpainting", "scale": "2,4"}
    palette.train("generalist", sharp, run, input=half, steps=2, options=options, config=TINY)
    parts = read_toml(run / "config.toml")["options"]["parts"]
    assert parts == {"paired": {"diffuse": "residual", "scale": 2}}
    model = palette.load(run, task="paired")
    names = ["paired", "super-resolution-x2", "super-resolution-x4", "inpainting"]
    assert [member.name for member in model.members] == names
    assert model.restore(half / "a" / "0.bmp").size == (72, 56)
    assert model.model.targets[0].residual
    palette.resume(run, steps=3)


def test_the_run_may_not_be_among_the_inputs(folders: Path, tmp_path: Path) -> None:
    shutil.copytree(folders / "blur", tmp_path / "blur")
    with pytest.raises(UserError, match="is inside of the pictures"):
        palette.train(
            "paired", folders / "sharp", tmp_path / "blur" / "run", input=tmp_path / "blur"
        )
