"""One network, several tasks: each restores as if it were alone, and only what it can."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY

import palette
from palette import UserError
from palette.checkpoint import Model, load_model
from palette.cli.main import main
from palette.config import merge
from palette.data.images import read, write
from palette.restoring.restorer import Restorer
from palette.types import Observation

TASKS = {
    "super-resolution-x2": {},
    "super-resolution-x3": {},
    "colorization": {},
    "inpainting": {"mask": True},
    "uncropping": {"extend": (9, 0, 4, 0)},
    "denoising": {},
}
"""And what each needs beside a picture."""
FAST: dict[str, Any] = {"precision": "fp32", "steps": 2, "device": "cpu"}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    options = {
        "tasks": "super-resolution:2,colorization,inpainting,uncropping,denoising",
        "scale": "2,3",
    }
    out = tmp_path_factory.mktemp("generalist") / "run"
    config = merge(TINY, {"options": options, "train": {"learning_rate": 1e-2, "ema": [0.1]}})
    palette.train("generalist", photos, out, steps=3, config=config)
    return out


def given(name: str, picture: np.ndarray) -> dict[str, Any]:
    """The keywords of ``restore`` for a task."""
    if name != "inpainting":
        return dict(TASKS[name])
    hole = np.zeros(picture.shape[:2], bool)
    hole[5:30, 10:40] = True
    return {"mask": hole}


@pytest.mark.parametrize("answer", ["mean", "sample"])
def test_each_task_restores_as_it_does_alone(run: Path, picture: np.ndarray, answer: str) -> None:
    """To the bit: asked for by name, and through the same network at another task."""
    first = palette.load(run, task="denoising", **FAST)
    assert [member.name for member in first.members] == list(TASKS)
    for number, name in enumerate(TASKS):
        alone = palette.load(run, task=name, **FAST)
        assert alone.task == first.members[number].task
        options = given(name, picture)
        a = alone.restore(picture, answer=answer, **options)  # type: ignore[arg-type]
        b = first.doing(number).restore(picture, answer=answer, **options)  # type: ignore[arg-type]
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()
    assert first.task.name == "denoising"  # `doing` leaves it as it was
    assert first.doing(0).solver.denoiser is first.solver.denoiser


def test_it_is_the_target_and_the_embedding_of_the_task(run: Path, picture: np.ndarray) -> None:
    """The same weights as a model of the one task, with a network that is shown no other."""
    model = load_model(run)
    members = palette.load(run, task="denoising").members
    for number, name in enumerate(TASKS):
        one = Model(model.denoiser, (model.targets[number],), model.config, model.info)
        row = model.denoiser.unet.task_embedding
        assert row is not None
        kept = row.weight.clone()
        row.weight[0] = kept[number]
        alone = Restorer(one, [members[number]], device="cpu", precision="fp32")
        row.weight.copy_(kept)
        options = given(name, picture)
        expected = palette.load(run, task=name, **FAST).restore(picture, answer="mean", **options)
        found = alone.restore(picture, answer="mean", **options)
        np.testing.assert_array_equal(found, expected)


def test_the_task_is_shown(run: Path, picture: np.ndarray) -> None:
    restorer = palette.load(run, task="denoising", **FAST)
    row = restorer.solver.denoiser.unet.task_embedding
    assert row is not None
    before = restorer.restore(picture)
    with torch.no_grad():
        row.weight[0] += 3
    np.testing.assert_array_equal(restorer.restore(picture), before)
    with torch.no_grad():
        row.weight[5] += 3
    assert np.abs(restorer.restore(picture) - before).max() > 1e-4


def test_a_network_that_is_not_shown_the_task(
    tmp_path: Path, photos: Path, picture: np.ndarray
) -> None:
    config = merge(TINY, {"model": {"tasks": 0}, "options": {"tasks": "denoising,inpainting"}})
    palette.train("generalist", photos, tmp_path / "run", steps=1, config=config)
    model = palette.load(tmp_path / "run", task="denoising", **FAST)
    assert model.solver.denoiser.unet.task_embedding is None
    assert model.restore(picture).shape == picture.shape


def test_an_observation_that_does_not_suit_the_task_is_refused(
    run: Path, picture: np.ndarray
) -> None:
    for name, fault in (("denoising", "fills no holes"), ("uncropping", "give a mask")):
        restorer = palette.load(run, task=name, **FAST)
        mask = np.zeros(picture.shape[:2], bool) if name == "denoising" else None
        with pytest.raises(ValueError, match=fault):
            restorer.restore(picture, mask=mask)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ({}, f"several tasks: choose --task from {', '.join(TASKS)}"),
        ({"task": "jpeg-restoration"}, f"does not do jpeg-restoration: .* {', '.join(TASKS)}"),
        ({"task": "super-resolution"}, "from super-resolution-x2, super-resolution-x3$"),
        ({"task": "super-resolution", "scale": 4}, "does not do super-resolution ×4"),
    ],
)
def test_a_wrong_task_is_refused_with_the_list(
    run: Path, asked: Mapping[str, Any], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        palette.load(run, **asked)


def test_a_scale_chooses(run: Path, picture: np.ndarray) -> None:
    for scale in (2, 3):
        by_scale = palette.load(run, scale=scale, **FAST).restore(picture)
        by_name = palette.load(run, task=f"super-resolution-x{scale}", **FAST).restore(picture)
        np.testing.assert_array_equal(by_scale, by_name)
        assert by_scale.shape == (40 * scale, 56 * scale, 3)


def test_the_command(
    run: Path, picture: np.ndarray, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(tmp_path / "in.png", picture)
    command = ["restore", str(run), str(tmp_path / "in.png"), str(tmp_path / "out.png")]
    command += ["--answer", "mean", "--precision", "fp32"]
    assert main(command) == 2
    assert "several tasks: choose --task from super-resolution-x2" in capsys.readouterr().err
    assert main([*command, "--task", "jpeg"]) == 2
    assert "does not do jpeg: choose --task from" in capsys.readouterr().err
    assert main([*command, "--task", "super-resolution", "--scale", "3"]) == 0
    assert read(tmp_path / "out.png").picture.shape == (120, 168, 3)


def test_lists_and_sizes(run: Path) -> None:
    """Also through a task whose pictures share batches with nobody."""
    draws = np.random.default_rng(0)
    for name in ("denoising", "inpainting"):
        restorer = palette.load(run, task=name, **FAST)
        observed = [
            Observation(draws.random((*size, 3), dtype=np.float32), mask)
            for size in ((1, 1), (24, 24), (24, 24), (33, 17))
            for mask in [np.ones(size, bool) if name == "inpainting" else None]
        ]
        together = restorer.restore_observations(observed, seeds=[1, 2, 3, 4])
        for observation, seed, one in zip(observed, [1, 2, 3, 4], together, strict=True):
            (alone,) = restorer.restore_observations([observation], seeds=[seed])
            np.testing.assert_array_equal(alone, one)


def test_a_model_says_how_it_answers(run: Path, picture: np.ndarray, tmp_path: Path) -> None:
    """By task, where nobody says otherwise nor chooses how samples are made."""
    model = palette.export(run, tmp_path / "model", mean=["inpainting", "denoising"])
    options: dict[str, Any] = {"precision": "fp32", "device": "cpu"}
    asked_for: tuple[tuple[str, dict[str, Any], str], ...] = (
        ("denoising", {}, "mean"),
        ("denoising", {"tile": 64}, "mean"),
        ("denoising", {"steps": 2}, "sample"),
        ("denoising", {"samples": 2}, "sample"),
        ("denoising", {"answer": "sample"}, "sample"),
        ("denoising", {"answer": "mean", "steps": 2}, "mean"),
        ("colorization", {}, "sample"),
    )
    for name, chosen, answer in asked_for:
        asked = palette.load(model, task=name, **options, **chosen)
        assert asked.describe()["sampling"]["answer"] == answer, (name, chosen)
    own = palette.load(model, task="denoising", **options)
    np.testing.assert_array_equal(own.restore(picture), own.restore(picture, answer="mean"))
    source, target = tmp_path / "noisy.png", tmp_path / "clean.png"
    write(source, picture)
    command = ["restore", str(model), str(source), str(target), "--task", "denoising"]
    assert main([*command, "--precision", "fp32", "--device", "cpu"]) == 0
    expected = own.restore(read(source).picture, answer="mean")
    np.testing.assert_allclose(read(target).picture, expected, atol=0.51 / 255)
    again = palette.export(model, tmp_path / "again")
    assert palette.load(again, task="inpainting").describe()["sampling"]["answer"] == "mean"


def test_a_task_that_it_does_not_serve_has_no_answer(run: Path, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"mean is 'denoise': .*denoising"):
        palette.export(run, tmp_path / "model", mean=["denoise"])
    assert not (tmp_path / "model").exists()
