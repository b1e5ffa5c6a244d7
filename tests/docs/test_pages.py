"""The Python of the guide: every block runs, page by page, and every name in a sentence is there.

README.md, the tutorials and docs/machines.md (tests/workers/test_from_python.py) have tests of
their own; the code on docs/mathematics.md is the code.
"""

from __future__ import annotations

import importlib
import pkgutil
import re
import shutil
import sys
from functools import partial
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from conftest import TINY

import palette
from palette.cli.train import read_arguments

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
blocks = importlib.import_module("follow").blocks
PAGES = sorted((ROOT / "docs").glob("*.md"))
ELSEWHERE = {"machines"}
"""Pages whose code a test of its own runs, as a script with workers."""

FOLDERS = {"photos": "photos", "originals": "photos", "restored": "blurred", "a": "blurred",
           "b": "blurred"}  # fmt: skip
"""What a page names, and the fixture that it is."""

LONG = {"evaluation"}
"""Pages whose code takes more than some seconds."""


@pytest.fixture
def names(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    trained: dict[str, Path],
    generalist: Path,
    picture: np.ndarray,
) -> dict[str, Any]:
    """What a reader of the guide has: pictures, models that two steps have trained, ``palette``."""
    monkeypatch.chdir(tmp_path)
    for name, fixture in FOLDERS.items():
        shutil.copytree(request.getfixturevalue(fixture), name)
    Path("runs").mkdir()
    Path("runs/jpeg").symlink_to(trained["jpeg-restoration"])
    for name in ("runs/all", "RUN"):
        Path(name).symlink_to(generalist)
    monkeypatch.setattr("palette.hub.fetch", lambda name: trained["jpeg-restoration"] / "model")
    monkeypatch.setattr(palette, "train", partial(palette.train, steps=2, config=TINY))
    monkeypatch.setitem(sys.modules, "wandb", _wandb())
    return {"__name__": "__main__", "palette": palette, "picture": picture}


def _wandb() -> ModuleType:
    """As much of Weights & Biases as a page uses: what is logged has to be numbers and pictures."""
    module, image = ModuleType("wandb"), SimpleNamespace

    def log(values: dict[str, Any], step: int) -> None:
        assert step > 0
        for value in values.values():
            assert isinstance(value, float | image)

    module.__dict__.update(
        Image=lambda pixels: image(shape=np.asarray(pixels).shape),
        init=lambda project: None,
        log=log,
    )
    return module


def with_code(path: Path) -> bool:
    return any(block.language == "python" for block in blocks(path))


@pytest.mark.parametrize("page", [
    pytest.param(path, id=path.stem, marks=pytest.mark.slow if path.stem in LONG else ())
    for path in filter(with_code, PAGES) if path.stem not in ELSEWHERE
])  # fmt: skip
def test_each_block_runs(page: Path, names: dict[str, Any]) -> None:
    for block in blocks(page):
        if block.language == "python":
            exec(compile(block.text, f"{page.name}, line {block.line}", "exec"), names)


def test_the_pages_with_code_are_found() -> None:
    found = {path.stem for path in PAGES if with_code(path)}
    assert found >= {"degradations", "evaluation", "exporting", "training"}


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)
def test_settings_are_read(page: Path, tmp_path: Path) -> None:
    for block in blocks(page):
        if block.language == "toml":
            file = tmp_path / "settings.toml"
            file.write_text(block.text, encoding="utf-8")
            read_arguments(["generalist", "--config", str(file), "--out", "RUN"])


@pytest.mark.parametrize(
    "page", [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")], ids=lambda path: path.stem
)
def test_names_in_sentences_exist(page: Path) -> None:
    for name in re.findall(r"`(palette(?:\.\w+)+)", page.read_text(encoding="utf-8")):
        pkgutil.resolve_name(name)
