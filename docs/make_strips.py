"""Make the strips of README.md and docs: held-out bundled photographs through trained models.

    python docs/make_strips.py RUNS      # RUNS/super-resolution, RUNS/jpeg-restoration, …
    python docs/make_strips.py photos    # one model of several tasks

Each strip is what the user holds | the mean answer | one sample | the original.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

import palette
from palette.api import read_model
from palette.data.images import write
from palette.data.opening import open_source
from palette.degradations.resize import resize
from palette.restoring.restorer import Restorer
from palette.seeding import rng
from palette.types import Observation, Picture, Spec

CROPS = {
    "super-resolution": ("chelsea", 40, 120),
    "jpeg-restoration": ("astronaut", 10, 130),
    "colorization": ("rocket", 200, 200),
    "inpainting": ("chelsea", 40, 120),
    "uncropping": ("astronaut", 10, 130),
    "denoising": ("chelsea", 40, 120),
}
"""Which photograph, and the top left corner of a crop of SIDE pixels."""
SIDE = 192
SCALE = 4
"""Of super-resolution, where a model has several."""


def held(observation: Observation) -> Picture:
    """The observation at the size of the target: a small picture enlarged, holes grey."""
    if observation.picture.shape[0] == SIDE:
        return observation.picture
    return resize(observation.picture, SIDE, SIDE, "nearest")


def models(runs: Path) -> dict[str, Restorer]:
    """Those of the tasks that are there, by the task's name."""
    found = {name: palette.load(runs / name) for name in CROPS if (runs / name).is_dir()}
    if found:
        return found
    _, members = read_model(runs)
    named: dict[str, str] = {}  # of several members for a task the first
    for member in members:
        if member.task.scale in (None, SCALE):
            named.setdefault(member.task.name, member.name)
    return {name: palette.load(runs, task=named[name]) for name in CROPS if name in named}


def main(runs: Path) -> None:
    source = open_source("bundled", split="held_out")
    names = [Path(name).stem for name in source.ids]
    out = Path(__file__).parent / "strips"
    out.mkdir(exist_ok=True)
    for name, model in models(runs).items():
        photo, top, left = CROPS[name]
        clean = source.read(names.index(photo))[top : top + SIDE, left : left + SIDE]
        params = model.task.draw(Spec(SIDE, SIDE), rng(1, "strip"))
        observation = model.task.degrade(clean, params)
        (mean,) = model.restore_observations([observation], "mean")
        (sample,) = model.restore_observations([observation], "sample")
        gap = np.ones((SIDE, 6, 3), np.float32)
        parts = [held(observation), gap, mean, gap, sample, gap, clean]
        write(out / f"{name}.jpg", np.concatenate(parts, axis=1))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python docs/make_strips.py RUNS")
    main(Path(sys.argv[1]))
