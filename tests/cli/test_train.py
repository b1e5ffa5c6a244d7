"""The flags of `palette train`: defaults < preset < --config < flags."""

from __future__ import annotations

from pathlib import Path

import pytest

from palette.cli.train import read_arguments
from palette.config import RunSettings
from palette.errors import UserError
from palette.network.architecture import PRESETS


def test_the_later_wins(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("steps = 7\n[model]\nwidth = 96\nblocks = 1\n[options]\nscale = 2\n")
    command = ["super-resolution", "--out", "run", "--config", str(file), "--preset=small"]
    name, given = read_arguments([*command, "--model.blocks", "3", "--data", "photos"])
    model = given.settings.model
    assert name == "super-resolution"
    assert (model.multipliers, model.patch) == (PRESETS["small"].multipliers, 2)  # the preset
    assert (given.settings.steps, model.width, given.task.scale) == (7, 96, 2)  # the file
    assert (model.blocks, given.settings.data.path) == (3, "photos")  # the flags
    assert given.settings.train == RunSettings().train  # the defaults


@pytest.mark.parametrize("flag", ["--config", "--preset"])
def test_a_flag_without_its_value(flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        read_arguments(["colorization", "--out", "run", flag])
