"""The flags of `palette train`: defaults < --config < --preset < the other flags."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import tomli_w
from conftest import TINY

import palette
from palette.cli.main import main
from palette.cli.train import read_arguments
from palette.config import RunSettings, merge, read_toml, to_toml
from palette.errors import UserError
from palette.network.architecture import PRESETS
from palette.resolving import resolve


def test_the_later_wins(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text("steps = 7\n[model]\nwidth = 96\nblocks = 1\n[options]\nscale = 2\n")
    _, without = read_arguments(["super-resolution", "--out", "run", "--config", str(file)])
    assert (without.settings.model.width, without.settings.model.blocks) == (96, 1)
    command = ["super-resolution", "--out", "run", "--config", str(file), "--preset=small"]
    name, given = read_arguments([*command, "--model.blocks", "3", "--data", "photos"])
    model = given.settings.model
    assert name == "super-resolution"
    small = PRESETS["small"]  # in place of the file's network, as a whole
    assert (model.multipliers, model.patch, model.width) == (small.multipliers, 2, small.width)
    assert (given.settings.steps, given.task.scale) == (7, 2)  # the file
    assert (model.blocks, given.settings.data.path) == (3, "photos")  # the flags
    assert given.settings.train == RunSettings().train  # the defaults


def test_a_preset_in_a_file_stands_under_the_files_own_settings(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text('[model]\npreset = "small"\nwidth = 96\n')
    _, given = read_arguments(["colorization", "--out", "run", "--config", str(file)])
    assert given.settings.model == replace(PRESETS["small"], width=96)
    flags = ["colorization", "--out", "run", "--config", str(file), "--preset", "base"]
    assert read_arguments(flags)[1].settings.model == PRESETS["base"]


def test_a_saved_configuration_does_not_hide_the_preset(tmp_path: Path) -> None:
    """A run's config.toml has every field of its network."""
    config, _ = resolve("super-resolution", {"model": {"preset": "tiny"}})
    file = tmp_path / "config.toml"
    file.write_text(to_toml(config))
    _, given = read_arguments(
        ["super-resolution", "--out", "run", "--config", str(file), "--preset", "small"]
    )
    assert given.settings.model.width == PRESETS["small"].width


def test_a_generalist_has_its_own_flags() -> None:
    command = ["generalist", "--out", "run", "--tasks", "denoising:2,super-resolution"]
    command += ["--scale", "2,3", "--train.ema", "0.9", "0.99", "--val", "pictures"]
    name, given = read_arguments([*command, "--init", "other", "--init-partial"])
    assert name == "generalist"
    members = given.task.members()
    assert [m.name for m in members] == ["denoising", "super-resolution-x2", "super-resolution-x3"]
    assert (given.settings.train.ema, given.settings.data.val) == ((0.9, 0.99), "pictures")
    assert (given.init, given.init_partial) == (Path("other"), True)


def test_the_pin_of_the_help_can_be_pinned(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        read_arguments(["jpeg-restoration", "--help"])
    help_text = capsys.readouterr().out
    for name, pin in (("palette_jpeg", "palette_jpeg.quality=40"), ("bsr", "jpeg.quality=40")):
        assert pin in help_text
        flags = ["--out", "run", "--degradation", name, "--set", pin]
        _, given = read_arguments(["jpeg-restoration", *flags])
        assert given.task.pins == (pin,)


def test_pictures_that_nobody_chose_are_said(
    tmp_path: Path, photos: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "run.toml"
    file.write_text(tomli_w.dumps(TINY))
    command = ["train", "denoising", "--config", str(file), "--steps", "1", "--out"]
    assert main([*command, str(tmp_path / "bundled")]) == 0
    assert "scikit-image's photographs; --data names yours" in capsys.readouterr().err
    assert main([*command, str(tmp_path / "named"), "--data", str(photos)]) == 0
    assert "scikit-image" not in capsys.readouterr().err


def test_a_file_names_the_pictures_for_python_too(tmp_path: Path, photos: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(tomli_w.dumps(merge(TINY, {"data": {"path": str(photos)}})))
    palette.train("denoising", out=tmp_path / "run", steps=1, config=file)
    assert read_toml(tmp_path / "run" / "config.toml")["data"]["path"] == str(photos)
    held = photos / "a"
    palette.train("denoising", held, tmp_path / "other", steps=1, config=file)
    assert read_toml(tmp_path / "other" / "config.toml")["data"]["path"] == str(held)


@pytest.mark.parametrize("flag", ["--config", "--preset"])
def test_a_flag_without_its_value(flag: str) -> None:
    with pytest.raises(UserError, match=flag):
        read_arguments(["colorization", "--out", "run", flag])
