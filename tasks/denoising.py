"""Denoising: Gaussian noise of unknown strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from palette.tasks.base import WholePictureTask
from palette.types import Observation, Picture


@dataclass(frozen=True)
class Denoising(WholePictureTask):
    """The condition is the noisy picture. Trained blind on σ 5–50 of 255."""

    degradation: str = "white_noise"
    name: ClassVar[str] = "denoising"

    def baseline(self, observation: Observation) -> Picture:
        """The noisy picture within [0, 1], as in training: the literature's tests leave that."""
        return np.clip(observation.picture, 0, 1)
