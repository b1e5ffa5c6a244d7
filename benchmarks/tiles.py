"""A picture of 2048² in tiles: memory against one tile batch and the canvas, seams, time.

    python benchmarks/tiles.py [--model PATH [--task NAME]] [--side 2048] [--steps 3] [--tile 512]

Super-resolution ×4 of a mosaic of the photographs that scikit-image ships, by ``--model`` or,
without one, by a `tiny` network trained here for 60 steps: it knows little, but its answers depend
on what it sees, so that tiles can disagree. Each case runs in a process of its own.

- memory: the peak while restoring over that of one tile batch, measured alone, plus the canvas:
  the observation, x, x̂0 now and before, y_t and the next y_t, at last the result: 5 of the
  picture's size, and the observation.
- seams: mean |difference| of neighbouring pixels across the borders of tiles and the middles of
  their overlaps, over that of the lines 3 to 16 pixels beside; in the result, over the same of the
  picture restored untiled, since a network with a stride has steps of its own there; and in the
  difference of both, where no photograph hides a step.
- overhead: the time over that of the network for as many pixels without overlap, in tiles of the
  same size; and over that of restoring untiled, where attention between all positions of the
  coarsest level costs more than the overlaps.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch

import palette
from palette.data.sources import BundledSource
from palette.machine.format import autocast
from palette.restoring.restorer import Restorer
from palette.restoring.solve import together
from palette.restoring.tiling import Tiles, overlap_of, plan
from palette.seeding import rng
from palette.types import Observation, Spec

PIECE = 512
FLOATS = 4


def mosaic(side: int) -> np.ndarray:
    """(side, side, 3): squares of the photographs, turned where they come again."""
    source = BundledSource("train")
    large = [p for p in (source.read(i) for i in range(len(source))) if min(p.shape[:2]) >= PIECE]
    picture = np.empty((side, side, 3), np.float32)
    draws = rng(0, "mosaic")
    for top in range(0, side, PIECE):
        for left in range(0, side, PIECE):
            photo = large[draws.integers(len(large))]
            y, x = (draws.integers(length - PIECE + 1) for length in photo.shape[:2])
            square = np.rot90(photo[y : y + PIECE, x : x + PIECE], int(draws.integers(4)))
            picture[top : top + PIECE, left : left + PIECE] = square[: side - top, : side - left]
    return picture


def train(out: Path) -> Path:
    palette.train(
        "super-resolution",
        data="bundled",
        out=out,
        steps=60,
        config={"train": {"batch": 8, "validate_every": 0, "warmup_images": 100}},
    )
    return out


def peak_bytes(device: torch.device, work: Callable[[], Any]) -> tuple[float, Any]:
    """The most memory that ``work`` took beyond what was taken before, and its result."""
    gc.collect()
    if device.type == "cuda":
        before = torch.cuda.memory_allocated(device)
        torch.cuda.reset_peak_memory_stats(device)
        result = work()
        return torch.cuda.max_memory_allocated(device) - before, result
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")  # the peak starts anew
    before = _status("VmRSS")
    result = work()
    return _status("VmHWM") - before, result


def _status(field: str) -> float:
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    (kilobytes,) = (line.split()[1] for line in lines if line.startswith(f"{field}:"))
    return 1024.0 * int(kilobytes)


def run_case(
    case: str, folder: Path, model: Path, task: str | None, steps: int, tile: int
) -> dict[str, float]:
    """In a fresh process: "batch" runs the network once, the others restore and save."""
    chosen = tile if case == "tiled" else 1 << 20
    restorer = palette.load(model, task=task, steps=steps, tile=chosen)
    restorer.restore(np.zeros((16, 16, 3), np.float32))  # libraries, kernels
    device, stride = restorer.solver.device, restorer.solver.stride
    if case == "batch":
        side = int(np.load(folder / "side.npy"))
        tiles = plan(side, side, tile, overlap_of(tile), stride)
        at_once = together(device, tiles.height * tiles.width)
        work = lambda: evaluate(restorer, tiles, at_once)  # noqa: E731
        peak, _ = peak_bytes(device, work)
        each = sorted(seconds(device, work) for _ in range(15))[7]
        pixels = at_once * tiles.height * tiles.width
        return {"peak": peak, "seconds": each * side**2 / pixels}

    def restore() -> np.ndarray:
        return restorer.restore_observations([Observation(np.load(folder / "observed.npy"))])[0]

    peak, result = peak_bytes(device, restore)
    np.save(folder / f"{case}.npy", result)
    rounds = 3 if case == "tiled" else 1
    taken = sorted(seconds(device, restore) for _ in range(rounds))[rounds // 2]
    return {"peak": peak, "seconds": taken}


def seconds(device: torch.device, work: Callable[[], Any]) -> float:
    start = time.perf_counter()
    work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return time.perf_counter() - start


@torch.inference_mode()
def evaluate(restorer: Restorer, tiles: Tiles, at_once: int) -> torch.Tensor:
    """One tile batch: what the network takes for it, inputs and answer included."""
    solver = restorer.solver
    shape = (at_once, 3, tiles.height, tiles.width)
    shown = (at_once, 3 + solver.denoiser.unet.architecture.takes_mask, *shape[2:])
    x, y_t = (torch.randn(each, device=solver.device) for each in (shown, shape))
    gamma = torch.full((1,), 0.5, device=solver.device)
    with autocast(solver.device, solver.format.dtype):
        return solver.denoiser(x, y_t, gamma)


def seam_ratio(picture: np.ndarray, tiles: Tiles) -> float:
    """Mean step across the seams over that across the lines 3 to 16 pixels beside."""
    at, beside = [], []
    for image, starts, length in (
        (picture, tiles.tops, tiles.height),
        (picture.swapaxes(0, 1), tiles.lefts, tiles.width),
    ):
        steps = np.abs(np.diff(image, axis=0)).mean(axis=(1, 2))  # step i is from line i to i + 1
        pairs = [(after, before + length) for before, after in pairwise(starts)]
        seams = [line - 1 for a, b in pairs for line in (a, (a + b) // 2, b)]
        near = {seam + sign * d for seam in seams for d in range(3, 17) for sign in (-1, 1)}
        close = {seam + d for seam in seams for d in range(-2, 3)}
        at += [steps[seam] for seam in seams]
        beside += [steps[line] for line in near - close if 0 <= line < len(steps)]
    return float(np.mean(at) / np.mean(beside))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10(np.square(a - b).mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--task", help="which, of a model that has several")
    parser.add_argument("--side", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=3)
    parser.add_argument("--tile", type=int, default=512)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.case:
        asked = args.case, args.folder, args.model, args.task, args.steps, args.tile
        print(json.dumps(run_case(*asked)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        model = args.model or train(folder / "run")
        restorer, clean = palette.load(model, task=args.task), mosaic(args.side)
        params = restorer.task.draw(Spec(args.side, args.side), rng(0, "degrade"))
        observed = restorer.task.degrade(clean, params).picture
        np.save(folder / "observed.npy", observed)
        np.save(folder / "side.npy", args.side)
        cases = {}
        for case in ("batch", "tiled", "untiled"):
            command = [sys.executable, __file__, "--case", case, "--folder", name]
            command += ["--model", str(model), "--steps", str(args.steps), "--tile", str(args.tile)]
            command += ["--task", args.task] if args.task else []
            done = subprocess.run(command, capture_output=True, text=True, check=False)
            if done.returncode and case != "untiled":  # untiled may lack the memory
                sys.exit(done.stderr)
            cases[case] = {} if done.returncode else json.loads(done.stdout.splitlines()[-1])
        tiles = plan(args.side, args.side, args.tile, overlap_of(args.tile), restorer.solver.stride)
        report(args, restorer.describe(), tiles, cases, folder, clean, observed)


def report(
    args: argparse.Namespace,
    model: dict[str, Any],
    tiles: Tiles,
    cases: dict[str, dict[str, float]],
    folder: Path,
    clean: np.ndarray,
    observed: np.ndarray,
) -> None:
    canvas = 5 * 3 * FLOATS * args.side**2 + (observed.nbytes if model["device"] == "cpu" else 0)
    bound = cases["batch"]["peak"] + canvas
    network = args.steps * cases["batch"]["seconds"]
    tiled, mib = np.load(folder / "tiled.npy"), 2**-20
    weights = "--model" if args.model else "60 steps of training"
    area = len(tiles) * tiles.height * tiles.width / args.side**2
    print(
        f"{args.side}², {args.steps} evaluations, weights: {weights}; "
        f"{model['device']}, {model['dtype']}, torch {torch.__version__}, "
        f"{torch.get_num_threads()} threads, load {os.getloadavg()[0]:.1f}\n"
        f"{len(tiles)} tiles of {tiles.height}×{tiles.width}, sharing {tiles.overlap} or more\n"
        f"memory    peak {cases['tiled']['peak'] * mib:.0f} MiB, one tile batch "
        f"{cases['batch']['peak'] * mib:.0f} + canvas {canvas * mib:.0f}: "
        f"ratio {cases['tiled']['peak'] / bound:.3f}\n"
        f"seams     {seam_ratio(tiled, tiles):.3f} in the result ({psnr(tiled, clean):.2f} dB)\n"
        f"time      {cases['tiled']['seconds']:.1f} s, the network without overlaps {network:.1f}: "
        f"overhead {cases['tiled']['seconds'] / network:.3f} (areas {area:.3f})"
    )
    if cases["untiled"]:
        whole, once = np.load(folder / "untiled.npy"), cases["untiled"]
        print(
            f"untiled   {once['seconds']:.1f} s: overhead "
            f"{cases['tiled']['seconds'] / once['seconds']:.3f}; "
            f"peak {once['peak'] * mib:.0f} MiB; {psnr(whole, clean):.2f} dB\n"
            f"seams     {seam_ratio(whole, tiles):.3f} at the same lines of untiled: "
            f"ratio {seam_ratio(tiled, tiles) / seam_ratio(whole, tiles):.3f}; "
            f"{seam_ratio(tiled - whole, tiles):.3f} in the difference of both"
        )


if __name__ == "__main__":
    main()
