"""Denoising: Gaussian noise of unknown strength."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palette.tasks.base import WholePictureTask
from palette.types import Observation, Picture

NORMAL_MAD = 0.6745
"""Median of |z|, z standard normal."""


@dataclass(frozen=True)
class Denoising(WholePictureTask):
    """The condition is the noisy picture. Trained blind on σ 5–50 of 255."""

    degradation: str = "white_noise"
    name: ClassVar[str] = "denoising"

    def baseline(self, observation: Observation) -> Picture:
        """The noisy picture within [0, 1], as in training: the literature's tests leave that."""
        return np.clip(observation.picture, 0, 1)

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        """Non-local means (Buades et al. 2005), which has to estimate σ too."""
        return {"non-local-means": lambda observation: _means(self.baseline(observation))}


def _means(noisy: Picture) -> Picture:
    from skimage.restoration import denoise_nl_means

    sigma = max(_sigma(noisy), 1e-3)
    found = denoise_nl_means(
        noisy, patch_size=5, patch_distance=6, h=0.8 * sigma, sigma=sigma, channel_axis=-1
    )
    return np.clip(found, 0, 1).astype(np.float32).reshape(noisy.shape)  # it drops sides of 1


def _sigma(noisy: Picture) -> float:
    """Of white noise, by the finest diagonal details of Haar (Donoho & Johnstone 1994)."""
    height, width = (side - side % 2 for side in noisy.shape[:2])
    top, bottom = noisy[:height:2, :width], noisy[1:height:2, :width]
    details = (top[:, ::2] - top[:, 1::2] - bottom[:, ::2] + bottom[:, 1::2]) / 2
    return float(np.median(np.abs(details))) / NORMAL_MAD if details.size else 0.0
