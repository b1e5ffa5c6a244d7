"""FID of two folders against pytorch-fid, in one run, on the same pictures and weights.

    python benchmarks/fid.py [--pictures 1000]

The weights are random in the published layout: they decide the value, not the time. Pictures are
crops of the photographs that scikit-image ships. Prints the times of both and their ratios.
"""

from __future__ import annotations

import argparse
import inspect
import os
import runpy
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from PIL import Image

from palette.data.sources import BundledSource
from palette.eval.metrics.fid import fid_of_folders
from palette.eval.metrics.frechet import frechet_distance

TESTS = Path(__file__).parents[1] / "tests"
SIDE = 256


def make_folders(root: Path, count: int) -> list[Path]:
    """Two folders of ``count`` crops; those of the second one are a little blurred by resizing."""
    source = BundledSource("train")
    photographs = [(source.read(i) * 255).astype(np.uint8) for i in range(len(source))]
    photographs = [p for p in photographs if min(p.shape[:2]) >= SIDE]
    generator = np.random.default_rng(0)
    folders = [root / "a", root / "b"]
    for shrink, folder in zip((1.0, 0.5), folders, strict=True):
        folder.mkdir()
        for index in range(count):
            photograph = photographs[index % len(photographs)]
            top, left = (generator.integers(side - SIDE + 1) for side in photograph.shape[:2])
            crop = Image.fromarray(photograph[top : top + SIDE, left : left + SIDE])
            small = crop.resize((round(SIDE * shrink), round(SIDE * shrink)))
            small.resize((SIDE, SIDE)).save(folder / f"{index:05d}.png")
    return folders


def seconds(work: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


@dataclass(frozen=True)
class Peer:
    """What pytorch-fid's `calculate_fid_given_paths` does, in its two parts."""

    statistics: list[Any]
    value: float
    features_seconds: float
    distance_seconds: float


def run_pytorch_fid(folders: list[Path], weights: Path, cores: int) -> Peer:
    """pytorch-fid with our weights file, and with ``disp`` where SciPy no longer knows it."""
    import pytorch_fid.fid_score as peer
    import pytorch_fid.inception

    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
    sqrtm: Any = scipy.linalg.sqrtm
    if "disp" not in inspect.signature(sqrtm).parameters:
        scipy.linalg.sqrtm = lambda a, disp=True: sqrtm(a) if disp else (sqrtm(a), 0.0)

    def both() -> list[Any]:
        model = pytorch_fid.inception.InceptionV3([3])
        paths = [str(folder) for folder in folders]
        return [peer.compute_statistics_of_path(p, model, 50, 2048, "cpu", cores) for p in paths]

    features, (one, two) = seconds(both)
    distance, value = seconds(lambda: peer.calculate_frechet_distance(*one, *two))
    return Peer([*one, *two], float(value), features, distance)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    count = parser.parse_args().pictures
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        folders = make_folders(root, count)
        helper = runpy.run_path(str(TESTS / "eval_inception.py"))
        weights = helper["save_random_weights"](root / "weights.pth")
        whole, value = seconds(lambda: fid_of_folders(*folders, weights=weights))
        peer = run_pytorch_fid(folders, weights, cores)
        distance, _ = seconds(lambda: frechet_distance(*peer.statistics))

    print(f"{count} against {count} pictures of {SIDE}×{SIDE} on {cores} cores, ", end="")
    print(f"torch {torch.__version__}, SciPy {scipy.__version__}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':10}{'pytorch-fid':>14}{'palette':>12}{'ratio':>9}")
    for title, them, us in (
        ("whole", peer.features_seconds + peer.distance_seconds, whole),
        ("distance", peer.distance_seconds, distance),
    ):
        print(f"{title:10}{them:>12.1f} s{us:>10.2f} s{them / us:>8.1f}×")
    relative = abs(value / peer.value - 1)
    print(f"{'value':10}{peer.value:>14.4f}{value:>12.4f}   relative {relative:.1e}")


if __name__ == "__main__":
    main()
