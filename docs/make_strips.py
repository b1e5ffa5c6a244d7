"""Make the strips of README.md and docs: held-out photographs through the model in the box.

    python docs/make_strips.py [MODEL]

Each strip is what the user holds | the mean answer | one sample | the original. One of each task is
for README.md; for docs/model.md are six of each, whose crops were drawn by lot.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from palette.api import load_tasks
from palette.data.crops import Crops
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
"""Of super-resolution, which the model has several of."""


SHEETS = (
    *("super-resolution-x4", "jpeg-restoration", "denoising", "inpainting"),
    *("colorization", "uncropping", "real-x4"),
)
"""Tasks of which six strips are shown."""
SMALL, ROWS, GAP = 128, 6, 6


def held(observation: Observation, side: int) -> Picture:
    """The observation at the size of the target: a small picture enlarged, holes grey."""
    if observation.picture.shape[0] == side:
        return observation.picture
    return resize(observation.picture, side, side, "nearest")


def strip(model: Restorer, clean: Picture, *key: int | str) -> Picture:
    """What is held | mean answer | sample | original of a square picture; ``key`` of its damage."""
    side = clean.shape[0]
    observation = model.task.degrade(clean, model.task.draw(Spec(side, side), rng(1, *key)))
    (mean,) = model.restore_observations([observation], "mean")
    (sample,) = model.restore_observations([observation], "sample")
    gap = np.ones((side, GAP, 3), np.float32)
    parts = [held(observation, side), gap, mean, gap, sample, gap, clean]
    return np.concatenate(parts, axis=1)


def sheet(model: Restorer, photos: list[Picture]) -> Picture:
    """Strips of crops drawn by lot, an equal number from each photograph, below one another."""
    cutter = Crops(SMALL, flips=False)
    strips = []
    for row in range(ROWS):
        clean = cutter.crop(photos[row % len(photos)], rng(1, "sheet", row))
        strips += [strip(model, clean, "sheet", row, "damage")]
        strips += [np.ones((GAP, strips[0].shape[1], 3), np.float32)]
    return np.concatenate(strips[:-1])


def main(name: str) -> None:
    source = open_source("bundled", split="held_out")
    photos = {Path(file).stem: source.read(i) for i, file in enumerate(source.ids)}
    out = Path(__file__).parent / "strips"
    out.mkdir(exist_ok=True)
    models = load_tasks(name)
    for member, model in models.items():
        task = member.removesuffix(f"-x{SCALE}")
        if task in CROPS:
            photo, top, left = CROPS[task]
            clean = photos[photo][top : top + SIDE, left : left + SIDE]
            write(out / f"{task}.jpg", strip(model, clean, "strip"))
        if member in SHEETS:
            write(out / f"six-{member}.jpg", sheet(model, list(photos.values())))


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "photos")
