"""Conditioning augmentation for cascades (Ho et al. 2022): the network knows its strength.

The strength is ``params["level"]``; when a model restores, the user chooses it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from torch import Tensor

from palette.degradations.base import Degradation, between, check, clipped, quantile
from palette.degradations.batches import Batch, by_size, column, normal_batch
from palette.degradations.blur import KernelBlur, convolve_separable
from palette.degradations.kernels import Kernel, gaussian_line
from palette.degradations.noise import normal
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec


@dataclass(frozen=True)
class NoiseConditioning(Degradation):
    """Gaussian noise whose strength the network knows (cascades).

    Params: level (its standard deviation, pictures being in [0, 1]), seed.
    """

    strength: tuple[float, float] = (0.0, 0.3)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"level": between(*self.strength, quantile(spec, rng)), "seed": draw_seed(rng)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        noise = np.float32(params["level"]) * normal(picture.shape, params["seed"])
        return clipped(check(picture) + noise)

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        noise = normal_batch(params, 3, pictures)
        return (pictures + column(params, "level", pictures) * noise).clamp(0, 1)


@dataclass(frozen=True)
class BlurConditioning(KernelBlur):
    """Slight blur on half of the pictures, whose σ the network knows (cascades).

    Params: level (σ in pixels; 0 leaves the picture as it is).
    """

    probability: float = 0.5
    sigma: tuple[float, float] = (0.4, 0.6)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        sigma = between(*self.sigma, quantile(spec, rng))
        return {"level": sigma if rng.random() < self.probability else 0.0}

    def kernel(self, params: Params) -> Kernel:
        line = self._line(params)
        return np.outer(line, line)

    def apply(self, picture: Picture, params: Params) -> Picture:
        return convolve_separable(picture, self._line(params))

    def _line(self, params: Params) -> Kernel:
        """Long enough for 4 σ to either side."""
        return gaussian_line(2 * max(1, round(4 * params["level"])) + 1, params["level"])
