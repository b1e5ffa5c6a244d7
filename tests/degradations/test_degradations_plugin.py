"""The example package in docs/example-plugin: its parts, and a real installation of it."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from importlib.metadata import EntryPoint
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch

from palette.degradations import Degradation, build, catalogue
from palette.degradations.catalogue import about
from palette.seeding import rng
from palette.types import Spec, Task

EXAMPLE = Path(__file__).parents[2] / "docs" / "example-plugin"


@pytest.fixture
def plugin(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """The module, its degradations found as if the package were installed."""
    name = "palette_scanlines"
    source = importlib.util.spec_from_file_location(name, EXAMPLE / name / "__init__.py")
    assert source is not None
    assert source.loader is not None
    module = importlib.util.module_from_spec(source)
    monkeypatch.setitem(sys.modules, name, module)
    source.loader.exec_module(module)
    points = [
        EntryPoint("scanlines", "palette_scanlines:Scanlines", catalogue.GROUP),
        EntryPoint("haze", "palette_scanlines:HAZE", catalogue.GROUP),
        EntryPoint("spec", "palette_scanlines:Picture", catalogue.GROUP),
    ]

    def found(group: str, name: str | None = None) -> list[EntryPoint]:
        assert group == catalogue.GROUP
        return [point for point in points if name in (None, point.name)]

    monkeypatch.setattr(catalogue, "entry_points", found)
    return module


def test_entry_points_are_built_like_the_rest(plugin: ModuleType) -> None:
    assert build("scanlines") == plugin.Scanlines()
    assert build("haze") is plugin.HAZE
    mixture = build("scanlines:1,grayscale:1")
    picture = np.random.default_rng(0).random((20, 24, 3), dtype=np.float32)
    params = mixture.draw(Spec(20, 24), rng(0))
    assert mixture.apply(picture, params).shape == (20, 24, 3)
    with pytest.raises(ValueError, match="did you mean 'scanlines'"):
        build("scanline")
    with pytest.raises(ValueError, match=r"entry point spec .* has to be a palette\.degradations"):
        build("spec")


def test_the_degradation_does_what_it_says(plugin: ModuleType) -> None:
    degradation: Degradation = plugin.Scanlines()
    assert isinstance(degradation, Degradation)
    picture = np.full((9, 4, 3), 0.5, np.float32)
    params = {"period": 3, "first": 1, "darkness": 0.4}
    result = degradation.apply(picture, params)
    assert np.allclose(result[1::3], 0.3)
    assert np.allclose(result[[0, 2, 3]], 0.5)
    tensor = torch.from_numpy(picture).permute(2, 0, 1)
    (batched,) = degradation.apply_batch([tensor], [params])  # what the base class gives
    assert np.array_equal(batched.permute(1, 2, 0).numpy(), result)
    assert about("scanlines") == "Dark rows, as of an old screen."
    assert about("haze").startswith("A transform of Albumentations")


def test_the_task_is_a_task(plugin: ModuleType) -> None:
    task: Any = plugin.ScanlineRemoval()
    assert isinstance(task, Task)
    assert task.name == "scanline-removal"
    picture = np.random.default_rng(0).random((24, 20, 3), dtype=np.float32)
    observation = task.degrade(picture, task.draw(Spec(24, 20), rng(1)))
    condition = task.condition(observation, rng(2))
    assert condition.x.shape == picture.shape
    assert np.allclose(condition.x, 2 * observation.picture - 1, atol=1e-6)


CHECK = """
import sys
from palette.cli.main import main
from palette.tasks import available
from palette.types import Task
task = available()["scanline-removal"]()
assert isinstance(task, Task) and task.name == "scanline-removal"
for name in ("scanlines", "haze"):
    code = main(["degrade", name, sys.argv[1], f"{sys.argv[2]}/{name}", "--count", "2"])
    assert code == 0, code
    again = [f"{sys.argv[2]}/{name}-again", "--replay", f"{sys.argv[2]}/{name}/records.jsonl"]
    assert main(["degrade", name, sys.argv[1], *again]) == 0
"""


@pytest.mark.slow
def test_the_package_installs_and_runs(tmp_path: Path, photos: Path) -> None:
    source, target = tmp_path / "source", tmp_path / "target"
    shutil.copytree(EXAMPLE, source)  # building leaves files behind
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--target", str(target)]
    subprocess.run([*pip, *options, str(source)], check=True)
    path = os.pathsep.join([str(target), os.environ.get("PYTHONPATH", "")])
    subprocess.run(
        [sys.executable, "-c", CHECK, str(photos), str(tmp_path / "out")],
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    assert len(list((tmp_path / "out" / "scanlines" / "degraded").rglob("*.png"))) == 12
