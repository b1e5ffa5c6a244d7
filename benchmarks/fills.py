"""Fillings of holes without a network: PSNR inside of the hole, and time, against OpenCV's.

python benchmarks/fills.py --data FOLDER [--pictures 60]
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

import cv2
import numpy as np
import tyro

from palette.data.opening import open_source
from palette.degradations import build
from palette.degradations.fill import FILLS
from palette.seeding import rng
from palette.types import Picture, Spec

HOLES = ("palette_inpainting", "palette_uncropping", "lama_medium")


@dataclass(frozen=True)
class Fills:
    """PSNR of all missing pixels pooled, and milliseconds a picture."""

    data: str = "bundled"
    """Photographs: a folder, an .h5 file, or "bundled"."""
    pictures: int = 60


def crop(picture: Picture, side: int) -> Picture:
    """256: the upper left. 64: the middle of the upper left 320², reduced to 128²."""
    if side == 64:
        half = cv2.resize(picture[:320, :320], (128, 128), interpolation=cv2.INTER_AREA)
        return np.ascontiguousarray(half[32:96, 32:96], np.float32)
    return np.ascontiguousarray(picture[:side, :side])


def main(args: Fills) -> None:
    source = open_source(args.data, split="held_out")
    print(f"{'hole':<20}{'side':>5}  {'fill':<15}{'PSNR, dB':>9}{'ms':>8}{'time / telea':>14}")
    for name in HOLES:
        operator = build(name)
        for side in (64, 256):
            squares, pixels = dict.fromkeys(FILLS, 0.0), 0
            seconds = dict.fromkeys(FILLS, 0.0)
            count = min(args.pictures, len(source))
            for i in range(count):
                clean = crop(source.read(i), side)
                mask = operator.mask(operator.draw(Spec(*clean.shape[:2]), rng(0, "f", i)))
                assert mask is not None
                pixels += 3 * int(mask.sum())
                for fill, function in FILLS.items():
                    start = time.perf_counter()
                    filled = function(np.where(mask[..., None], np.float32(0.5), clean), mask)
                    seconds[fill] += time.perf_counter() - start
                    squares[fill] += float(np.square(filled - clean)[mask].sum())
            for fill, square in squares.items():
                psnr = -10 * math.log10(square / max(pixels, 1))
                ms, ratio = 1000 * seconds[fill] / count, seconds[fill] / seconds["telea"]
                print(f"{name:<20}{side:>5}  {fill:<15}{psnr:>9.2f}{ms:>8.1f}{ratio:>14.2f}")


if __name__ == "__main__":
    main(tyro.cli(Fills))
