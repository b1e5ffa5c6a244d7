"""Whether samples are draws from the posterior: gap, octaves and SSIM, in one line."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from eval_standins import Crops

from palette.eval.evaluate import evaluate
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.consistency import octave_error
from palette.eval.report.findings import findings, gap
from palette.eval.request import Request
from palette.seeding import rng
from palette.tasks import TASKS
from palette.types import Observation, Picture


class Noisy:
    """Knows the truth but for noise: the mean answer has some, samples have twice its power."""

    digest = "0" * 64
    task = TASKS["super-resolution"](scale=2)

    def describe(self) -> dict[str, Any]:
        return {}

    def restore_observations(
        self, observations: list[Observation], *, answer: str, seeds: list[int]
    ) -> list[Picture]:
        return [
            self._one(o, answer, *key)
            for o, *key in zip(observations, seeds, (1, 2, 3), strict=True)
        ]

    def _one(self, observation: Observation, answer: str, seed: int, more: int) -> Picture:
        clean = self.task.baseline(observation)
        noise = 0.02 * rng(0, "noise").standard_normal(clean.shape, dtype=np.float32)
        if answer == "sample":
            noise = noise + 0.02 * more * rng(seed).standard_normal(clean.shape, dtype=np.float32)
        return np.clip(clean + noise, 0, 1)


@pytest.fixture(scope="module")
def report(tmp_path_factory: pytest.TempPathFactory) -> Any:
    request = Request(("psnr", "ssim", "octaves"), limit=3)
    out: Path = tmp_path_factory.mktemp("calibration") / "out"
    return evaluate(Noisy(), Crops(), out, request)


def test_the_gap_is_of_pooled_errors(report: Any) -> None:
    psnrs = [[p.values[row]["psnr"] for row in ("mean", "sample")] for p in report.pictures]
    errors = 10 ** (-np.array(psnrs) / 10)
    expected = 10 * np.log10(errors[:, 1].sum() / errors[:, 0].sum())
    assert gap(report) == pytest.approx(expected)
    of_means = report.value("mean", "psnr") - report.value("sample", "psnr")
    assert abs(of_means - expected) > 1e-3  # what a mean over decibels would have said


def test_noise_does_not_pass_for_detail(report: Any) -> None:
    """The octaves tell white noise from the posterior, whatever the gap says."""
    (line,) = (one for one in findings(report) if "A sample lies" in one.text)
    assert report.value("sample", "octave-1") > 3
    assert line.mark == "bad"
    for words in ("pooled", "octaves") if "pooled" in line.text else ("octaves", "SSIM"):
        assert words in line.text


def test_octaves_against_a_closed_form() -> None:
    """A cosine of twice the amplitude has four times the energy, in its own octave alone."""
    x = np.arange(64)
    waves = {3: 64 // 12, 2: 64 // 6, 1: 64 // 3}  # cycles: 1/12, 1/6 and 1/3 per pixel
    base = np.sum([20 * np.cos(2 * np.pi * n * x / 64) for n in waves.values()], axis=0)
    for octave, cycles in waves.items():
        more = base + 20 * np.cos(2 * np.pi * cycles * x / 64)
        pictures = [np.rint(128 + np.tile(w[None, :, None], (64, 1, 3))) for w in (more, base)]
        answer, target = (picture.astype(np.uint8) for picture in pictures)
        for other in waves:
            expected = 10 * np.log10(4) if other == octave else 0.0
            assert octave_error(answer, target, other) == pytest.approx(expected, abs=0.15)


def test_octaves_need_pictures() -> None:
    flat = np.full((32, 32, 3), 9, np.uint8)
    with pytest.raises(Undefined, match="one colour"):
        octave_error(flat, flat, 1)
    with pytest.raises(Undefined, match="16 pixels"):
        octave_error(flat[:8, :8], flat[:8, :8], 1)
