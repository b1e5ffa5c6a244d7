"""Every extra: whoever lacks it reads which command installs it, and nothing is left behind."""

from __future__ import annotations

import importlib.util
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import palette
from palette.cli.main import main
from palette.data.images import read
from palette.eval.metrics.iqa import JUDGES, made
from palette.eval.metrics.perceptual import lpips_network
from palette.eval.metrics.weights import Weights

PROJECT = Path(__file__).parents[1] / "pyproject.toml"
HUB: dict[str, Any] = {"repo": "some.one/model", "license": "cc0-1.0"}
NOT_OF_USERS = {"test", "web-test", "docs", "lint"}


def heic(folder: Path) -> None:
    (folder / "a.heic").write_bytes(b"\0\0\0\x18ftypheic" + bytes(100))
    read(folder / "a.heic")


def train(folder: Path) -> None:
    config = {"train": {"log": "tensorboard"}}
    palette.train("colorization", "bundled", folder / "out", steps=1, config=config)


LACKING: list[tuple[str, str, Callable[[Path], Any]]] = [
    ("lpips", "lpips", lambda folder: lpips_network(Weights("alexnet", folder / "a", ""))),
    ("iqa", "pyiqa", lambda folder: made(JUDGES["musiq"], Weights("musiq", folder / "a", ""))),
    ("heic", "pillow_heif", heic),
    ("tensorboard", "tensorboard", train),
    ("web", "starlette and uvicorn", lambda folder: main(["web"])),
    ("onnx", "onnx and onnxscript", lambda folder: palette.export("photos", folder / "o", "onnx")),
    ("diffusers", "diffusers", lambda folder: palette.export("photos", folder / "o", "diffusers")),
    ("hub", "huggingface_hub", lambda folder: palette.export("photos", folder / "o", "hub", **HUB)),
    ("hub", "huggingface_hub", lambda folder: palette.load("hf://someone/of-nothing")),
    ("ray", "ray", lambda folder: palette.degrade("jpeg", folder, folder / "o", engine="ray")),
]
"""The extra, its packages, and what needs them."""


@pytest.mark.parametrize(("extra", "packages", "use"), LACKING)
def test_what_is_missing_is_named_with_its_cure(
    extra: str,
    packages: str,
    use: Callable[[Path], Any],
    photos: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    find_spec, missing = importlib.util.find_spec, packages.split(" and ")
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name in missing else find_spec(name)
    )
    (tmp_path / "in.png").write_bytes(next(photos.rglob("*.png")).read_bytes())
    before = {*tmp_path.iterdir()}
    try:
        use(tmp_path)
        said = capsys.readouterr().err  # of a command
    except palette.UserError as error:
        said = str(error)
    assert f"pip install 'palette-diffusion[{extra}]'" in said
    assert "\n" not in said.strip()
    if extra != "heic":
        assert f"this needs {packages}: " in said
        assert {*tmp_path.iterdir()} == before


def test_none_is_forgotten() -> None:
    extras = tomllib.loads(PROJECT.read_text(encoding="utf-8"))["project"]["optional-dependencies"]
    assert {extra for extra, *_ in LACKING} == {*extras} - NOT_OF_USERS
    for extra, packages, _ in LACKING:
        brings = " ".join(extras[extra]).replace("-", "_")
        assert all(package in brings for package in packages.split(" and "))
