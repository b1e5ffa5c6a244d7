"""Resuming: the same run to the same bits, and what cannot be the same run is refused."""

from __future__ import annotations

import json
import os
import re
import shutil
import socket
from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from short_runs import (
    GENERALIST,
    about,
    assert_equal_bits,
    lines,
    run,
    run_and_stop,
    saved,
    stop_at,
)

import palette
from palette.cli.main import main
from palette.config import merge, read_toml
from palette.data.images import read, write
from palette.errors import InUse, UserError
from palette.files import lock
from palette.training import state


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """Six steps at once."""
    return run(tmp_path_factory.mktemp("whole") / "run", photos, 6)


@pytest.fixture
def half(whole: Path, tmp_path: Path) -> Path:
    """The same run as it was after four steps."""
    shutil.copytree(whole, tmp_path / "half")
    shutil.rmtree(tmp_path / "half" / "checkpoints" / "step-6")
    return tmp_path / "half"


def edit(run: Path, **changes: str) -> None:
    """Replace values of config.toml, each of a key that is there once."""
    path = run / "config.toml"
    text = path.read_text()
    for key, value in changes.items():
        text, count = re.subn(rf"^{key} = (\[[^]]*\]|.*)$", f"{key} = {value}", text, flags=re.M)
        assert count == 1, key
    path.write_text(text)


@pytest.mark.parametrize("workers", [0, 2, "auto"])
def test_finished_and_lengthened_is_the_same_to_the_bit(
    tmp_path: Path, photos: Path, whole: Path, workers: int | str
) -> None:
    short = run(tmp_path / "short", photos, 3, workers=workers)
    palette.resume(short, steps=6)
    assert_equal_bits(saved(whole, 6), saved(short, 6))
    steps = [line["step"] for line in lines(short)]
    assert steps == sorted(set(steps))


def test_with_bf16_and_accumulation(tmp_path: Path, photos: Path) -> None:
    settings = {"precision": "bf16", "accumulate": 2}
    once = run(tmp_path / "once", photos, 4, "super-resolution", **settings)
    twice = run(tmp_path / "twice", photos, 2, "super-resolution", **settings)
    palette.resume(twice, steps=4)
    assert_equal_bits(saved(once, 4), saved(twice, 4))


