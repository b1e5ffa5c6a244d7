"""Validation: fixed crops of unseen pictures, what is found of them, and what follows from it."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from short_runs import GENERALIST, about, assert_equal_bits, lines, run, saved, training_set

import palette
from palette.api import sources
from palette.cli.main import main
from palette.config import merge
from palette.data.images import read, write
from palette.data.opening import open_source
from palette.data.sources import BUNDLED
from palette.errors import UserError
from palette.resolving import resolve
from palette.training.ranks import Ranks
from palette.training.run_folder import RunFolder
from palette.training.set import TrainingSet
from palette.training.state import State
from palette.training.validation import LOGSNRS, Case, Findings, Row, Validation, _psnr
from palette.types import Observation

CPU = torch.device("cpu")
FEW = {"data": {"val_crops": 2}}
MIXED = {"options": {"tasks": "super-resolution,colorization,inpainting", "scale": "2"}}


def judged(state: State, validation: Validation) -> Findings:
    made = {decay: state.model(validation.config, {}, decay) for decay in state.averages}
    models = {decay: model for decay, model in made.items() if model is not None}
    return validation.judge(state, models)


@pytest.fixture(scope="module")
def crops(photos: Path) -> TrainingSet:
    return training_set("generalist", photos, MIXED, FEW, {"train": {"ema": [0.5, 0.9]}})


@pytest.fixture(scope="module")
def validation(crops: TrainingSet, photos: Path) -> Validation:
    return Validation(open_source(photos), crops.members, crops.config)


def test_the_crops_are_the_same_in_every_validation(
    validation: Validation, photos: Path, crops: TrainingSet
) -> None:
    again = Validation(open_source(photos), crops.members, crops.config)
    for cases, others in zip(validation.cases, again.cases, strict=True):
        assert len(cases) == 2
        for one, other in zip(cases, others, strict=True):
            assert one.clean.shape == (64, 64, 3)  # twice the size
            np.testing.assert_array_equal(one.clean, other.clean)
            np.testing.assert_array_equal(one.observed.picture, other.observed.picture)
    assert validation.cases[0][0].observed.picture.shape == (32, 32, 3)
    assert validation.cases[2][0].observed.mask is not None
    seed = replace(crops.config, seed=1)
    other = Validation(open_source(photos), crops.members, seed).cases[0][0].clean
    assert np.abs(other - validation.cases[0][0].clean).max() > 0.05


def test_an_untrained_network_is_the_baseline(validation: Validation, crops: TrainingSet) -> None:
    """It outputs 0, so that the mean answer is what it is shown, as the task finishes it: only an
    enlarged picture gains by that."""
    found = judged(State.start(crops, Ranks(CPU)), validation)
    assert list(found.rows) == ["super-resolution-x2", "colorization", "inpainting"]
    gains = []
    for member, cases, row in zip(
        validation.members, validation.cases, found.rows.values(), strict=True
    ):
        task = member.task
        shown = [task.finish(task.baseline(case.observed), case.observed) for case in cases]
        gains.append(_psnr(cases, shown) - row.baseline)
        assert row.mean == pytest.approx(row.baseline + gains[-1], abs=0.02)
        assert row.sample < row.mean
    assert gains[0] > 0.3
    assert gains[1:] == pytest.approx([0, 0], abs=0.02)
    assert found.gain == pytest.approx(np.mean(gains), abs=0.02)
    assert list(found.loss) == list(LOGSNRS)
    assert all(0 < value < 10 for value in found.loss.values())


def test_the_loss_of_an_untrained_network_is_one_in_nearly_clean_pictures(photos: Path) -> None:
    layer = {"diffusion": {"balance": False}, "data": {"val_crops": 8}}
    crops = training_set("denoising", photos, layer)
    validation = Validation(open_source(photos), crops.members, crops.config)
    found = judged(State.start(crops, Ranks(CPU)), validation)
    assert found.loss[8] == pytest.approx(1, abs=0.05)
    assert found.loss[-8] == pytest.approx(1, abs=0.3)  # z, of about unit variance


def test_judging_twice_finds_the_same_and_changes_nothing(
    validation: Validation, crops: TrainingSet
) -> None:
    state = State.start(crops, Ranks(CPU))
    before = {name: value.clone() for name, value in state.denoiser.state_dict().items()}
    torch.manual_seed(0)
    first = judged(state, validation)
    torch.manual_seed(1)
    assert judged(state, validation) == first
    assert_equal_bits(state.denoiser.state_dict(), before)
    assert state.denoiser.training


def test_the_better_average_is_found(validation: Validation, crops: TrainingSet) -> None:
    for good, bad in ((0.5, 0.9), (0.9, 0.5)):
        state = State.start(crops, Ranks(CPU))
        state.averages[bad]["unet.head.bias"] += 3
        assert judged(state, validation).decay == good


def test_psnr_is_that_of_what_was_to_be_made() -> None:
    clean = np.full((8, 8, 3), 100 / 255, np.float32)
    hole = np.zeros((8, 8), bool)
    hole[:4] = True
    answer = clean.copy()
    answer[:2] += 10 / 255  # a quarter of all, half of the hole
    answer[6:] += 0.3 / 255  # lost when it is rounded to 8 bits
    whole, part = Case(clean, Observation(clean)), Case(clean, Observation(clean, hole))
    for case, share, count in ((whole, 0.25, 192), (part, 0.5, 96)):
        error, values = case.squared_error(answer)
        assert values == count
        assert error / values == pytest.approx(share * (10 / 255) ** 2, rel=1e-5)


def test_findings_are_plain() -> None:
    rows = {"a": Row(20.0, 23.0, 21.5), "b": Row(30.0, 29.0, 28.0)}
    found = Findings(rows, 0.9, {0: 0.5}).as_json()
    assert found["gain"] == 1.0
    assert found["tasks"]["a"] == {
        "baseline": 20.0,
        "mean": 23.0,
        "sample": 21.5,
        "gain": 3.0,
        "gap": 1.5,
    }
    assert (found["decay"], found["loss"]) == (0.9, {"0": 0.5})


def test_a_run_writes_what_it_finds(tmp_path: Path, photos: Path) -> None:
    layer = {"options": GENERALIST, **FEW}
    out = run(tmp_path / "run", photos, 3, "generalist", layer, validate_every=2)
    found = [line for line in lines(out) if "validation" in line]
    assert [line["step"] for line in found] == [2, 3]  # and after the last step
    tasks = found[-1]["validation"]["tasks"]
    assert set(tasks) == {
        "super-resolution-x2",
        "super-resolution-x3",
        "colorization",
        "inpainting",
        "denoising",
    }
    for row in tasks.values():
        assert row["gain"] == pytest.approx(row["mean"] - row["baseline"], abs=2e-4)
        assert 5 < row["sample"] < 60
    assert sorted(p.name for p in (out / "samples").iterdir()) == ["step-2.png", "step-3.png"]
    strip = read(out / "samples" / "step-3.png").picture
    # a row for each task, baseline | mean | sample | clean, of twice the size; ×3 takes 66 for it
    assert strip.shape == (64 * 4 + 66, 4 * 66, 3)
    best = about(out, 3)["best"]
    gains = {line["step"]: line["validation"]["gain"] for line in found}
    assert best["gain"] == pytest.approx(max(gains.values()), abs=1e-4)
    assert palette.load(out / "best", task="denoising").model.info["step"] == best["step"]


def test_validations_change_no_bit(tmp_path: Path, photos: Path) -> None:
    plain = run(tmp_path / "plain", photos, 3, "denoising", FEW)
    shown = run(tmp_path / "shown", photos, 3, "denoising", FEW, validate_every=2)
    assert_equal_bits(saved(plain, 3), saved(shown, 3))
    strip = read(shown / "samples" / "step-3.png").picture
    baseline, mean, sample, clean = np.split(strip, 4, axis=1)
    assert baseline.shape == mean.shape == sample.shape == clean.shape == (2 * 64, 64, 3)
    assert np.abs(mean - sample).max() > 0.01
    assert np.abs(baseline - clean).max() > 0.01


def find(monkeypatch: pytest.MonkeyPatch, gains: list[float], decays: list[float]) -> None:
    """Validations that find these gains, one after the other."""
    findings = [
        Findings({"inpainting": Row(20.0, 20.0 + gain, 19.0)}, decay, {})
        for gain, decay in zip(gains, decays, strict=True)
    ]
    monkeypatch.setattr(Validation, "judge", lambda *_: findings.pop(0))
    monkeypatch.setattr(Validation, "strip", lambda *_: np.zeros((8, 8, 3), np.float32))


def test_the_best_is_kept_beside_the_last(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """That of the better average; a later one that is only as good is no better."""
    find(monkeypatch, [1.0, 3.0, 2.0, 3.0], [0.5, 0.5, 0.0, 0.0])
    settings = {"validate_every": 1, "checkpoint_every": 1, "keep": 9, "ema": [0.5, 0.0]}
    out = run(tmp_path / "run", photos, 4, **settings)
    best, last = palette.load(out / "best").model, palette.load(out / "model").model
    assert (best.info["step"], last.info["step"]) == (2, 4)
    for model, average in ((best, "average-0.5"), (last, "average-0.0")):
        kept = saved(out, model.info["step"])
        for name, value in model.denoiser.state_dict().items():
            assert torch.equal(value, kept[f"{average}.{name}"])
    assert about(out, 4)["best"] == {"gain": 3.0, "step": 2, "decay": 0.0, "waiting": 2}
    assert about(out, 1)["best"] == {"gain": 1.0, "step": 1, "decay": 0.5, "waiting": 0}


def test_patience_ends_a_run(
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find(monkeypatch, [1.0, 2.0, 2.0, 1.5, 9.0, 1.0, 1.0], [0.9] * 7)
    settings = {"validate_every": 2, "checkpoint_every": 100, "patience": 2, "ema": [0.9]}
    out = run(tmp_path / "run", photos, 20, **settings)
    assert about(out, 8)["best"]["waiting"] == 2
    assert palette.load(out).model.info["step"] == 8
    assert palette.load(out / "best").model.info["step"] == 4
    assert "no gain in 2 validations: the best is in" in capsys.readouterr().out
    palette.resume(out)  # who resumes it gives it another chance
    assert palette.load(out / "best").model.info["step"] == 10
    assert palette.load(out).model.info["step"] == 14


def test_without_patience_it_goes_on(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find(monkeypatch, [3.0, 2.0, 1.0, 0.0], [0.9] * 4)
    out = run(tmp_path / "run", photos, 4, validate_every=1, ema=[0.9])
    assert palette.load(out).model.info["step"] == 4


class Told(Exception):
    """Stops a run where it would begin."""


def told(
    monkeypatch: pytest.MonkeyPatch, data: Path | str, out: Path, layer: dict[str, Any]
) -> tuple[list[str], list[str]]:
    """The names that a run would train on, and those that it would be validated on."""
    names: list[list[str]] = []

    def tell(folder: RunFolder, resume: bool) -> None:
        held = [] if folder.validation is None else folder.validation.source.ids
        names.extend([folder.training_set.source.ids, held])
        raise Told

    monkeypatch.setattr(RunFolder, "own", tell)
    with pytest.raises(Told):
        palette.train("denoising", data, out, steps=1, config=merge(TINY, layer))
    return names[0], names[1]


def test_what_is_held_out_is_not_trained_on(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    everything = open_source(photos).ids
    seen, held = told(monkeypatch, photos, tmp_path / "run", {})
    assert sorted([*seen, *held]) == sorted(everything)
    assert len(held) == 1
    seen, held = told(monkeypatch, photos, tmp_path / "run", {"data": {"val_share": 0.5}})
    assert 1 < len(held) < 6
    assert not set(seen) & set(held)
    seen, held = told(monkeypatch, photos, tmp_path / "run", {"data": {"val_share": 0}})
    assert (seen, held) == (everything, [])
    val = {"data": {"val": str(photos / "a")}}
    seen, held = told(monkeypatch, photos, tmp_path / "run", val)
    assert (seen, held) == (everything, open_source(photos / "a").ids)
    seen, held = told(monkeypatch, "bundled", tmp_path / "run", {})
    assert held == [Path(name).stem for name in BUNDLED["held_out"]]
    assert len(seen) == len(BUNDLED["train"])


def test_where_nothing_is_held_out_nothing_is_validated(tmp_path: Path, photos: Path) -> None:
    shutil.copytree(photos / "a", tmp_path / "few")
    assert len(open_source(tmp_path / "few")) == 3
    layer = {"data": {"val_share": 0}}
    out = run(tmp_path / "run", tmp_path / "few", 2, "inpainting", layer, validate_every=1)
    assert [line["step"] for line in lines(out)] == [2]
    assert not (out / "best").exists()


def test_pictures_for_validation_that_do_not_suit_stop_a_run_before_it_begins(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "val").mkdir()
    grey = np.repeat(np.random.default_rng(0).random((64, 64, 1)), 3, axis=2)
    write(tmp_path / "val" / "grey.png", grey.astype(np.float32))
    what = {"steps": 1, "val": tmp_path / "val", "out": tmp_path / "run", "data": photos}
    config = merge(TINY, FEW, {"train": {"validate_every": 1}})
    with pytest.raises(UserError, match=r"all 1 pictures for validation are grey.*--val"):
        palette.train("colorization", config=config, **what)
    (tmp_path / "val" / "grey.png").write_bytes(b"no picture")
    with pytest.raises(UserError, match=r"grey\.png"):
        palette.train("denoising", config=config, **what)
    assert not (tmp_path / "run").exists()
    config = merge(config, {"train": {"validate_every": 0}})
    palette.train("denoising", config=config, **what)


def test_a_place_for_validation_that_is_none(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = ["train", "denoising", "--data", str(photos), "--out", str(tmp_path / "run")]
    assert main([*command, "--val", str(tmp_path / "none")]) == 2
    assert "none" in capsys.readouterr().err


def test_validation_pictures_beside_the_bundled_ones(photos: Path) -> None:
    config, _ = resolve("denoising", {"data": {"val": str(photos)}})
    source, val = sources(config)
    assert len(source) == len(BUNDLED["train"])
    assert val is not None
    assert len(val) == 6
