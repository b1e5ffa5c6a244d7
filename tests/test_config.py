"""Configurations: later layers win, what is wrong is named, and TOML keeps everything."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from palette.config import RunConfig, from_dict, merge, read_toml, to_dict, to_toml
from palette.network.architecture import PRESETS, Architecture
from palette.resolving import configure, resolve


def test_a_configuration_survives_toml(tmp_path: Path) -> None:
    config, _ = resolve("super-resolution", {"model": {"preset": "small"}, "seed": 3})
    assert config.model == replace(PRESETS["small"], mask=False, tasks=0)
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert from_dict(RunConfig, read_toml(tmp_path / "config.toml")) == config


def test_later_layers_win() -> None:
    config, task = configure(
        "super-resolution",
        {"model": {"preset": "small", "width": 96}, "options": {"scale": 2}},
        {"model": {"width": 32}, "steps": 7},
    )
    assert config.model == Architecture(**{**vars(PRESETS["small"]), "width": 32})
    assert (config.steps, config.options["scale"], task.members()[0].task.multiple) == (7, 2, 2)
    assert configure("colorization", architecture="base")[0].model == PRESETS["base"]
    assert merge({"a": {"b": 1, "c": 2}}, {"a": {"b": 3}}) == {"a": {"b": 3, "c": 2}}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"modle": {}}, "modle is no option: did you mean 'model'"),
        ({"model": {"widht": 8}}, "model.widht is no option: did you mean 'width'"),
        ({"model": {"preset": "smal"}}, "did you mean 'small'"),
        ({"train": {"batch": "many"}}, "train.batch is 'many'"),
        ({"train": {"batch": 0}}, "train.batch is 0"),
        ({"train": {"learning_rate": 0}}, "learning_rate is 0"),
        ({"diffusion": {"p": 3}}, "diffusion.p is 3"),
        ({"data": {"size": 30}}, "multiple of 8"),
        ({"steps": 0}, "steps is 0"),
        ({"options": {"sclae": 2}}, "did you mean 'scale'"),
        ({"options": {"scale": "four"}}, "scale is 'four'"),
        ({"diffusion": {"schedule": "nomral"}}, "diffusion.schedule is 'nomral'"),
        ({"diffusion": {"noise_share": 1.0}}, r"noise_share is 1.0: it must be in \[0, 1\)"),
        ({"diffusion": {"logsnr_std": 0}}, "logsnr_std is 0.*choose 0.1 to 10"),
        ({"train": {"ema": []}}, r"train.ema is \(\)"),
        ({"train": {"ema": [0.9, 1.0]}}, "decays in"),
        ({"train": {"decay": "exponential"}}, "train.decay is 'exponential'"),
        ({"train": {"patience": -1}}, "train.patience is -1"),
        ({"data": {"val_share": 0.9}}, "data.val_share is 0.9: choose 0 to 0.5"),
        ({"data": {"val_crops": 0}}, "data.val_crops is 0"),
        ({"data": {"resize": "always"}}, "data.resize is 'always'"),
    ],
)
def test_bad_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve("super-resolution", values)


@pytest.mark.parametrize(
    ("task", "model", "mask", "tasks"),
    [
        ("super-resolution", {}, False, 0),
        ("inpainting", {}, True, 0),
        ("inpainting", {"mask": False}, False, 0),
        ("super-resolution", {"mask": True, "tasks": 3}, True, 3),
        ("generalist", {}, True, 5),
        ("generalist", {"tasks": 0}, True, 0),
    ],
)
def test_the_tasks_decide_what_the_network_is_shown_unless_a_user_does(
    task: str, model: dict[str, Any], mask: bool, tasks: int
) -> None:
    config, _ = resolve(task, {"model": model})
    assert (config.model.mask, config.model.tasks) == (mask, tasks)


def test_noise_in_a_hole_can_be_seen() -> None:
    config, _ = resolve("uncropping", {"options": {"fill": "noise"}})
    assert config.model.mask is False


def test_an_embedding_for_too_few_tasks_is_refused() -> None:
    with pytest.raises(ValueError, match=r"model.tasks is 2, but the network serves 5 tasks"):
        resolve("generalist", {"model": {"tasks": 2}})


@pytest.mark.parametrize("task", ["inpainting", "generalist"])
def test_a_resolved_configuration_resolves_to_itself(task: str, tmp_path: Path) -> None:
    """What a run saved decides its resumption alone."""
    parts = {"inpainting": {"fill": "telea"}} if task == "generalist" else {}
    layer = {"options": {"parts": parts} if parts else {}, "train": {"ema": [0.9]}}
    config, members = resolve(task, layer)
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert resolve(task, read_toml(tmp_path / "config.toml")) == (config, members)


def test_a_configuration_is_plain() -> None:
    values = to_dict(resolve("super-resolution")[0])
    assert isinstance(values["model"]["multipliers"], list)
    assert "severity" not in values["options"]  # None is not written
