"""Training: resumed runs end in the same bits, batches do not depend on workers, faults stop it."""

from __future__ import annotations

import json
import math
import os
import shutil
import signal
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import TINY
from safetensors.torch import load_file

import palette
from palette.api import resolve
from palette.config import merge, read_toml
from palette.data.cache import CachedSource
from palette.data.images import read
from palette.data.loader import batches
from palette.data.opening import open_source
from palette.diffusion.loss import epsilon_loss
from palette.errors import Diverged, InUse, Preempted, UserError
from palette.files import lock
from palette.network.denoiser import Denoiser
from palette.seeding import normal
from palette.tasks import TASKS
from palette.training import loop as training
from palette.training import state
from palette.training.set import TrainingSet
from palette.types import Spec


def run(out: Path, photos: Path, steps: int, task: str = "inpainting", **train: Any) -> Path:
    config = merge(TINY, {"train": {"checkpoint_every": 2, **train}, "model": {"dropout": 0.1}})
    palette.train(task, data=photos, out=out, steps=steps, seed=5, config=config)
    return out


def weights(run: Path, step: int) -> dict[str, torch.Tensor]:
    folder = run / "checkpoints" / f"step-{step}"
    groups = ("weights", "average", "exp_avg", "exp_avg_sq")
    return {
        f"{group}.{name}": value
        for group in groups
        for name, value in load_file(folder / f"{group}.safetensors").items()
    }


def assert_equal_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.mark.parametrize("workers", [0, 2, "auto"])
def test_stopped_and_resumed_is_the_same_to_the_bit(
    tmp_path: Path, photos: Path, workers: int | str
) -> None:
    whole = run(tmp_path / "whole", photos, 6)
    half = run(tmp_path / "half", photos, 3, workers=workers)
    palette.resume(half, steps=6)
    assert_equal_bits(weights(whole, 6), weights(half, 6))
    logged = [json.loads(line) for line in (half / "metrics.jsonl").read_text().splitlines()]
    assert [line["step"] for line in logged] == sorted({line["step"] for line in logged})


def test_resuming_with_bf16_and_accumulation(tmp_path: Path, photos: Path) -> None:
    settings = {"precision": "bf16", "accumulate": 2}
    whole = run(tmp_path / "whole", photos, 4, "super-resolution", **settings)
    half = run(tmp_path / "half", photos, 2, "super-resolution", **settings)
    palette.resume(half, steps=4)
    assert_equal_bits(weights(whole, 4), weights(half, 4))


