"""Training: the loss falls, what is not finite changes nothing, what must not matter does not."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from conftest import TINY
from short_runs import GENERALIST, about, assert_equal_bits, lines, run, saved, training_set

import palette
from palette.cli.main import main
from palette.config import merge, read_toml
from palette.data.loader import batches
from palette.diffusion.loss import LUMA, Targets, epsilon_loss
from palette.diffusion.schedule import GAMMA_MIN
from palette.errors import Diverged, UserError
from palette.network.denoiser import Denoiser
from palette.seeding import normal, rng
from palette.tasks import TASKS, Generalist, trainable
from palette.tasks.base import WholePictureTask
from palette.training import loop as training
from palette.training.validation import ANSWERS
from palette.types import Spec


def test_recomputing_changes_no_bit(tmp_path: Path, photos: Path) -> None:
    plain = run(tmp_path / "plain", photos, 2, precision="bf16")
    again = run(tmp_path / "again", photos, 2, precision="bf16", recompute=True)
    assert_equal_bits(saved(plain, 2), saved(again, 2))


@pytest.mark.parametrize("task", sorted(trainable()))
def test_the_loss_falls(task: str, tmp_path: Path, photos: Path) -> None:
    """On fixed crops, noise levels and noise: the trained network against the untrained one."""
    options = GENERALIST if task == "generalist" else {}
    train = {"batch": 4, "learning_rate": 4e-3, "ema": [0.9]}
    crops = training_set(task, photos, {"train": train, "steps": 80, "options": options})
    config, members = crops.config, crops.members
    training.train(config, members, crops.source, None, tmp_path / "run")
    model = palette.load(tmp_path / "run", task=members[0].name).model
    (arrays,) = batches(crops.example, 64, 99, 100)
    batch = crops.on_device(arrays, range(99 * 64, 100 * 64), torch.device("cpu"))
    numbers = torch.zeros(64, dtype=torch.int64) if batch.task is None else batch.task
    target = Targets.of(model.targets, numbers)
    y, gamma = target.encode(batch.y, batch.x), torch.linspace(0.01, 0.99, 64)
    noise = target.project(normal(range(64), tuple(y.shape[1:])))

    def loss(network: Denoiser) -> float:
        denoise = target.projected(lambda x, y_t, gamma: network(x, y_t, gamma, task=batch.task))
        weight = "inverse-gamma"
        found = epsilon_loss(denoise, batch.x, y, gamma, noise, batch.region, weight=weight)
        return float(found.mean())

    with torch.no_grad():
        before = loss(Denoiser(config.model, config.data.size).eval())
        assert loss(model.denoiser) < 0.97 * before


def test_a_network_of_colours_sees_no_luma(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither of the target nor of the noise, whose luma it would have to pass on."""
    seen: list[torch.Tensor] = []
    forward = Denoiser.forward

    def watched(network: Denoiser, x: torch.Tensor, y_t: torch.Tensor, *rest: Any, **more: Any):
        seen.append(y_t.detach())
        return forward(network, x, y_t, *rest, **more)

    monkeypatch.setattr(Denoiser, "forward", watched)
    layer = {"options": {"tasks": "colorization,denoising:9"}}
    for task, layers in (("colorization", ()), ("generalist", (layer,))):
        crops = training_set(task, photos, {"train": {"batch": 8}, "steps": 1}, *layers)
        training.train(crops.config, crops.members, crops.source, None, tmp_path / task)
    lumas = [(y_t * torch.tensor(LUMA)[:, None, None]).sum(dim=1).abs() for y_t in seen]
    assert lumas[0].max() < 1e-4
    assert lumas[1].max() > 1  # of the other task


