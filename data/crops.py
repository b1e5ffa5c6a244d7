"""Random crops and flips by Albumentations. The only file that knows it."""

from __future__ import annotations

import os
import random
import warnings
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.seeding import draw_seed

if TYPE_CHECKING:
    from albumentations import Compose

T = TypeVar("T", np.uint8, np.uint16, np.float32)


@dataclass(frozen=True)
class Crops:
    """Square crops of ``size`` pixels, mirrored left to right half of the time if ``flips``."""

    size: int
    flips: bool = True

    def __post_init__(self) -> None:
        if self.size < 1:
            raise UserError(f"the crop's size is {self.size}; choose 1 pixel or more")

    def crop(self, picture: NDArray[T], rng: np.random.Generator) -> NDArray[T]:
        """``(H, W, 3)`` to ``(size, size, 3)``, of the same type, every value one of the picture's.

        Position and flip depend on ``rng`` and the picture's size alone; stored values of 8 and 16
        bits may be cropped like float32. A picture smaller than the crop is continued by reflection
        on all sides.
        """
        pipeline = _pipeline(self.size, self.flips)
        # set_random_seed would give each transform the same numbers: mirrored would mean "from
        # the upper half". One stream for all of them keeps position and flip independent.
        pipeline.set_random_state(rng, random.Random(draw_seed(rng)))
        return pipeline(image=picture)["image"]

    def pair(
        self, target: NDArray, given: NDArray, rng: np.random.Generator
    ) -> tuple[NDArray, NDArray]:
        """A target ``(s·h, s·w, 3)`` and its input ``(h, w, 3)``, both cropped at one place.

        ``(size, size, 3)`` and ``(size / s, size / s, 3)``; ``size`` is a multiple of s. Smaller
        pictures are mirrored at their edges, where the pixels of both meet.
        """
        height, width = given.shape[:2]
        scale = target.shape[0] // height
        assert target.shape[:2] == (scale * height, scale * width), (target.shape, given.shape)
        assert self.size % scale == 0, (self.size, scale)
        rows, columns = (_window(side, self.size // scale, scale, rng) for side in (height, width))
        mirrored = self.flips and rng.random() < 0.5
        across = [line[::-1] if mirrored else line for line in columns]
        return target[np.ix_(rows[0], across[0])], given[np.ix_(rows[1], across[1])]


def _window(
    length: int, size: int, scale: int, rng: np.random.Generator
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Where ``size`` neighbours among ``length`` pixels of an input are, and before them where the
    pixels of its target are, ``scale`` times as many."""
    beyond = max(0, size - length)
    start = int(rng.integers(length + beyond - size + 1))
    lines = []
    for times in (scale, 1):
        before, after = beyond // 2 * times, (beyond - beyond // 2) * times
        line = np.pad(np.arange(length * times), (before, after), mode="symmetric")
        lines.append(line[start * times : (start + size) * times])
    return lines[0], lines[1]


@lru_cache
def _pipeline(size: int, flips: bool) -> Compose:
    os.environ["NO_ALBUMENTATIONS_UPDATE"] = "1"  # otherwise the import asks the network
    import albumentations as A
    import cv2

    with warnings.catch_warnings():
        # Albumentations only warns of an argument that it does not know, and goes on without it.
        warnings.simplefilter("error")
        steps = [
            A.PadIfNeeded(min_height=size, min_width=size, border_mode=cv2.BORDER_REFLECT_101),
            A.RandomCrop(height=size, width=size),
            A.HorizontalFlip(p=0.5 if flips else 0),
        ]
        return A.Compose(steps, seed=0)  # replaced before each use
