"""Denoising: Gaussian noise of unknown strength."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from palette.tasks.base import WholePictureTask


@dataclass(frozen=True)
class Denoising(WholePictureTask):
    """The condition is the noisy picture. Trained blind on σ 5–50 of 255."""

    degradation: str = "white_noise"
    name: ClassVar[str] = "denoising"
