"""The adapter to pyiqa: what it is told, what is refused; NIQE for real where it is at hand."""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from conftest import DATA
from skimage import data

from palette.errors import UserError
from palette.eval.metrics.iqa import JUDGES, VGG
from palette.eval.metrics.per_picture import Measure, Pair, Setup
from palette.eval.metrics.registry import METRICS, PerPicture
from palette.eval.metrics.weights import PUBLISHED, find

NIQE = DATA / "peers" / "niqe_pris_params.npz"


def measure_of(name: str, path: Path) -> Measure:
    metric = METRICS[name]
    assert isinstance(metric.how, PerPicture)
    assert metric.weights is not None
    return metric.how.begin(Setup(weights={metric.weights: find(metric.weights, path)}))


def pair(noise: float = 0, side: int = 256) -> Pair:
    target = np.ascontiguousarray(data.astronaut()[:side, 100 : 100 + side])
    drawn = np.random.default_rng(0).normal(0, noise, target.shape)
    return Pair(np.clip(target + drawn, 0, 255).astype(np.uint8), target)


class Told:
    """In place of pyiqa: remembers what it was told, scores by the mean of what it sees."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.calls: list[tuple[str, dict[str, Any]]] = []
        self.seen: list[tuple[torch.Tensor, ...]] = []
        module = ModuleType("pyiqa")
        module.__spec__ = ModuleSpec("pyiqa", None)  # so that it is found
        module.create_metric = self.create  # type: ignore[attr-defined]
        monkeypatch.setitem(sys.modules, "pyiqa", module)

    def create(self, name: str, device: str, **options: Any) -> Any:
        self.calls.append((name, options))
        return self.score

    def score(self, *pictures: torch.Tensor) -> torch.Tensor:
        self.seen.append(pictures)
        return pictures[0].mean()[None, None]

    net = torch.nn.Linear(1, 1)


@pytest.mark.parametrize("name", ["musiq", "clip-iqa", "niqe"])
def test_metrics_of_the_answer_alone(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = Told(monkeypatch)
    path = tmp_path / "weights.pth"
    path.write_bytes(b"any")
    one = pair()
    assert measure_of(name, path)([one]) == [pytest.approx(one.answer.mean() / 255, rel=1e-5)]
    ((asked, options),) = told.calls
    assert asked == JUDGES[name].name
    assert str(path) in options.values()
    ((seen,),) = told.seen
    assert seen.shape == (1, 3, 256, 256)
    assert float(seen.max()) <= 1
    assert np.array_equal((255 * seen[0]).round().byte().permute(1, 2, 0).numpy(), one.answer)


def test_metrics_beside_the_original(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    path = tmp_path / "weights.pth"
    path.write_bytes(b"any")
    with pytest.raises(UserError, match="VGG-16 too: get vgg16-397923af"):
        measure_of("dists", path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / VGG).write_bytes(b"any")
    one = pair(30)
    measure_of("dists", path)([one])
    answer, target = told.seen[0]
    assert float(answer.std()) > float(target.std())


def test_a_part_of_topiq_does_not_judge(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch)
    told.score = type("Score", (), {"net": torch.nn.Linear(1, 1)})()  # type: ignore[method-assign]
    path = tmp_path / "weights.pth"
    torch.save({"params": {"weight": torch.zeros(1, 1)}}, path)
    with pytest.raises(UserError, match="no whole TOPIQ: it lacks bias"):
        measure_of("topiq", path)
    torch.save({"params": {"weight": torch.zeros(1, 1), "bias": torch.zeros(1)}}, path)
    measure_of("topiq", path)
    assert told.calls[-1][1]["backbone_pretrain"] is False


def test_what_is_missing_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.hub, "get_dir", lambda: str(tmp_path))
    for name, judge in JUDGES.items():
        assert METRICS[name].weights == judge.weights
        file = PUBLISHED[judge.weights].file
        with pytest.raises(UserError, match=f"get {file}.*--weights-{judge.weights}"):
            find(judge.weights)


@pytest.mark.skipif(not NIQE.is_file(), reason="no parameters of NIQE at hand")
def test_niqe_is_that_of_pyiqa() -> None:
    """A photograph has a low figure, with noise a higher one; a small picture has none."""
    pytest.importorskip("pyiqa")
    measure = measure_of("niqe", NIQE)
    clean, noisy, small = measure([pair(), pair(25), pair(side=150)])
    assert isinstance(clean, float)
    assert isinstance(noisy, float)
    assert 2 < clean < 7
    assert noisy > clean + 2
    assert small == "NIQE needs two blocks of 96×96 pixels or more"


def test_musiq_is_that_of_pyiqa(tmp_path: Path) -> None:
    """With random weights: the file is what is used."""
    pyiqa = pytest.importorskip("pyiqa")
    torch.manual_seed(0)
    network = pyiqa.create_metric("musiq", device="cpu", pretrained=False)
    torch.save(network.net.state_dict(), tmp_path / "musiq.pth")
    one = pair(20)
    (value,) = measure_of("musiq", tmp_path / "musiq.pth")([one])
    tensor = torch.from_numpy(one.answer).permute(2, 0, 1)[None].float() / 255
    assert value == pytest.approx(float(network(tensor)), rel=1e-4)
    (tmp_path / "other.pth").write_bytes(b"no weights")
    with pytest.raises(UserError, match=r"other\.pth holds no weights of musiq"):
        measure_of("musiq", tmp_path / "other.pth")
