"""The tutorials: every block is run, in an empty folder, in the order of the site.

Fast with small pictures and two steps of training; as they stand in `make test-all`.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import shlex
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image

from palette.cli.main import main
from palette.tasks import choosing

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "docs"))
following = importlib.import_module("follow")

SIDE = 112
"""Pictures are cut to this, so that the model in the box passes over them in no time."""

QUICK = ["--data.size", "32", "--train.batch", "2", "--train.workers", "0",
         "--train.precision", "fp32"]  # fmt: skip
SMALL = ["--model.width", "8", "--model.groups", "4", "--model.head-width", "8"]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty one; what a page installs is there until the test ends."""
    monkeypatch.chdir(tmp_path)
    before = list(sys.path)
    yield tmp_path
    sys.path[:] = before
    importlib.invalidate_caches()
    choosing._added.cache_clear()
    for name in ("palette_dust", "palette_dust_removal"):
        sys.modules.pop(name, None)


def quickly(text: str) -> str:
    """The lines of a block in this process, with less to do."""
    cut()
    said = io.StringIO()
    for line in text.replace("\\\n", " ").splitlines():
        program, name, *args = shlex.split(line)
        if program == "pip":
            install(Path(args[-1]))
        elif name != "demo":  # it has a test of its own
            with contextlib.redirect_stdout(said):
                assert main([name, *shortened(name, args)]) == 0, line
    return said.getvalue()


def shortened(name: str, args: list[str]) -> list[str]:
    if name not in ("train", "resume"):
        return args
    few = [str(2 + (int(value) > 200)) if flag == "--steps" else value
           for flag, value in zip(["", *args], args, strict=False)]  # fmt: skip
    if name == "resume":
        return few
    return [*few, *QUICK, *([] if "--config" in args else SMALL)]


def install(package: Path) -> None:
    """What an installation leaves behind: a place to import from, and entry points."""
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    (package / "palette_dust-1.dist-info").mkdir(exist_ok=True)
    lines = [
        f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
        for group, points in project["project"]["entry-points"].items()
    ]
    metadata = package / "palette_dust-1.dist-info" / "METADATA"
    metadata.write_text("Metadata-Version: 2.1\nName: palette-dust\nVersion: 1\n")
    metadata.with_name("entry_points.txt").write_text("\n".join(lines))
    sys.path.append(str(package.resolve()))
    importlib.invalidate_caches()
    choosing._added.cache_clear()


def cut() -> None:
    for path in Path("photos").glob("*.png"):
        with Image.open(path) as picture:
            small = picture.crop((100, 60, 100 + SIDE, 60 + SIDE))
            large = picture.size != small.size
        if large:
            small.save(path)


def test_each_block_of_each_page(folder: Path) -> None:
    for name in following.PAGES:
        following.follow(following.page(name), quickly)


@pytest.mark.slow
@pytest.mark.timeout(10800)  # minutes on two free cores, more than an hour on busy ones
def test_as_they_stand(tmp_path: Path) -> None:
    """Through a terminal, as a reader; what pip installs stays in a folder of the test's own."""
    packages = tmp_path / "packages"
    places = [str(packages), str(ROOT), os.environ.get("PYTHONPATH", "")]
    pip = {"TARGET": str(packages), "NO_INDEX": "1", "NO_DEPS": "1", "UPGRADE": "1",
           "NO_BUILD_ISOLATION": "0", "DISABLE_PIP_VERSION_CHECK": "1"}  # fmt: skip
    environment = {
        **os.environ,
        **{f"PIP_{name}": value for name, value in pip.items()},
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
        "PYTHONPATH": os.pathsep.join(filter(None, places)),
    }
    command = [sys.executable, str(ROOT / "docs" / "follow.py"), str(tmp_path / "reader")]
    subprocess.run(command, env=environment, check=True)