def test_a_stop_signal_saves_and_resumes_to_the_same_bits(
    tmp_path: Path, photos: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = run_and_stop(2, monkeypatch, tmp_path / "stopped", photos, 6)
    assert read_toml(stopped / "config.toml")["steps"] == 6
    palette.resume(stopped)
    assert_equal_bits(saved(whole, 6), saved(stopped, 6))


EVERYTHING: dict[str, Any] = {
    "options": GENERALIST,
    "diffusion": {"schedule": "adaptive", "drop_condition": 0.3},
    "train": {"decay": "cosine", "ema": [0.5, 0.99], "validate_every": 2, "log_every": 1},
    "data": {"val_crops": 1, "grey_share": 0.2},
}
"""Targets, adaptive draws, a falling learning rate, two averages, the best of validations."""


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A generalist with everything, six steps at once."""
    return run(tmp_path_factory.mktemp("once") / "run", photos, 6, "generalist", EVERYTHING)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_generalist_with_everything(
    once: Path, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch, workers: int
) -> None:
    what = (photos, 6, "generalist", EVERYTHING)
    twice = run_and_stop(2, monkeypatch, tmp_path / "twice", *what, workers=workers)
    palette.resume(twice)
    found = saved(once, 6)
    assert {"weights", "average-0.5", "average-0.99", "exp_avg", "exp_avg_sq", "draws"} == {
        name.rsplit(".unet.")[0].removesuffix(".squares") for name in found
    }
    assert len(set(found["draws.squares"].tolist())) > 3  # some losses were learnt
    assert_equal_bits(found, saved(twice, 6))
    for name in ("targets", "best", "updates", "format"):
        assert about(once, 6)[name] == about(twice, 6)[name], name
    assert len(about(once, 6)["targets"]) == 5
    assert about(once, 6)["best"]["gain"] is not None
    without_clock = [
        [{k: v for k, v in line.items() if k != "images_per_second"} for line in lines(one)]
        for one in (once, twice)
    ]
    assert without_clock[0] == without_clock[1]
    for kind in ("model", "best"):
        a, b = (palette.load(one / kind, task="inpainting") for one in (once, twice))
        assert a.digest == b.digest


def test_a_resumed_run_keeps_its_format(
    half: Path, whole: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = json.loads((half / "run.json").read_text())["format"]
    assert kept == {"precision": "fp32", "memory": "channels_last"}
    monkeypatch.setattr(state, "choose", None)  # what is measured or remembered by now
    palette.resume(half)
    assert_equal_bits(saved(whole, 6), saved(half, 6))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"p": "1"}, "diffusion.p (2 then, 1 now)"),
        ({"width": "16"}, "model.width (8 then, 16 now)"),
        ({"learning_rate": "0.01"}, "train.learning_rate (0.001 then, 0.01 now)"),
        (
            {"schedule": '"logsnr"', "seed": "6"},
            "diffusion.schedule (normal then, logsnr now), seed",
        ),
        ({"ema": "[0.9]"}, "train.ema"),
        ({"fill": '"telea"'}, "options.fill (harmonic then, telea now)"),
        ({"batch": "3"}, "train.batch"),
        ({"decay": '"linear"'}, "train.decay"),
        ({"output": '"plain"'}, "model.output"),
    ],
)
def test_what_would_be_another_run_is_refused_by_name(
    half: Path, changes: dict[str, str], named: str
) -> None:
    edit(half, **changes)
    before = {p: p.read_bytes() for p in half.rglob("*") if p.is_file()}
    with pytest.raises(UserError, match="--init") as refused:
        palette.resume(half)
    assert named in str(refused.value)
    assert {p: p.read_bytes() for p in half.rglob("*") if p.is_file()} == before


def test_fewer_steps_than_are_done_are_refused(
    half: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (half / "config.toml").read_bytes()
    assert main(["resume", str(half), "--steps", "3"]) == 2
    assert "has done 4 steps, and --steps is 3: choose 4 or more" in capsys.readouterr().err
    assert (half / "config.toml").read_bytes() == before


def test_what_leaves_the_weights_alone_may_change(half: Path, whole: Path, tmp_path: Path) -> None:
    edit(
        half,
        workers="2",
        log_every="1",
        device='"cpu"',
        validate_every="1",
        checkpoint_every="1",
        keep="7",
        patience="3",
        recompute="true",
    )
    palette.resume(half)
    assert_equal_bits(saved(whole, 6), saved(half, 6))
    assert [line["step"] for line in lines(half) if "loss" in line][-2:] == [5, 6]
    assert read_toml(half / "config.toml")["train"]["workers"] == 2


def test_a_half_written_line_is_dropped(half: Path, whole: Path) -> None:
    """What a full disk or a power cut leaves, cut anywhere, also behind a brace."""
    for cut in ('{"step": 3', '{"step": 4, "validation": {"tasks": {"a": {"gain": 1}', "\x00\x00"):
        with (half / "metrics.jsonl").open("a") as file:
            file.write(cut)
        palette.resume(half)
        assert [line["step"] for line in lines(half)] == [6]
        shutil.rmtree(half / "checkpoints" / "step-6")
    palette.resume(half)
    assert_equal_bits(saved(whole, 6), saved(half, 6))


def test_killed_before_the_first_checkpoint_it_starts_again(
    half: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.rmtree(half / "checkpoints")
    shutil.rmtree(half / "model")
    (half / "metrics.jsonl").write_text('{"step": 1, "loss": 1.0}\n{"step": 2, "lo')
    assert main(["resume", str(half)]) == 0
    assert_equal_bits(saved(whole, 6), saved(half, 6))
    assert [line["step"] for line in lines(half)] == [6]
    assert "palette restore" in capsys.readouterr().out


def test_no_run_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["resume", str(tmp_path / "nothing")]) == 2
    assert "there is no" in capsys.readouterr().err
    assert not (tmp_path / "nothing").exists()


def test_two_processes_cannot_share_a_run(half: Path) -> None:
    named = rf"in use by process {os.getpid()} on {socket.gethostname()}: wait"
    with lock(half), pytest.raises(InUse, match=named):
        palette.resume(half)
    palette.resume(half)


@pytest.fixture
def moving(tmp_path: Path, photos: Path) -> tuple[Path, Path]:
    """A run of one step and its own copy of the pictures."""
    shutil.copytree(photos, tmp_path / "photos")
    return run(tmp_path / "run", tmp_path / "photos", 1), tmp_path / "photos"


def test_pictures_at_a_new_place(moving: tuple[Path, Path], tmp_path: Path, photos: Path) -> None:
    out, place = moving
    new = place.rename(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="photos"):
        palette.resume(out, steps=2)
    assert main(["resume", str(out), "--steps", "3", "--data", str(new)]) == 0
    assert read_toml(out / "config.toml")["data"]["path"] == str(new)
    assert_equal_bits(saved(out, 3), saved(run(tmp_path / "whole", photos, 3), 3))
    palette.resume(out, steps=4)  # it is known by now


def test_validation_pictures_at_a_new_place(tmp_path: Path, photos: Path) -> None:
    shutil.copytree(photos / "a", tmp_path / "val")
    layer = {"data": {"val": str(tmp_path / "val"), "val_crops": 1}}
    out = run(tmp_path / "run", photos, 2, "inpainting", layer, validate_every=2)
    (tmp_path / "val").rename(tmp_path / "new")
    palette.resume(out, steps=4, val=tmp_path / "new")
    assert read_toml(out / "config.toml")["data"]["val"] == str(tmp_path / "new")
    assert [line["step"] for line in lines(out) if "validation" in line] == [2, 4]


def test_a_relative_place_stays_true_elsewhere(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(photos.parent)
    out = run(tmp_path / "run", Path(photos.name), 1)
    monkeypatch.chdir(tmp_path)
    palette.resume("run", steps=2)
    assert read_toml(out / "config.toml")["data"]["path"] == str(photos)


@pytest.mark.parametrize("how", ["removed", "added", "changed"])
def test_other_pictures_are_refused(moving: tuple[Path, Path], how: str) -> None:
    out, place = moving
    one = next(place.rglob("*.png"))
    if how == "removed":
        one.unlink()
    if how == "added":
        shutil.copy(one, one.with_name("more.png"))
    if how == "changed":
        write(one, read(one).picture[:20])
    with pytest.raises(ValueError, match=r"other pictures \(\d then, \d now\).*--data.*--init"):
        palette.resume(out, steps=2)


def test_a_run_inside_of_its_pictures_is_refused(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its strips would be pictures of the next run."""
    shutil.copytree(photos, tmp_path / "photos")
    monkeypatch.chdir(tmp_path / "photos")
    for out in (Path("run"), Path("a/run"), tmp_path / "photos"):
        with pytest.raises(UserError, match=r"inside of the pictures|not empty"):
            run(out, Path(), 1)
    assert not (tmp_path / "photos" / "run").exists()
    run(tmp_path / "beside", Path(), 1)


def test_seeds_differ(tmp_path: Path, photos: Path, whole: Path) -> None:
    config = merge(TINY, {"train": {"checkpoint_every": 2}, "model": {"dropout": 0.1}})
    palette.train("inpainting", data=photos, out=tmp_path / "b", steps=6, seed=6, config=config)
    name = "weights.unet.stem.weight"
    assert not torch.equal(saved(whole, 6)[name], saved(tmp_path / "b", 6)[name])


def test_a_stop_at_the_last_step_is_no_stop(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stop_at(1, monkeypatch)
    out = run(tmp_path / "run", photos, 2)
    assert saved(out, 2)
    assert [line["step"] for line in lines(out)] == [2]
