"""Where samples of one picture differ: what the network is not told by the picture and invents."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from palette.types import Mask, Picture

CEILING = 32 / 255
"""Spread that is drawn brightest. One scale for all, so that maps can be compared."""


class Spread:
    """The standard deviation of samples, gathered one at a time (Welford 1962)."""

    def __init__(self) -> None:
        self.count = 0
        self._mean = self._squares = np.zeros((), np.float32)

    def add(self, sample: Picture) -> None:
        """``sample`` (H, W, 3) in [0, 1], of the size of those before."""
        self.count += 1
        difference = sample - self._mean
        self._mean = self._mean + difference / np.float32(self.count)
        self._squares = self._squares + difference * (sample - self._mean)

    def deviation(self) -> NDArray[np.float32]:
        """(H, W): the root of the variance (n - 1) that the three channels have in the mean."""
        assert self.count > 1, "one sample does not differ"
        return np.sqrt(self._squares.mean(axis=-1) / np.float32(self.count - 1))


def average(deviation: NDArray[np.float32], region: Mask | None = None) -> float:
    """The root mean square over (H, W), in 255ths; of ``region`` where only that was made."""
    values = deviation if region is None or not region.any() else deviation[region]
    return float(np.sqrt(np.square(values, dtype=np.float64).mean()) * 255)


def as_map(deviation: NDArray[np.float32]) -> NDArray[np.uint8]:
    """(H, W, 3) RGB: black where samples agree, yellow from CEILING on (the map "inferno")."""
    unit = np.clip(deviation / np.float32(CEILING), 0, 1)
    stored = np.rint(unit * 255).astype(np.uint8)
    blue_first = cv2.applyColorMap(stored, cv2.COLORMAP_INFERNO)
    return np.ascontiguousarray(blue_first[..., ::-1], np.uint8)
