"""The engine, with a stand-in for the model: rows, files, resuming, errors."""

from __future__ import annotations

import csv
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from skimage import data

from palette.eval.evaluate import Answer, evaluate
from palette.eval.report import Report
from palette.eval.workspace import IntegrityError
from palette.seeding import rng
from palette.types import Condition, Observation, Params, Picture, Spec


@dataclass(frozen=True)
class Halving:
    """Half of the size by box average; a stand-in for a task, independent of the real ones."""

    multiple: int = 2
    residual: bool = True
    masked: bool = False

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"shade": float(rng.uniform(0.9, 1.0))}

    def degrade(self, clean: Picture, params: Params) -> Observation:
        h, w = clean.shape[:2]
        low = clean.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3)) * params["shade"]
        return Observation(low.astype(np.float32))

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        return Condition(self.baseline(observation) * 2 - 1)

    def baseline(self, observation: Observation) -> Picture:
        return observation.picture.repeat(2, 0).repeat(2, 1)

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        return restored


@dataclass
class Brighten:
    """A "model" that undoes the mean shade, and whose samples add noise."""

    task: Halving = field(default_factory=Halving)
    digest: str = "d" * 64
    calls: int = 0
    stop_after: int | None = None

    def describe(self) -> dict[str, Any]:
        return {"name": "brighten"}

    def restore_observations(
        self, observations: list[Observation], answer: Answer, steps: int | None, seeds: list[int]
    ) -> list[Picture]:
        if self.stop_after is not None and self.calls >= self.stop_after:
            raise KeyboardInterrupt
        self.calls += 1
        restored = []
        for observation, seed in zip(observations, seeds, strict=True):
            picture = self.task.baseline(observation) / 0.95
            if answer == "sample":
                picture = picture + rng(seed).normal(0, 0.03, picture.shape)
            restored.append(np.clip(picture, 0, 1).astype(np.float32))
        return restored


@dataclass(frozen=True)
class Crops:
    """Crops of one photograph, of several sizes, as a source."""

    count: int = 5
    labels: None = None

    @property
    def ids(self) -> list[str]:
        return [f"set/{index:03d}.JPEG" for index in range(self.count)]

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Picture:
        size = 33 + index % 7
        crop = data.astronaut()[5 * index : 5 * index + size, 100 : 100 + size + 4]
        return (crop / 255).astype(np.float32)

    def fingerprint(self) -> str:
        return f"crops-{self.count}"


def test_rows_files_and_order(tmp_path: Path) -> None:
    out = tmp_path / "out"
    report = evaluate(Brighten(), Crops(), out, answers=("mean", "sample"), samples=2)
    assert list(report.data["table"]) == ["input", "baseline", "original", "mean", "sample"]
    psnr = {row: report.value(row, "psnr") for row in report.data["table"]}
    assert psnr["mean"] is not None
    assert psnr["baseline"] is not None
    assert psnr["sample"] is not None
    assert psnr["mean"] > psnr["baseline"]
    assert psnr["mean"] > psnr["sample"]
    assert psnr["original"] is None
    assert "infinite" in report.data["table"]["original"]["psnr"]["reason"]
    assert report.value("original", "ssim") == pytest.approx(1)
    for row in ("reference", "input", "baseline", "mean", "sample", "sample-1"):
        assert len(list((out / row / "set").glob("*.png"))) == 5
    text = report.json.read_text()
    assert "NaN" not in text
    assert "Infinity" not in text
    assert json.loads(text) == report.data
    lines = list(csv.DictReader(report.csv.open()))
    assert len(lines) == 5 * 5
    assert {line["picture"] for line in lines} == {f"set/{i:03d}" for i in range(5)}
    assert "http" not in report.html.read_text().replace("http-equiv", "")
    assert "model, mean answer" in report.as_text()


def test_the_values_are_those_of_the_saved_pictures(tmp_path: Path) -> None:
    from skimage.io import imread
    from skimage.metrics import peak_signal_noise_ratio

    report = evaluate(Brighten(), Crops(), tmp_path / "out")
    for picture in report.data["pictures"]:
        target = imread(tmp_path / "out" / "reference" / f"{picture['name']}.png")
        answer = imread(tmp_path / "out" / "mean" / f"{picture['name']}.png")
        by_hand = peak_signal_noise_ratio(target, answer, data_range=255)
        assert picture["values"]["mean"]["psnr"] == pytest.approx(by_hand, abs=1e-9)
        assert max(target.shape[:2]) % 2 == 0


def run_killed_then_whole(out: Path, stop_after: int) -> Report:
    with pytest.raises(KeyboardInterrupt):
        evaluate(Brighten(stop_after=stop_after), Crops(40), out, answers=("mean", "sample"))
    assert not (out / "report.json").exists()
    return evaluate(Brighten(), Crops(40), out, answers=("mean", "sample"))


def test_killed_and_run_again_gives_the_same_bytes(tmp_path: Path) -> None:
    whole = evaluate(Brighten(), Crops(40), tmp_path / "whole", answers=("mean", "sample"))
    for stop_after in (0, 1, 3):
        again = run_killed_then_whole(tmp_path / f"killed-{stop_after}", stop_after)
        assert again.json.read_bytes() == whole.json.read_bytes()
        assert again.csv.read_bytes() == whole.csv.read_bytes()


def test_a_finished_evaluation_does_no_work_again(tmp_path: Path) -> None:
    evaluate(Brighten(), Crops(), tmp_path / "out")
    model = Brighten()
    evaluate(model, Crops(), tmp_path / "out")
    assert model.calls == 0


def test_the_folder_of_another_evaluation_is_refused(tmp_path: Path) -> None:
    evaluate(Brighten(), Crops(), tmp_path / "out", limit=2)
    with pytest.raises(IntegrityError, match="another seed"):
        evaluate(Brighten(), Crops(), tmp_path / "out", limit=2, seed=1)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(IntegrityError, match="not empty"):
        evaluate(Brighten(), Crops(), tmp_path / "mine")


def test_bad_arguments_say_the_choices(tmp_path: Path) -> None:
    for arguments, message in [
        ({"metrics": ("pnsr",)}, "unknown metric 'pnsr': did you mean 'psnr'"),
        ({"limit": 0}, "limit 0"),
        ({"answers": ("best",)}, "choose from mean, sample"),
        ({"samples": 0}, "samples 0"),
    ]:
        with pytest.raises(ValueError, match=message):
            evaluate(Brighten(), Crops(), tmp_path / "out", **arguments)
        assert not (tmp_path / "out").exists()
