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
from pathlib import Path
from typing import Any

import numpy as np
import scipy.linalg
import torch
from PIL import Image

from palette.data.sources import BundledSource
from palette.eval.fid import features_of_files, fid_of_folders, pictures_below
from palette.eval.frechet import frechet_distance, gaussian_of
from palette.eval.inception import Inception
from palette.eval.weights import find

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


def prepare_pytorch_fid(weights: Path) -> Any:
    """pytorch-fid with our weights file, and with ``disp`` where SciPy no longer knows it."""
    import pytorch_fid.fid_score as theirs
    import pytorch_fid.inception

    pytorch_fid.inception.load_state_dict_from_url = lambda *_, **__: torch.load(weights)
    sqrtm: Any = scipy.linalg.sqrtm
    if "disp" not in inspect.signature(sqrtm).parameters:
        scipy.linalg.sqrtm = lambda a, disp=True: sqrtm(a) if disp else (sqrtm(a), 0.0)
    return theirs


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pictures", type=int, default=1000)
    count = parser.parse_args().pictures
    cores = len(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory() as name:
        root = Path(name)
        a, b = make_folders(root, count)
        helper = runpy.run_path(str(TESTS / "eval_inception.py"))
        weights = helper["save_random_weights"](root / "weights.pth")
        theirs = prepare_pytorch_fid(weights)

        ours_whole, ours = seconds(lambda: fid_of_folders(a, b, weights))
        theirs_whole, other = seconds(
            lambda: theirs.calculate_fid_given_paths([str(a), str(b)], 50, "cpu", 2048, cores)
        )
        network = Inception(find("inception", weights))
        one, two = (
            gaussian_of(features_of_files(network, pictures_below(folder))) for folder in (a, b)
        )
        statistics = (one.mean, one.covariance, two.mean, two.covariance)
        ours_distance, _ = seconds(lambda: frechet_distance(*statistics))
        theirs_distance, _ = seconds(lambda: theirs.calculate_frechet_distance(*statistics))

    print(f"{count} against {count} pictures of {SIDE}×{SIDE} on {cores} cores, ", end="")
    print(f"torch {torch.__version__}, SciPy {scipy.__version__}, load {os.getloadavg()[0]:.1f}")
    print(f"{'':10}{'pytorch-fid':>14}{'palette':>12}{'ratio':>9}")
    for title, them, us in (
        ("whole", theirs_whole, ours_whole),
        ("distance", theirs_distance, ours_distance),
    ):
        print(f"{title:10}{them:>12.1f} s{us:>10.2f} s{them / us:>8.1f}×")
    print(f"{'value':10}{other:>14.4f}{ours:>12.4f}   relative {abs(ours / other - 1):.1e}")


if __name__ == "__main__":
    main()
