"""Quality against evaluations, for every sampler and grid, on one trained checkpoint.

    python benchmarks/samplers.py --model RUN --data FOLDER --pictures 48 --samples 4

Without --model a small super-resolution network is trained first, on the photographs that
scikit-image ships: enough to run, not to be proud of. Each row restores the same crops and prints

- mean: PSNR of the mean of the samples; one: mean PSNR of a single sample; gap: how far a single
  sample lies below the mean answer of one evaluation (3.01 dB is necessary for exact samples, and
  not sufficient: see the octaves);
- SSIM of a single sample;
- octaves: energy of sample − baseline over that of clean − baseline, coarse to fine; 1 is ideal;
- drift: root mean square of the error of a sample's mean colour, of 255.

The first row is the reference: ancestral sampling with 1000 steps.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from copy import copy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

import palette
from palette.data.opening import open_source
from palette.diffusion.schedule import GAMMA_MAX, SCHEDULES, palette_test_grid
from palette.eval.metrics.distortion import psnr, ssim
from palette.eval.metrics.spectrum import colour_drift, octave_shares
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.search import Crops, take_crops
from palette.seeding import entropy
from palette.types import Picture

TRIMMED = len(palette_test_grid(None, SCHEDULES["logsnr"].gamma_min, GAMMA_MAX))
EVALUATIONS = (2, 4, 6, 8, 12, 20, 50)


@dataclass(frozen=True)
class Row:
    """The figures of one way of sampling; see the module's docstring."""

    mean: float
    one: float
    ssim: float
    octaves: tuple[float, ...]
    drift: float

    def line(self, name: str, answer: float) -> str:
        octaves = " ".join(f"{value:5.2f}" for value in self.octaves)
        return (
            f"{name:34}{self.mean:7.2f}{self.one:7.2f}{answer - self.one:6.2f}{self.ssim:7.3f}"
            f"   {octaves}{self.drift:7.2f}"
        )


HEADER = (
    f"{'':34}{'mean':>7}{'one':>7}{'gap':>6}{'SSIM':>7}   {'octaves, coarse to fine':29}"
    f"{'drift':>7}"
)


def draw_samples(restorer: Restorer, crops: Crops, key: str, count: int) -> list[list[Picture]]:
    """``count`` samples of each crop. The noise depends on ``key`` only, not on the sampling."""
    numbers = range(len(crops.clean))
    seeds = [entropy(i, key, n) for i in numbers for n in range(count)]
    observed = [crops.observed[i] for i in numbers for _ in range(count)]
    samples = restorer.restore_observations(observed, seeds=seeds)
    return [samples[i * count : (i + 1) * count] for i in numbers]


def measure(restorer: Restorer, crops: Crops, sampling: Sampling, samples: int) -> Row:
    if sampling.answer == "auto":
        sampling = replace(sampling, answer="sample")
    drawn = draw_samples(restorer.using(sampling), crops, "run", samples)
    means = [np.mean(group, axis=0) for group in drawn]
    every = [picture for group in drawn for picture in group]
    clean, baseline = (
        [picture for picture in pictures for _ in range(samples)]
        for pictures in (crops.clean, crops.baseline)
    )
    drifts = [colour_drift(a, b) for a, b in zip(every, clean, strict=True)]
    return Row(
        mean=float(np.mean([psnr(a, b) for a, b in zip(means, crops.clean, strict=True)])),
        one=float(np.mean([psnr(a, b) for a, b in zip(every, clean, strict=True)])),
        ssim=float(np.mean([ssim(a, b) for a, b in zip(every, clean, strict=True)])),
        octaves=tuple(octave_shares(every, clean, baseline)),
        drift=float(np.sqrt(np.mean(np.square(drifts)))),
    )


REFERENCE = Sampling(sampler="ancestral", steps=1000)
MAIN = ("dpmpp_2m", "dpmpp_2m_sde", "ddim", "ancestral")
OTHERS = ("dpmpp_3m", "dpmpp_3m_sde", "unipc", "heun")


def plans() -> list[tuple[str, Sampling]]:
    """Every sampler and every grid and start, the main samplers at every number of evaluations."""
    found = [Sampling(sampler=name, steps=n, grid="logsnr") for name in MAIN for n in EVALUATIONS]
    for name in OTHERS:
        found += [Sampling(sampler=name, steps=n, grid="logsnr") for n in (8, 20)]
    for eta in (0.5, 1.0):
        choices: dict[str, Any] = {"sampler": "dpmpp_2m_sde", "eta": eta, "grid": "logsnr"}
        found += [Sampling(steps=n, **choices) for n in (8, 20, 50)]
    for name in MAIN[:2]:
        for grid in ("karras", "palette"):
            found += [Sampling(sampler=name, steps=n, grid=grid) for n in (8, 20)]
        for start in ("mean", "condition"):
            choices = {"sampler": name, "start": start, "grid": "logsnr"}
            found += [Sampling(steps=n, **choices) for n in (4, 6, 8, 12)]
    return [(_name(sampling, sampling.grid), sampling) for sampling in found]


