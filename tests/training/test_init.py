"""Starting from the weights of another model: what fits is taken, what does not is named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from conftest import TINY
from short_runs import assert_equal_bits, lines, saved

import palette
from palette.cli.main import main
from palette.config import merge
from palette.errors import UserError

ONE = {"train": {"checkpoint_every": 1, "decay": "none"}}


@pytest.fixture(scope="module")
def x4(tmp_path_factory: pytest.TempPathFactory, photos: Path) -> Path:
    """A ×4 model of three steps with an odd average, so that its weights are nobody else's."""
    out = tmp_path_factory.mktemp("x4") / "run"
    config = merge(TINY, ONE, {"train": {"learning_rate": 1e-2, "ema": [0.1]}})
    palette.train("super-resolution", photos, out, steps=3, config=config)
    return out


def started(
    out: Path, photos: Path, task: str, init: Path | None, *layers: dict[str, Any], **more: Any
) -> dict[str, torch.Tensor]:
    """The weights at the end of a run of one step whose learning rate is next to nothing."""
    still = {"train": {"learning_rate": 1e-12, "ema": [0.9]}}
    config = merge(TINY, ONE, still, *layers)
    palette.train(task, photos, out, steps=1, config=config, init=init, **more)
    return {n.removeprefix("weights."): v for n, v in saved(out, 1).items() if "weights." in n}


def assert_near(found: dict[str, torch.Tensor], expected: dict[str, torch.Tensor]) -> None:
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(found[name], value, atol=1e-6, rtol=0)


@pytest.mark.parametrize("folder", ["model", "."])
def test_a_model_of_another_scale_gives_its_weights(
    x4: Path, tmp_path: Path, photos: Path, folder: str
) -> None:
    """Those of its average, whether its run or its model folder is named."""
    found = started(
        tmp_path / "x2", photos, "super-resolution", x4 / folder, {"options": {"scale": 2}}
    )
    assert_near(found, palette.load(x4).model.denoiser.state_dict())
    assert palette.load(tmp_path / "x2").task.scale == 2
    nothing = started(tmp_path / "no", photos, "super-resolution", None)
    assert (nothing["unet.stem.weight"] - found["unet.stem.weight"]).abs().max() > 1e-3


def test_the_rest_begins_anew(x4: Path, tmp_path: Path, photos: Path) -> None:
    """Step, moments, averages, the target's scale: those of the new run."""
    out = tmp_path / "new"
    started(out, photos, "denoising", x4)
    kept = saved(out, 1)
    for name, value in palette.load(x4).model.denoiser.state_dict().items():
        torch.testing.assert_close(kept[f"average-0.9.{name}"], value, atol=1e-6, rtol=0)
    assert lines(out)[0]["step"] == 1
    fresh = started(tmp_path / "fresh", photos, "denoising", None)
    assert fresh.keys() == palette.load(out).model.denoiser.state_dict().keys()
    models = [palette.load(one).model for one in (out, tmp_path / "fresh")]
    assert models[0].targets == models[1].targets


def test_what_does_not_fit_is_named_and_refused(
    x4: Path, tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wider = {"model": {"width": 16}}
    with pytest.raises(UserError, match=r"is another network: .*unet\.\S+.* and \d+ more do not"):
        started(tmp_path / "a", photos, "super-resolution", x4, wider)
    with pytest.raises(UserError, match=r"unet\.stem\.weight do not fit.*--init-partial"):
        started(tmp_path / "a", photos, "inpainting", x4)  # the mask channel
    with pytest.raises(UserError, match="holds no model"):
        started(tmp_path / "a", photos, "inpainting", tmp_path)
    assert not (tmp_path / "a" / "run.json").exists()


def test_what_fits_may_be_taken_alone(x4: Path, tmp_path: Path, photos: Path) -> None:
    found = started(tmp_path / "a", photos, "inpainting", x4, init_partial=True)
    given = palette.load(x4).model.denoiser.state_dict()
    fresh = started(tmp_path / "b", photos, "inpainting", None)
    stem = "unet.stem.weight"
    assert found[stem].shape != given[stem].shape
    assert_near(found, {**given, stem: fresh[stem]})


def test_a_generalist_from_one_task_and_back(x4: Path, tmp_path: Path, photos: Path) -> None:
    several = {"options": {"tasks": "denoising,jpeg-restoration"}}
    found = started(tmp_path / "a", photos, "generalist", x4, several, init_partial=True)
    given = palette.load(x4).model.denoiser.state_dict()
    assert {*found} - {*given} == {"unet.task_embedding.weight"}
    back = started(tmp_path / "b", photos, "super-resolution", tmp_path / "a", init_partial=True)
    assert_near(back, given)
    with pytest.raises(UserError, match=r"unet\.task_embedding\.weight do not fit"):
        started(tmp_path / "c", photos, "super-resolution", tmp_path / "a")


def test_the_command(
    x4: Path, tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = ["--model.width", "8", "--model.multipliers", "1", "2", "--model.blocks", "1"]
    flags += ["--model.groups", "4", "--model.head-width", "8", "--data.size", "32"]
    command = ["train", "inpainting", "--data", str(photos), "--out", str(tmp_path / "run")]
    command += ["--steps", "1", *flags, "--init", str(x4)]
    assert main(command) == 2
    assert "unet.stem.weight do not fit" in capsys.readouterr().err
    assert main([*command, "--init-partial"]) == 0  # in the same folder


def test_killed_before_its_first_checkpoint_it_starts_from_the_same_weights(
    x4: Path, tmp_path: Path, photos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = merge(TINY, {"train": {"checkpoint_every": 4, "decay": "none"}})
    what: dict[str, Any] = {"data": photos, "steps": 4, "config": config, "init": x4}
    palette.train("super-resolution", out=tmp_path / "whole", **what)
    from palette.training import loop as training

    step = training.optimizer_step

    def dying(state: Any, *rest: Any) -> tuple[float, float]:
        if state.step == 2:
            raise KeyboardInterrupt
        return step(state, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(training, "optimizer_step", dying)
        with pytest.raises(KeyboardInterrupt):
            palette.train("super-resolution", out=tmp_path / "killed", **what)
    palette.resume(tmp_path / "killed")
    assert_equal_bits(saved(tmp_path / "whole", 4), saved(tmp_path / "killed", 4))


def test_a_model_helps_a_relative(x4: Path, tmp_path: Path, photos: Path) -> None:
    """After as many steps the loss of a start from a trained network is lower than from nothing."""
    base = {"train": {"batch": 4, "learning_rate": 4e-3, "decay": "none", "log_every": 10}}
    config = merge(TINY, base)
    palette.train("super-resolution", photos, tmp_path / "a", steps=60, config=config)
    losses = {}
    for name, init in (("nothing", None), ("x4", tmp_path / "a")):
        layer = merge(config, {"options": {"scale": 2}})
        palette.train(
            "super-resolution", photos, tmp_path / name, steps=10, config=layer, init=init
        )
        losses[name] = lines(tmp_path / name)[0]["loss"]
    assert losses["x4"] < losses["nothing"]
