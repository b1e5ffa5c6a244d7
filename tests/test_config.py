"""Configurations: later layers win, what is wrong is named, and TOML keeps everything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from palette.api import resolve
from palette.config import RunConfig, from_dict, merge, read_toml, to_dict, to_toml
from palette.network.architecture import PRESETS, Architecture


def test_a_configuration_survives_toml(tmp_path: Path) -> None:
    config, _ = resolve("super-resolution", {"model": {"preset": "small"}, "seed": 3})
    assert config.model == PRESETS["small"]
    (tmp_path / "config.toml").write_text(to_toml(config))
    assert from_dict(RunConfig, read_toml(tmp_path / "config.toml")) == config


def test_later_layers_win() -> None:
    config, task = resolve(
        "super-resolution",
        {"model": {"preset": "small", "width": 96}, "options": {"scale": 2}},
        {"model": {"width": 32}, "steps": 7},
    )
    assert config.model == Architecture(**{**vars(PRESETS["small"]), "width": 32})
    assert (config.steps, config.options["scale"], task.multiple) == (7, 2, 2)
    assert resolve("colorization", architecture="base")[0].model == PRESETS["base"]
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
    ],
)
def test_bad_settings_are_named(values: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        resolve("super-resolution", values)


def test_a_configuration_is_plain() -> None:
    values = to_dict(resolve("super-resolution")[0])
    assert isinstance(values["model"]["multipliers"], list)
    assert "severity" not in values["options"]  # None is not written
