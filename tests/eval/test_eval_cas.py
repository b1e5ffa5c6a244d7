"""The Classification Accuracy Score: networks, resuming, the order of the rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest
import torch
from eval_standins import Brighten, Crops
from PIL import Image

from palette.data.images import write
from palette.eval.evaluate import evaluate, evaluate_shard
from palette.eval.metrics.cas import PROFILES, Examples, train_and_test
from palette.eval.metrics.resnet import cifar_resnet
from palette.eval.request import Request
from palette.seeding import rng
from palette.shard import Shard
from palette.types import Picture

SMALL = replace(PROFILES["quick"], epochs=4, batch=16, cuts=(3,), side=16, stride=1)


def textured(label: int, index: int, side: int = 16) -> Picture:
    """Class 0 has fine stripes, class 1 a fine checkerboard: equal once halved and enlarged."""
    generator = rng(0, "textured", label, index)
    rows, columns = np.indices((side, side))
    pattern = (columns if label == 0 else rows + columns) % 2
    picture = 0.5 + 0.4 * (pattern[..., None] - 0.5) * generator.uniform(0.8, 1.2, 3)
    return np.clip(picture + generator.normal(0, 0.05, picture.shape), 0, 1).astype(np.float32)


@dataclass(frozen=True)
class Textures:
    """A source of two classes."""

    each: int
    first: int = 0
    inputs: None = None

    @property
    def ids(self) -> list[str]:
        return [f"{label}/{i:03d}.png" for label in "ab" for i in range(self.each)]

    @property
    def labels(self) -> list[str]:
        return [name[0] for name in self.ids]

    def __len__(self) -> int:
        return 2 * self.each

    def read(self, index: int) -> Picture:
        return textured(index // self.each, self.first + index % self.each)

    def fingerprint(self) -> str:
        return f"textures-{self.each}-{self.first}"

    def save(self, folder: Path) -> Path:
        """The pictures as files, in a folder for each class."""
        for index, name in enumerate(self.ids):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            write(folder / name, self.read(index))
        return folder


def examples(folder: Path, each: int, first: int = 0) -> Examples:
    folder.mkdir()
    paths, labels = [], []
    for index in range(2 * each):
        path = folder / f"{index}.png"
        picture = textured(index % 2, first + index // 2)
        Image.fromarray(np.rint(picture * 255).astype(np.uint8)).save(path)
        paths.append(path)
        labels.append(index % 2)
    return Examples(paths, labels)


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (56, 0.85)])
def test_networks_have_the_parameters_of_the_paper(depth: int, millions: float) -> None:
    """He et al. 2016, table 6."""
    parameters = sum(p.numel() for p in cifar_resnet(depth, 10).parameters())
    assert parameters / 1e6 == pytest.approx(millions, abs=0.01)
    with pytest.raises(ValueError, match="6n"):
        cifar_resnet(depth + 1, 10)


def test_it_learns_and_resumes_to_the_same_answers(tmp_path: Path) -> None:
    train, test = examples(tmp_path / "train", 24), examples(tmp_path / "test", 10, first=500)
    whole = train_and_test(train, test, 2, SMALL, tmp_path / "whole.pt")
    assert whole.top1.mean() > 0.9
    assert whole.top5.all()

    class Stop(Exception):
        pass

    def stop_after_two(epoch: int, loss: float) -> None:
        if epoch == 2:
            raise Stop

    with pytest.raises(Stop):
        train_and_test(train, test, 2, SMALL, tmp_path / "cut.pt", progress=stop_after_two)
    seen: list[int] = []
    again = train_and_test(
        train, test, 2, SMALL, tmp_path / "cut.pt", progress=lambda epoch, _: seen.append(epoch)
    )
    assert seen == [3, 4]
    np.testing.assert_array_equal(again.top1, whole.top1)
    one, two = (torch.load(tmp_path / f"{n}.pt")["network"] for n in ("whole", "cut"))
    assert all(torch.equal(one[name], two[name]) for name in one)


def test_the_rows_are_in_one_report_in_their_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(PROFILES, "quick", SMALL)
    test = Textures(10, first=500).save(tmp_path / "test")
    request = Request(("psnr", "cas", "cas-top5"), cas_test=test, device="cpu")
    report = evaluate(Brighten(), Textures(24), tmp_path / "out", request)
    real, degraded = report.value("original", "cas"), report.value("baseline", "cas")
    assert real is not None
    assert degraded is not None
    assert real > 90
    assert degraded < real  # halving leaves nothing of the textures
    assert report.value("input", "cas") is None
    assert "of the real twin" in report.data["table"]["mean"]["cas"]["note"]
    assert report.data["manifest"]["cas"]["profile"]["network"] == "resnet14"
    page = report.html.read_text()
    assert "Classifiers trained on each row" in page
    assert not list((tmp_path / "out" / "state").glob("*.pt"))
    again = evaluate(Brighten(), Textures(24), tmp_path / "out", request)
    assert again.json.read_bytes() == report.json.read_bytes()


def test_errors_say_what_is_missing(tmp_path: Path) -> None:
    request = Request(("cas",), device="cpu")
    with pytest.raises(ValueError, match="--cas-test"):
        evaluate(Brighten(), Textures(2), tmp_path / "out", request)
    request = replace(request, cas_test=Textures(2).save(tmp_path / "test"))
    with pytest.raises(ValueError, match="leave it out of shards"):
        evaluate_shard(Brighten(), Textures(2), tmp_path / "out", request, Shard(0, 2))
    with pytest.raises(ValueError, match="unknown CAS profile 'slow'"):
        evaluate(Brighten(), Textures(2), tmp_path / "out", replace(request, cas_profile="slow"))
    with pytest.raises(ValueError, match=r"--data .* two class folders or more$"):
        evaluate(Brighten(), Crops(4), tmp_path / "out", request)  # that have no classes
    few = replace(request, limit=2)
    with pytest.raises(ValueError, match="two class folders or more; --limit 2 takes the first"):
        evaluate(Brighten(), Textures(2), tmp_path / "out", few)
    (tmp_path / "test" / "c").mkdir()
    write(tmp_path / "test" / "c" / "new.png", textured(0, 0))
    with pytest.raises(ValueError, match="no training pictures for test class 'c': both folders"):
        evaluate(Brighten(), Textures(2), tmp_path / "out", request)
    assert not (tmp_path / "out").exists()  # all of it before the first picture
