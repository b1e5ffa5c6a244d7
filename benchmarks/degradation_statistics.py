"""What degradations do on average, beside plain renderings of the published ones, in one run.

    python benchmarks/degradation_statistics.py [--draws 20000] [NAME ...]

The renderings are those of tests/degradations/published.py. Pictures are the astronaut of
scikit-image at 128 × 128, masks are for squares of 256 and 512. Each line: the mean over all draws
of ours and of the rendering, their ratio, and its standard error.
"""

from __future__ import annotations

import argparse
import runpy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch
from skimage import data

from palette.degradations import Degradation, build
from palette.degradations.masks import Hole
from palette.degradations.pins import pin
from palette.seeding import rng
from palette.types import Params, Picture, Spec

PUBLISHED = runpy.run_path(
    str(Path(__file__).parents[1] / "tests" / "degradations" / "published.py")
)
SCALE, SIDE = 4, 128
CAMERA = {"sensor.on": False, "sensor_again.on": False}
"""The published code has none."""
MASKS = [("free_form", 256)] + [
    (f"lama_{kind}", side) for kind in ("thin", "medium", "thick") for side in (256, 512)
]
NAMES = [*PUBLISHED["PIPELINES"], *dict.fromkeys(name for name, _ in MASKS)]

Values = dict[str, float]
"""Statistic to value, of one draw."""


@dataclass(frozen=True)
class Line:
    """Means over all draws; ``error`` is the standard error of their ratio."""

    name: str
    statistic: str
    ours: float
    published: float
    error: float

    @property
    def ratio(self) -> float:
        return self.ours / self.published


def lines(name: str, draws: int) -> Iterator[Line]:
    """All statistics of one degradation."""
    if name in PUBLISHED["PIPELINES"]:
        picture = astronaut()
        ours = [_pipeline(name, picture, i) for i in range(draws)]
        theirs = [_published_pipeline(name, picture, i) for i in range(draws)]
        yield from _compared(name, ours, theirs)
        return
    for side in (side for mask, side in MASKS if mask == name):
        ours = [_mask(name, side, i) for i in range(draws)]
        theirs = [_published_mask(name, side, i) for i in range(draws)]
        yield from _compared(f"{name} {side}", ours, theirs)


def _compared(name: str, ours: list[Values], theirs: list[Values]) -> Iterator[Line]:
    for statistic in ours[0]:
        mine, other = (np.array([one[statistic] for one in all_]) for all_ in (ours, theirs))
        if not other.any():
            continue
        relative = [values.std() / values.mean() / len(values) ** 0.5 for values in (mine, other)]
        error = float(np.hypot(*relative))
        yield Line(name, statistic, float(mine.mean()), float(other.mean()), error)


def astronaut() -> Picture:
    picture = cv2.resize(data.astronaut(), (SIDE, SIDE), interpolation=cv2.INTER_AREA)
    return picture.astype(np.float32) / np.float32(255)


def _pipeline(name: str, picture: Picture, index: int) -> Values:
    degradation, spec = build(name, SCALE), Spec(SIDE, SIDE)
    params = pin(degradation.draw(spec, rng(0, name, index)), CAMERA)
    twins = [degradation.apply(picture, pin(params, {"seed": 2 * index + i})) for i in range(2)]
    return _values(twins, _ratio(degradation, spec, params))


def _ratio(degradation: Any, spec: Spec, params: Params) -> float:
    """The side that comes into the step "resize", over the side that leaves it."""
    sizes: list[int] = []

    def walk(step: Degradation, spec: Spec, params: Params, name: str = "") -> None:
        """Into everything that has steps."""
        if name == "resize":
            sizes.append(spec.height)
        if "steps" in params:
            for one in params["steps"]:
                child = step._step(one["name"])  # type: ignore[attr-defined]
                walk(child, spec, one["params"], one["name"])
                spec = child.resized(spec, one["params"])
        elif "name" in params:
            walk(step._chosen(params["name"]), spec, params["params"])  # type: ignore[attr-defined]

    walk(degradation.body(spec), spec, params)
    return sizes[-1] / (SIDE // SCALE)


def _published_pipeline(name: str, picture: Picture, index: int) -> Values:
    pipeline = PUBLISHED["PIPELINES"][name]
    results = []
    for i in range(2):
        decide, noise = np.random.default_rng([index, 7]), np.random.default_rng([index, i])
        results.append(pipeline(picture, SCALE, decide, noise))
    return _values([result.picture for result in results], results[0].ratio)


def _values(twins: list[np.ndarray], ratio: float) -> Values:
    """Two results whose noise alone differs: half of their squared difference is its variance."""
    first, second = (255 * twin.astype(np.float64) for twin in twins)
    steps = np.diff(first, axis=1)
    return {
        "side before the last resize / final side": ratio,
        "noise left, levels": float(np.sqrt(np.square(first - second).mean() / 2)),
        "difference of neighbours, levels": float(np.sqrt(np.square(steps).mean())),
    }


def _mask(name: str, side: int, index: int) -> Values:
    degradation: Any = build(name)
    assert isinstance(degradation, Hole)
    params = degradation.draw(Spec(side, side), rng(0, name, side, index))
    segments = sum(len(stroke["points"]) - 1 for stroke in params["strokes"])
    return {
        "area, %": 100 * float(degradation.mask(params).mean()),
        "segments": segments,
        "boxes": len(params.get("boxes", [])),
    }


def _published_mask(name: str, side: int, index: int) -> Values:
    decide = np.random.default_rng([index, side])
    if name == "free_form":
        drawn = PUBLISHED["deepfill"](side, decide)
    else:
        drawn = PUBLISHED["lama"](name.removeprefix("lama_"), side, decide)
    return {
        "area, %": 100 * float(drawn.mask.mean()),
        "segments": drawn.segments,
        "boxes": drawn.boxes,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="Statistics of degradations")
    parser.add_argument("names", nargs="*", default=NAMES, help=f"of {', '.join(NAMES)}; all")
    parser.add_argument("--draws", type=int, default=2000)
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    print(f"{args.draws} draws\n{'':60} {'ours':>8} {'published':>9} ratio")
    for name in args.names:
        for line in lines(name, args.draws):
            print(
                f"{line.name:16} {line.statistic:43} {line.ours:8.3f} {line.published:9.3f} "
                f"{line.ratio:.3f} ± {line.error:.3f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
