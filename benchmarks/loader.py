"""Training batches against a plain PIL data set, and how long a training step waits for them.

    python benchmarks/loader.py [--batches 12]
    python benchmarks/loader.py --config recipes/photos.toml --data FOLDER [--batches 60]

The peer is what a tutorial writes: a torch Dataset that opens a file, crops, flips, resizes down
and up or goes through JPEG with PIL, and converts, in a DataLoader. Both read the same folder with
the same number of workers, to crops of one size; ours without its cache of decoded pictures, and
with it. For bsr, a chain of blurs, noises and codecs, the peer still only resizes. The step is a
whole one of the preset tiny. With --config, only how long the steps of that training wait.
"""

from __future__ import annotations

import argparse
import io
import os
import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from palette.config import merge, read_toml
from palette.data.cache import CachedSource
from palette.data.images import write
from palette.data.loader import automatic_workers
from palette.data.sources import BundledSource, FolderSource
from palette.machine.device import choose_device
from palette.resolving import resolve
from palette.training.loop import optimizer_step
from palette.training.ranks import Ranks
from palette.training.set import Batch, TrainingSet
from palette.training.state import State

BATCH, SIZE = 16, 64
PHOTOGRAPHS = 48
"""Each bundled one several times: a folder of some size."""
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "super-resolution ×4": ("super-resolution", {"scale": 4}),
    "jpeg-restoration": ("jpeg-restoration", {}),
    "super-resolution, bsr": ("super-resolution", {"scale": 4, "degradation": "bsr"}),
}


class Plain(Dataset[dict[str, Tensor]]):
    """The peer."""

    def __init__(self, folder: Path, jpeg: bool) -> None:
        self.paths = sorted(folder.iterdir())
        self.jpeg = jpeg

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        picture = Image.open(self.paths[index]).convert("RGB")
        left, top = (random.randint(0, side - SIZE) for side in picture.size)
        clean = picture.crop((left, top, left + SIZE, top + SIZE))
        if random.random() < 0.5:
            clean = clean.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
        if self.jpeg:
            file = io.BytesIO()
            clean.save(file, "JPEG", quality=random.randint(5, 30))
            degraded = Image.open(file).convert("RGB")
        else:
            small = clean.resize((SIZE // 4, SIZE // 4), Image.Resampling.BICUBIC)
            degraded = small.resize((SIZE, SIZE), Image.Resampling.BICUBIC)
        return {"x": _tensor(degraded), "y": _tensor(clean)}


def _tensor(picture: Image.Image) -> Tensor:
    return torch.from_numpy(np.array(picture)).permute(2, 0, 1).float() / 127.5 - 1


def forever(loader: DataLoader[dict[str, Tensor]]) -> Iterator[dict[str, Tensor]]:
    while True:
        yield from loader


def rate(feed: Iterator[Any], count: int) -> float:
    """Pictures per second over ``count`` batches."""
    begin = time.perf_counter()
    for _ in range(count):
        next(feed)
    return count * BATCH / (time.perf_counter() - begin)


def training_set(case: str, folder: Path, workers: int, cache_bytes: int) -> TrainingSet:
    """Of a name in ``CASES``, or of a file of settings of a generalist."""
    settings: dict[str, Any] = {"data": {"path": str(folder)}, "train": {"workers": workers}}
    if case in CASES:
        task, options = CASES[case]
        fixed = {"data": {"size": SIZE}, "train": {"batch": BATCH}, "options": options}
    else:
        task, fixed = "generalist", read_toml(Path(case))
    config, made = resolve(task, merge(settings, fixed))
    return TrainingSet(CachedSource(FolderSource(folder), cache_bytes), made, config)


def race(case: str, folder: Path, workers: int, count: int) -> str:
    """One line: pictures per second of the peer and of ours, in turns, and the ratio."""
    plain = Plain(folder, jpeg=CASES[case][0] == "jpeg-restoration")
    loader = DataLoader(
        plain, BATCH, shuffle=True, drop_last=True, num_workers=workers,
        persistent_workers=workers > 0,
    )  # fmt: skip
    turns, warm_up = 5, 2 * len(plain) // BATCH
    feeds: list[Iterator[Any]] = [forever(loader)]
    for cache_bytes in (0, 2**30):
        ours = training_set(case, folder, workers, cache_bytes)
        feeds.append(ours.batches(0, warm_up + turns * count, Ranks(torch.device("cpu"))))
    for feed in feeds:
        rate(feed, warm_up)
    rates = [[rate(feed, count) for feed in feeds] for _ in range(turns)]
    columns = "".join(f"{statistics.median(column):>10.0f}" for column in zip(*rates, strict=True))
    low, middle, high = statistics.quantiles([cached / peer for peer, _, cached in rates], n=4)
    return f"{case:24}{workers:>8}{columns}{middle:>8.2f}× ({low:.2f} … {high:.2f})"


def timed(feed: Iterator[Batch], waits: list[float]) -> Iterator[Batch]:
    """``feed``, with the seconds that its user waits for each batch."""
    while True:
        begin = time.perf_counter()
        batch = next(feed)
        waits.append(time.perf_counter() - begin)
        yield batch


def waiting(case: str, folder: Path, workers: int, steps: int, device: torch.device) -> str:
    """One line: the median step, and the share of the time that is spent waiting."""
    ours = training_set(case, folder, workers, 2**30)
    state = State.start(ours, Ranks(device))
    warm_up, times, waits = 3, [], []
    feed = timed(ours.batches(0, warm_up + steps, state.ranks), waits)
    while state.step < warm_up + steps:
        begin = time.perf_counter()
        optimizer_step(state, feed, ours.config)
        times.append(time.perf_counter() - begin)
    whole, waited = times[warm_up:], sum(waits[warm_up:])
    return (
        f"{Path(case).name:24}{workers:>8}{1000 * statistics.median(whole):>10.1f} ms"
        f"{1000 * waited / steps:>10.1f} ms{100 * waited / sum(whole):>8.1f} %"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batches", type=int, default=12)
    parser.add_argument("--config", help="settings of a generalist, to see what its steps wait for")
    parser.add_argument("--data", type=Path, help="a folder of pictures for --config")
    args = parser.parse_args()
    if (args.config is None) != (args.data is None):
        parser.error("--config and --data need one another")
    cores = len(os.sched_getaffinity(0))
    print(f"{cores} cores, {torch.get_num_threads()} threads, torch {torch.__version__}")
    if args.config is not None:
        wait([args.config], args.data, args.batches)
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = BundledSource("train")
        for index in range(PHOTOGRAPHS):
            write(folder / f"{index:03d}.jpg", source.read(index % len(source)))
        print(f"{PHOTOGRAPHS} photographs (JPEG), crops of {SIZE}², batch {BATCH}; ")
        print("pictures per second\n")
        print(f"{'':24}{'workers':>8}{'PIL':>10}{'uncached':>10}{'cached':>10}{'cached / PIL':>16}")
        for case in CASES:
            for workers in (0, max(1, cores - 1)):
                print(race(case, folder, workers, args.batches), flush=True)
        wait(list(CASES), folder, 2 * args.batches)


def wait(cases: list[str], folder: Path, steps: int) -> None:
    """Print a table of how long the steps of each case wait."""
    device = choose_device("auto")
    print(f"\nA step on {device.type}, waiting for its batch")
    print(f"{'':24}{'workers':>8}{'step':>13}{'waiting':>13}{'share':>10}")
    for case in cases:
        for workers in sorted({0, 1, automatic_workers(device)}):
            print(waiting(case, folder, workers, steps, device), flush=True)


if __name__ == "__main__":
    main()
