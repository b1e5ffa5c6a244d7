"""The mean answer and the network as files of ONNX and of torch.export."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from random_models import random_model

import palette
from palette.cli.main import main
from palette.exporting.choices import Choices
from palette.exporting.graphs import NOISE_SIDE
from palette.exporting.parity import as_inputs
from palette.exporting.write import restorer_of
from palette.seeding import rng
from palette.types import Observation

pytestmark = pytest.mark.timeout(1200)  # tracing takes minutes where all processors are busy
SIZES = [(9, 9), (37, 53), (64, 50)]
Run = Callable[[Mapping[str, torch.Tensor]], torch.Tensor]
SEVERAL = {"tasks": "super-resolution,inpainting", "scale": "3"}


def loaded(to: str, path: Path) -> Run:
    if to == "torch":
        module = torch.export.load(path.with_suffix(".pt2")).module()
        return lambda inputs: module(**inputs)
    import onnxruntime

    session = onnxruntime.InferenceSession(path.with_suffix(".onnx"))

    def run(inputs: Mapping[str, torch.Tensor]) -> torch.Tensor:
        arrays = {name: value.numpy() for name, value in inputs.items()}
        return torch.from_numpy(session.run(None, arrays)[0])

    return run


def compare(to: str, model: Path, out: Path, task: str) -> None:
    """What the files compute is what palette answers, at sizes that nobody traced."""
    restorer = restorer_of(model, Choices(task=task))
    mean, epsilon = (loaded(to, out / name) for name in ("mean", "epsilon"))
    for height, width in SIZES:
        picture = rng(3, "picture", height).random((height, width, 3), dtype=np.float32)
        mask = np.zeros((height, width), bool)
        mask[2:7, 3:8] = True
        held = Observation(picture, mask if restorer.task.masked else None)
        (own,) = restorer.restore_observations([held], "mean")
        answer = mean(as_inputs(restorer, held))[0].permute(1, 2, 0).numpy()
        assert np.abs(answer - own).max() < 1e-4
    denoiser = restorer.solver.denoiser
    stride = restorer.solver.stride
    x, y_t = torch.randn(3, 4, 2 * stride, 7 * stride), torch.randn(3, 3, 2 * stride, 7 * stride)
    inputs = {"x": x, "y_t": y_t, "gamma": torch.tensor([0.1, 0.5, 0.9])}
    inputs["task"] = torch.tensor([1, 0, 1])
    assert (epsilon(inputs) - denoiser(**inputs)).abs().max() < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("to", ["onnx", "torch"])
@pytest.mark.parametrize("task", ["super-resolution-x3", "inpainting"])
def test_files_answer_as_palette_does(
    to: str, task: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if to == "onnx":
        pytest.importorskip("onnxscript")
        pytest.importorskip("onnxruntime")
    shape = {"mask": True, "tasks": 2, "patch": 2, "attention": [16]}
    model = random_model(tmp_path / "m", "generalist", SEVERAL, **shape)
    out = tmp_path / "out"
    assert main(["export", str(model), str(out), "--to", to, "--task", task]) == 0
    said = capsys.readouterr().out
    assert re.search(r"^mean: within .*e-0[5-9] of palette's own$", said, re.MULTILINE)
    assert re.search(r"^epsilon: within", said, re.MULTILINE)
    compare(to, model, out, task)


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ONNX files of a small model, with an entry for OpenModelDB."""
    pytest.importorskip("onnxscript")
    pytest.importorskip("onnxruntime")
    folder = tmp_path_factory.mktemp("published")
    model = random_model(folder / "m", "super-resolution", {"scale": 2})
    out = folder / "out"
    return palette.export(model, out, "onnx", repo="some.one/my_model", license="cc0-1.0")


@pytest.mark.slow
def test_one_input_is_enough(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As chaiNNer and the README's code give it; the noise is in the file."""
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(published / "mean.onnx")
    (shown,) = session.get_inputs()
    assert shown.shape[:2] == [1, 3]
    assert not any(isinstance(side, int) for side in shown.shape[2:])
    (noise,) = session.get_overridable_initializers()
    assert noise.name == "noise"
    monkeypatch.chdir(published)
    array = rng(0, "photo").integers(0, 256, (31, 20, 3)).astype(np.uint8)
    Image.fromarray(array).save("photo.png")
    text = Path("README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    scope: dict[str, Any] = {}
    exec(code, scope)
    with Image.open("restored.png") as restored:
        assert restored.size == (40, 62)
    assert scope["restored"].shape == (1, 3, 62, 40)
    assert 0 <= scope["restored"].min() <= scope["restored"].max() <= 1
    held = scope["inputs"]["picture"]
    cut = np.zeros((1, 3, NOISE_SIDE, NOISE_SIDE), np.float32)
    (other,) = session.run(None, {"picture": held, "noise": cut})
    assert np.abs(other - scope["restored"]).max() > 1e-3


@pytest.mark.slow
def test_the_entry_for_openmodeldb(published: Path) -> None:
    """What the schema of that site requires, by its own rules."""
    (path,) = published.glob("*.json")
    assert path.name == "2x-my-model-super-resolution.json"
    assert re.fullmatch(r"\d+x-[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*", path.stem)
    entry = json.loads(path.read_text())
    assert re.fullmatch(r"[a-zA-Z0-9]+(?:-[a-zA-Z0-9]+)*", entry["author"])
    assert re.fullmatch(r"\d{4}-\d\d-\d\d", entry["date"])
    assert entry["tags"]
    assert entry["description"] == entry["description"].strip()
    assert (entry["scale"], entry["inputChannels"], entry["outputChannels"]) == (2, 3, 3)
    (resource,) = entry["resources"]
    assert resource["size"] == (published / "mean.onnx").stat().st_size
    assert re.fullmatch(r"[0-9a-f]{64}", resource["sha256"])
    assert resource["urls"] == ["https://huggingface.co/some.one/my_model/resolve/main/mean.onnx"]
    assert (entry["trainingIterations"], entry["datasetSize"]) == (7, 11)