def _name(sampling: Sampling, grid: str) -> str:
    start = "" if sampling.start == "noise" else f" from {sampling.start}"
    eta = f" η {sampling.eta:.2g}" if sampling.sampler.endswith("_sde") else ""
    detail = f" detail {sampling.detail:.2g}" if sampling.detail else ""
    return f"{sampling.steps:4} {sampling.sampler}{eta}{detail} {grid}{start}"


def untrimmed(restorer: Restorer, crops: Crops, samples: int) -> Row:
    """Palette's test schedule as published, half of it below the smallest trained γ."""
    whole = copy(restorer)
    schedule = replace(restorer.solver.schedule, gamma_min=1e-30)
    whole.solver = replace(restorer.solver, schedule=schedule)
    return measure(whole, crops, Sampling(sampler="ancestral", steps=1000, grid="palette"), samples)


def verdict(row: Row, reference: Row) -> str:
    """What the row has of the 1000-step ancestral result, each within the tolerance asked for."""
    nearest = [a / b - 1 for a, b in zip(row.octaves, reference.octaves, strict=True)]
    worst = max(nearest, key=abs)
    checks = {
        f"mean {row.mean - reference.mean:+.2f} dB": row.mean >= reference.mean - 0.1,
        f"gap {reference.one - row.one:+.2f} dB": abs(row.one - reference.one) <= 0.2,
        f"octaves {worst:+.0%}": abs(worst) <= 0.05,
        f"drift {row.drift - reference.drift:+.2f}": row.drift <= reference.drift,
    }
    return "  ".join(f"{text} {'ok' if holds else 'NO'}" for text, holds in checks.items())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", help="a run folder; a small one is trained otherwise")
    parser.add_argument("--task", help="which, of a model that has several")
    parser.add_argument("--scale", type=int)
    parser.add_argument("--only", nargs="*", help="of the rows: those whose names begin so")
    parser.add_argument("--data", default="bundled", help="clean pictures to judge by")
    parser.add_argument("--pictures", type=int, default=16)
    parser.add_argument("--samples", type=int, default=2)
    parser.add_argument("--steps", type=int, default=400, help="of training, without --model")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        model = args.model or train(Path(name) / "run", args.steps)
        restorer = palette.load(model, task=args.task, scale=args.scale)
        crops = take_crops(
            restorer, open_source(args.data, split="held_out"), args.pictures, seed=1
        )
        info, side = restorer.model.info, restorer.model.config.data.size
        print(
            f"{restorer.member.name}, {info['step']} steps of training; "
            f"{args.pictures} crops of {side}×{side}, {args.samples} samples of each, "
            f"{restorer.describe()['dtype']} on {os.cpu_count()} cores"
        )
        table(restorer, crops, args.samples, tuple(args.only or [""]))


def table(restorer: Restorer, crops: Crops, samples: int, only: tuple[str, ...]) -> None:
    """Print the rows whose names begin with one of ``only``; mean answer and reference always."""
    print(HEADER)
    answer = measure(restorer, crops, Sampling(answer="mean"), 1)
    print(answer.line("   1 mean answer", answer.one), flush=True)
    reference = measure(restorer, crops, REFERENCE, samples)
    print(reference.line("1000 ancestral logsnr", answer.one), flush=True)
    name = "1000 ancestral palette, untrimmed"
    if name.startswith(only):
        print(untrimmed(restorer, crops, samples).line(name, answer.one), flush=True)
    trimmed = Sampling(sampler="ancestral", steps=TRIMMED, grid="palette")
    searched = []
    for entry in restorer.model.searched:
        if entry["task"] != restorer.member.name:
            continue
        keys = ("sampler", "steps", "start", "eta", "detail")
        sampling = Sampling(**{key: entry[key] for key in keys})
        levels = tuple(entry["logsnrs"])
        searched.append((_name(sampling, "searched"), replace(sampling, logsnrs=levels)))
    rows = [(f"{TRIMMED:4} ancestral palette", trimmed), *searched, *plans()]
    for name, sampling in rows:
        if not name.strip().startswith(only):
            continue
        row = measure(restorer, crops, sampling, samples)
        print(row.line(name, answer.one), flush=True)
        if sampling.steps == 8:
            print(f"{'':8}against 1000: {verdict(row, reference)}", flush=True)


def train(run: Path, steps: int) -> Path:
    config: dict[str, Any] = {"train": {"validate_every": 0}}
    palette.train("super-resolution", out=run, steps=steps, options={"scale": 4}, config=config)
    return run


if __name__ == "__main__":
    main()