def test_a_share_of_the_examples_is_shown_no_noisy_picture(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At the lowest γ; the mean answer of such a model has no noise in it, its samples have."""
    seen: list[tuple[torch.Tensor, ...]] = []
    forward = Denoiser.forward

    def watched(network: Denoiser, x: torch.Tensor, y_t: torch.Tensor, gamma: torch.Tensor, **more):
        seen.append((y_t.detach(), gamma.detach()))
        return forward(network, x, y_t, gamma, **more)

    layer = {"diffusion": {"mean_share": 0.4, "noise_share": 0.0}, "train": {"batch": 16}}
    crops = training_set("inpainting", photos, layer, {"steps": 4})
    with monkeypatch.context() as patch:
        patch.setattr(Denoiser, "forward", watched)
        training.train(crops.config, crops.members, crops.source, None, tmp_path / "run")
    y_t, gamma = (torch.cat(parts) for parts in zip(*seen[:4], strict=True))
    hidden = y_t.abs().amax(dim=(1, 2, 3)) < 1e-6
    assert len(hidden) == 64
    assert 0.2 < hidden.float().mean() < 0.6
    torch.testing.assert_close(gamma[hidden], torch.full_like(gamma[hidden], GAMMA_MIN))
    assert (gamma[~hidden] > GAMMA_MIN).any()
    model = palette.load(tmp_path / "run", steps=2)
    picture = rng(0).random((32, 32, 3), dtype=np.float32)
    mask = np.zeros((32, 32), bool)
    mask[8:20, 8:20] = True
    one, two = (
        {answer: model.restore(picture, mask=mask, answer=answer, seed=s) for answer in ANSWERS}
        for s in (1, 2)
    )
    np.testing.assert_array_equal(one["mean"], two["mean"])
    assert np.any(one["sample"] != two["sample"])


def test_a_new_run_overwrites_nothing(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "notes.txt").write_text("precious")
    with pytest.raises(ValueError, match="is not empty"):
        run(tmp_path, photos, 1)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_file_is_no_run(tmp_path: Path, photos: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="is a file"):
        run(tmp_path / "file", photos, 1)


def spoil(monkeypatch: pytest.MonkeyPatch, *calls: int, always: bool = False) -> None:
    """Make the loss of these calls, counted from 1, not a number."""
    loss, count = training.epsilon_loss, [0]

    def spoiled(*args: Any) -> torch.Tensor:
        count[0] += 1
        return loss(*args) * (float("nan") if always or count[0] in calls else 1)

    monkeypatch.setattr(training, "epsilon_loss", spoiled)


def test_a_loss_that_is_not_finite_changes_nothing_and_ends_the_run(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(tmp_path / "run", photos, 2)
    before = saved(tmp_path / "run", 2)
    spoil(monkeypatch, always=True)
    with pytest.raises(Diverged, match="learning-rate"):
        palette.resume(tmp_path / "run", steps=100)
    assert_equal_bits(before, saved(tmp_path / "run", 2))


def test_a_few_bad_steps_are_skipped(
    tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the weights nor the rate nor the adaptive draws learn of them."""
    spoil(monkeypatch, 2)
    layer = {"diffusion": {"schedule": "adaptive"}}
    run(tmp_path / "run", photos, 4, "inpainting", layer)
    assert all(bool(value.isfinite().all()) for value in saved(tmp_path / "run", 4).values())
    assert about(tmp_path / "run", 4)["updates"] == 3


@pytest.mark.parametrize("checkpoint_every", [1, 1000])
def test_a_run_that_ends_in_bad_steps_has_diverged(
    tmp_path: Path,
    photos: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    checkpoint_every: int,
) -> None:
    """However short it was: no word of a model that is none."""
    spoil(monkeypatch, 3, 4)
    file = tmp_path / "run.toml"
    settings = {"checkpoint_every": checkpoint_every, "log_every": 1}
    import tomli_w

    file.write_text(tomli_w.dumps(merge(TINY, {"train": settings})))
    command = ["train", "inpainting", "--config", str(file), "--steps", "4", "--data", str(photos)]
    assert main([*command, "--out", str(tmp_path / "run")]) == Diverged.exit_code == 1
    out, err = capsys.readouterr()
    assert "not finite in 2 steps" in err
    assert "palette restore" not in out
    assert (tmp_path / "run" / "model").exists() == (checkpoint_every == 1)
    if checkpoint_every == 1:
        assert [line["loss"] is None for line in lines(tmp_path / "run")] == [False] * 2 + [True]
        assert saved(tmp_path / "run", 2)


@pytest.mark.parametrize(
    ("task", "options"),
    [
        ("super-resolution", {"degradation": "bsr", "scale": 2}),
        ("super-resolution", {"degradation": "bsr:0.5,sr_bicubic:0.5", "scale": 4}),
        ("jpeg-restoration", {"degradation": "real_esrgan", "severity": 0.2}),
        ("jpeg-restoration", {"set": ["palette_jpeg.quality=7"]}),
        ("inpainting", {"degradation": "lama_medium"}),
        ("inpainting", {"degradation": "lama_thin:1,palette_inpainting:2", "fill": "noise"}),
        ("colorization", {"diffuse": "residual"}),
        ("denoising", {"degradation": "poisson_noise"}),
    ],
)
def test_tasks_take_any_pipeline(
    task: str, options: dict[str, Any], photos: Path, tmp_path: Path
) -> None:
    palette.train(task, data=photos, out=tmp_path / "run", steps=1, options=options, config=TINY)
    saved_options = read_toml(tmp_path / "run" / "config.toml")["options"]
    assert saved_options.items() >= options.items()


def test_pinned_parameters_are_drawn() -> None:
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
    crops = training_set("super-resolution", photos, config)
    (arrays,) = batches(crops.example, 8, 0, 1)
    strength = crops.on_device(arrays, range(8), torch.device("cpu")).strength
    assert strength is not None
    assert strength.shape == (8,)
    assert len(set(strength.tolist())) > 1
    assert "augmentation" not in crops.members[0].task.draw(Spec(32, 32), rng(0))  # evaluation
    plain = model.restore(picture)
    swept = palette.load(tmp_path / "run", strength=0.5).restore(picture)
    assert np.abs(swept - plain).max() > 0.01
    with pytest.raises(ValueError, match=r"--model\.strength"):
        training_set("super-resolution", photos, {"options": {"conditioning": conditioning}})


def test_a_strength_for_a_model_that_knows_none(
    trained: dict[str, Path], picture: np.ndarray
) -> None:
    for task in ("jpeg-restoration", "inpainting"):
        hole = np.zeros(picture.shape[:2], bool) if task == "inpainting" else None
        with pytest.raises(ValueError, match="strength is"):
            palette.load(trained[task], strength=0.1).restore(picture, mask=hole)


@dataclass(frozen=True)
class Deblurring(WholePictureTask):
    """A task that nobody has thought of."""

    degradation: str = "motion_blur"
    name: ClassVar[str] = "deblurring"


def test_a_new_task_in_a_generalist_is_no_new_code(
    tmp_path: Path,
    photos: Path,
    picture: np.ndarray,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It stands in the list of tasks, and trains, restores and is validated with the others."""
    monkeypatch.setitem(TASKS, "deblurring", Deblurring)
    layer = {"options": {"tasks": "deblurring:2,inpainting"}, "data": {"val_crops": 1}}
    out = run(tmp_path / "run", photos, 2, "generalist", layer, validate_every=2)
    (found,) = [line["validation"] for line in lines(out) if "validation" in line]
    assert set(found["tasks"]) == {"deblurring", "inpainting"}
    model = palette.load(out, task="deblurring", answer="mean")
    assert isinstance(model.task, Deblurring)
    assert model.restore(picture).shape == picture.shape
    palette.resume(out, steps=3)


def test_denoising_alone_and_among_others(
    tmp_path: Path, photos: Path, picture: np.ndarray, trained: dict[str, Path]
) -> None:
    task = TASKS["denoising"]()
    sigmas = [task.draw(Spec(32, 32), rng(i))["level_255"] for i in range(200)]
    assert 5 <= min(sigmas) < 10
    assert 45 < max(sigmas) <= 50
    assert palette.load(trained["denoising"]).restore(picture).shape == picture.shape
    assert "denoising" in [m.name for m in Generalist("denoising:3,inpainting").members()]
    out = run(tmp_path / "run", photos, 1, "generalist", {"options": GENERALIST})
    assert palette.load(out, task="denoising").restore(picture).shape == picture.shape


def test_what_model_json_says_is_plain(trained: dict[str, Path]) -> None:
    info = json.loads((trained["colorization"] / "model" / "model.json").read_text())
    (target,) = info["targets"]
    assert (target["residual"], target["chroma"]) == (True, True)
    assert 0 < target["scale"] < 1