def test_a_resumed_run_keeps_its_format(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", photos, 4)
    half = run(tmp_path / "half", photos, 2)
    kept = json.loads((half / "run.json").read_text())["format"]
    assert kept == {"precision": "fp32", "memory": "channels_last"}
    monkeypatch.setattr(state, "choose", None)  # what is measured or remembered by now
    palette.resume(half, steps=4)
    assert_equal_bits(weights(whole, 4), weights(half, 4))


def test_recomputing_changes_no_bit(tmp_path: Path, photos: Path) -> None:
    plain = run(tmp_path / "plain", photos, 2, precision="bf16")
    again = run(tmp_path / "again", photos, 2, precision="bf16", recompute=True)
    assert_equal_bits(weights(plain, 2), weights(again, 2))


def test_seeds_differ(tmp_path: Path, photos: Path) -> None:
    a = run(tmp_path / "a", photos, 2)
    config = merge(TINY, {"model": {"dropout": 0.1}})
    palette.train("inpainting", data=photos, out=tmp_path / "b", steps=2, seed=6, config=config)
    assert not torch.equal(
        weights(a, 2)["weights.unet.stem.weight"],
        weights(tmp_path / "b", 2)["weights.unet.stem.weight"],
    )


@pytest.mark.parametrize("task", sorted(TASKS))
def test_batches_do_not_depend_on_workers(task: str, photos: Path) -> None:
    config, made = resolve(task, TINY, {"data": {"path": str(photos)}})
    training_set = TrainingSet(CachedSource(open_source(photos), 2**20), made, config)
    alone = list(batches(training_set.example, 3, 2, 5, workers=0))
    for workers in (1, 2):
        together = list(batches(training_set.example, 3, 2, 5, workers=workers))
        for a, b in zip(alone, together, strict=True):
            assert a.keys() == b.keys()
            assert all(torch.equal(a[key], b[key]) for key in a)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_examples_are_in_range(task: str, photos: Path) -> None:
    config, made = resolve(task, TINY, {"data": {"path": str(photos)}})
    training_set = TrainingSet(CachedSource(open_source(photos), 2**20), made, config)
    for position in range(4):
        example = training_set.example(position)
        assert example["x"].shape == example["y"].shape == (3, 32, 32)
        assert np.abs(example["y"]).max() <= 1
        assert ("region" in example) == made.masked
    if made.residual:
        examples = [training_set.example(i) for i in range(64)]
        differences = [example["y"] - example["x"] for example in examples]
        scale = training_set.residual_scale()
        assert scale == pytest.approx(math.sqrt(np.mean(np.square(differences))), rel=1e-5)


@pytest.mark.parametrize("task", sorted(TASKS))
def test_the_loss_falls(task: str, tmp_path: Path, photos: Path) -> None:
    """On fixed crops, noise levels and noise: the trained network against the untrained one."""
    config, made = resolve(task, TINY, {"train": {"batch": 4, "learning_rate": 4e-3}, "steps": 60})
    source = open_source(photos)
    training.train(config, made, source, tmp_path / "run")
    model = palette.load(tmp_path / "run").model
    training_set = TrainingSet(CachedSource(source, 2**20), made, config)
    (batch,) = batches(training_set.example, 64, 99, 100)
    x, y = batch["x"], model.target.encode(batch["y"], batch["x"])
    gamma = torch.linspace(0.01, 0.99, 64)
    noise = normal(range(64), tuple(y.shape[1:]))
    untrained = Denoiser(config.model, config.data.size).eval()
    with torch.no_grad():
        before, after = (
            epsilon_loss(f, x, y, gamma, noise, batch.get("region"), weight="inverse-gamma")
            for f in (untrained, model.denoiser)
        )
    assert after < 0.97 * before


def test_a_new_run_overwrites_nothing(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not empty"):
        run(tmp_path, photos, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_no_run(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        run(tmp_path / "file", photos, 1)


def test_strips_change_no_bit(tmp_path: Path, photos: Path) -> None:
    plain = run(tmp_path / "plain", photos, 3)
    shown = run(tmp_path / "shown", photos, 3, sample_every=2)
    assert_equal_bits(weights(plain, 3), weights(shown, 3))
    strips = {path.name: read(path).picture for path in (shown / "samples").iterdir()}
    assert sorted(strips) == ["step-2.png", "step-3.png"]
    baseline, mean, sample, clean = np.split(strips["step-3.png"], 4, axis=1)
    assert baseline.shape == mean.shape == sample.shape == clean.shape == (4 * 32, 32, 3)
    assert np.abs(mean - sample).max() > 0.01


def test_two_processes_cannot_share_a_run(tmp_path: Path, photos: Path) -> None:
    run(tmp_path / "run", photos, 1)
    with lock(tmp_path / "run"), pytest.raises(InUse, match="in use by process"):
        palette.resume(tmp_path / "run", steps=2)
    owner = {"host": socket.gethostname(), "pid": 999999999}
    (tmp_path / "run" / "lock").write_text(json.dumps(owner))
    palette.resume(tmp_path / "run", steps=2)  # its owner is dead


def test_a_stop_signal_saves_and_resumes_to_the_same_bits(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = run(tmp_path / "whole", photos, 5)
    step = training.optimizer_step

    def step_and_signal(state: Any, *rest: Any) -> tuple[float, float]:
        if state.step == 2:
            os.kill(os.getpid(), signal.SIGTERM)
        return step(state, *rest)

    monkeypatch.setattr(training, "optimizer_step", step_and_signal)
    with pytest.raises(Preempted, match="palette resume"):
        run(tmp_path / "stopped", photos, 5)
    monkeypatch.undo()
    assert read_toml(tmp_path / "stopped" / "config.toml")["steps"] == 5
    palette.resume(tmp_path / "stopped")
    assert_equal_bits(weights(whole, 5), weights(tmp_path / "stopped", 5))


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "run", photos, 2)
    before = weights(tmp_path / "run", 2)
    loss = training.epsilon_loss
    monkeypatch.setattr(training, "epsilon_loss", lambda *a: loss(*a) * float("nan"))
    with pytest.raises(Diverged, match="learning-rate"):
        palette.resume(tmp_path / "run", steps=100)
    assert_equal_bits(before, weights(tmp_path / "run", 2))


def test_a_few_bad_steps_are_skipped(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    loss, calls = training.epsilon_loss, []

    def sometimes(*args: Any) -> torch.Tensor:
        calls.append(1)
        return loss(*args) * (float("nan") if len(calls) == 2 else 1)

    monkeypatch.setattr(training, "epsilon_loss", sometimes)
    run(tmp_path / "run", photos, 4)
    assert all(bool(value.isfinite().all()) for value in weights(tmp_path / "run", 4).values())


def test_other_data_on_resume_is_refused(tmp_path: Path, photos: Path) -> None:
    shutil.copytree(photos, tmp_path / "photos")
    run(tmp_path / "run", tmp_path / "photos", 1)
    next((tmp_path / "photos").rglob("*.png")).unlink()
    with pytest.raises(ValueError, match="other pictures"):
        palette.resume(tmp_path / "run", steps=2)


@pytest.mark.parametrize("task", ["super-resolution", "jpeg-restoration", "colorization"])
def test_degrading_on_the_device_agrees_with_the_workers(task: str, photos: Path) -> None:
    config, made = resolve(task, TINY, {"data": {"path": str(photos)}})
    on_device, _ = resolve(task, TINY, {"data": {"path": str(photos), "degrade_on": "device"}})
    source = CachedSource(open_source(photos), 2**20)
    (expected,) = batches(TrainingSet(source, made, config).example, 4, 1, 2)
    training_set = TrainingSet(source, made, on_device)
    (arrays,) = batches(training_set.example, 4, 1, 2)
    assert set(arrays) == {"y"}
    found = training_set.on_device(arrays, 4, torch.device("cpu"))
    assert torch.equal(found.y, expected["y"])
    assert (found.x - expected["x"]).square().mean() < 1e-4  # JPEG: within 45 dB of the codec


def test_holes_are_cut_by_workers(photos: Path, tmp_path: Path) -> None:
    config = merge(TINY, {"data": {"degrade_on": "device"}})
    with pytest.raises(ValueError, match="choose 'worker'"):
        palette.train("inpainting", data=photos, out=tmp_path / "run", steps=1, config=config)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("super-resolution", {"degradation": "bsr", "scale": 2}),
        ("super-resolution", {"degradation": "bsr:0.5,sr_bicubic:0.5", "scale": 4}),
        ("jpeg-restoration", {"degradation": "real_esrgan", "severity": 0.2}),
        ("jpeg-restoration", {"set": ["palette_jpeg.quality=7"]}),
        ("inpainting", {"degradation": "lama_medium"}),
        ("inpainting", {"degradation": "lama_thin:1,palette_inpainting:2"}),
    ],
)
def test_tasks_take_any_pipeline(
    task: str, options: dict[str, Any], photos: Path, tmp_path: Path
) -> None:
    palette.train(task, data=photos, out=tmp_path / "run", steps=1, options=options, config=TINY)
    saved = read_toml(tmp_path / "run" / "config.toml")["options"]
    assert saved.items() >= options.items()


def test_pinned_parameters_are_drawn(photos: Path) -> None:
    made = TASKS["jpeg-restoration"](pins=("palette_jpeg.quality=7",))
    assert made.draw(Spec(32, 32), np.random.default_rng(0))["quality"] == 7


@pytest.mark.parametrize("where", ["worker", "device"])
@pytest.mark.parametrize("conditioning", ["noise_conditioning", "blur_conditioning"])
def test_the_network_is_shown_the_strength_of_an_augmentation(
    conditioning: str, where: str, photos: Path, tmp_path: Path, picture: np.ndarray
) -> None:
    layer = {"model": {"strength": True}, "data": {"degrade_on": where}}
    config = merge(TINY, layer, {"options": {"conditioning": conditioning, "scale": 2}})
    model = palette.train(
        "super-resolution", data=photos, out=tmp_path / "run", steps=2, config=config
    )
    resolved, made = resolve("super-resolution", config, {"data": {"path": str(photos)}})
    training_set = TrainingSet(CachedSource(open_source(photos), 2**20), made, resolved)
    (arrays,) = batches(training_set.example, 8, 0, 1)
    strength = training_set.on_device(arrays, 0, torch.device("cpu")).strength
    assert strength is not None
    assert strength.shape == (8,)
    assert len(set(strength.tolist())) > 1
    assert "augmentation" not in made.draw(Spec(32, 32), np.random.default_rng(0))  # evaluation
    plain = model.restore(picture)
    swept = palette.load(tmp_path / "run", strength=0.5).restore(picture)
    assert np.abs(swept - plain).max() > 0.01
    with pytest.raises(ValueError, match=r"--model\.strength"):
        palette.train(
            "super-resolution",
            data=photos,
            out=tmp_path / "other",
            steps=1,
            options={"conditioning": conditioning},
            config=TINY,
        )


def test_a_strength_for_a_model_that_knows_none(
    trained: dict[str, Path], picture: np.ndarray
) -> None:
    for task in ("jpeg-restoration", "inpainting"):
        hole = np.zeros(picture.shape[:2], bool) if task == "inpainting" else None
        with pytest.raises(ValueError, match="strength is"):
            palette.load(trained[task], strength=0.1).restore(picture, mask=hole)
