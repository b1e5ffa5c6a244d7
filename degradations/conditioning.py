"""Conditioning augmentation for cascades (Ho et al. 2022): a degradation whose level is known.

``params["level"]`` is what the network is told; at inference it is swept.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palette.degradations.blur import convolve_separable
from palette.degradations.kernels import gaussian_line
from palette.degradations.noise import normal
from palette.degradations.operator import between, check, clipped, quantile
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec


@dataclass(frozen=True)
class NoiseConditioning:
    """Gaussian noise. Params: level (its standard deviation, pictures being in [0, 1]), seed."""

    level: tuple[float, float] = (0.0, 0.3)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"level": between(*self.level, quantile(spec, rng)), "seed": draw_seed(rng)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        noise = np.float32(params["level"]) * normal(picture.shape, params["seed"])
        return clipped(check(picture) + noise)


@dataclass(frozen=True)
class BlurConditioning:
    """Gaussian blur on half of the pictures. Params: level (σ in pixels; 0 leaves as is)."""

    probability: float = 0.5
    sigma: tuple[float, float] = (0.4, 0.6)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        sigma = between(*self.sigma, quantile(spec, rng))
        return {"level": sigma if rng.random() < self.probability else 0.0}

    def apply(self, picture: Picture, params: Params) -> Picture:
        size = 2 * max(1, round(4 * params["level"])) + 1
        return convolve_separable(picture, gaussian_line(size, params["level"]))
