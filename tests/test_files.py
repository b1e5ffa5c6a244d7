"""Files and folders are complete or absent; configurations name what is wrong."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from palette.api import resolve
from palette.config import RunConfig, from_dict, merge, read_toml, to_dict, to_toml
from palette.files import complete_folder, write_bytes
from palette.network.architecture import PRESETS, Architecture


def test_a_failed_write_leaves_the_old_file(tmp_path: Path) -> None:
    """A full disk, by a limit on the size of files."""
    path = tmp_path / "file"
    path.write_bytes(b"old")
    code = (
        "import resource, signal, sys; from pathlib import Path;"
        "from palette.files import write_bytes;"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000));"
        f"write_bytes(Path({str(path)!r}), bytes(5000))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode != 0
    assert b"OSError" in done.stderr
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["file"]
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 1000


def test_a_folder_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    target = tmp_path / "folder"

    def write(text: str, fail: bool) -> None:
        with complete_folder(target) as folder:
            (folder / "file").write_text(text)
            assert not (target / "file").exists() or (target / "file").read_text() == "first"
            if fail:
                raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write("first", fail=True)
    assert os.listdir(tmp_path) == []
    write("first", fail=False)
    with pytest.raises(KeyboardInterrupt):
        write("second", fail=True)
    assert (target / "file").read_text() == "first"
    write("second", fail=False)
    assert (target / "file").read_text() == "second"
    assert os.listdir(tmp_path) == ["folder"]


def test_writing_replaces(tmp_path: Path) -> None:
    write_bytes(tmp_path / "file", b"one")
    write_bytes(tmp_path / "file", b"two")
    assert (tmp_path / "file").read_bytes() == b"two"
    assert os.listdir(tmp_path) == ["file"]


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
