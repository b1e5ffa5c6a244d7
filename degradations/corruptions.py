"""The corruptions of ImageNet-C (Hendrycks & Dietterich 2019) that the operators here can say.

Each has five levels; the level is drawn, and a severity picks it. The numbers are meant for
224 × 224 pictures. Fog, frost, snow, spatter, glass, elastic and zoom blur, the camera's brightness
and contrast, and motion blur (whose trail shifts the picture) are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from palette.degradations.blur import Blur, DefocusBlur
from palette.degradations.compose import Levels
from palette.degradations.jpeg import Jpeg
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.operator import check
from palette.degradations.resize import resize
from palette.seeding import draw_seed
from palette.types import Degradation, Params, Picture, Spec


@dataclass(frozen=True)
class ImpulseNoise:
    """Salt and pepper: a share of all values becomes 0 or 1. Params: share, seed."""

    share: float

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"share": self.share, "seed": draw_seed(rng)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        generator = torch.Generator().manual_seed(params["seed"])
        u = torch.rand(picture.shape, generator=generator).numpy()
        half = params["share"] / 2
        return np.where(u < half, np.float32(0), np.where(u < 2 * half, np.float32(1), picture))


@dataclass(frozen=True)
class Pixelate:
    """Shrink by averaging, enlarge by repeating. Params: factor."""

    factor: float

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"factor": self.factor}

    def apply(self, picture: Picture, params: Params) -> Picture:
        height, width = picture.shape[:2]
        small = [max(1, int(side * params["factor"])) for side in (height, width)]
        return resize(resize(picture, small[0], small[1], "area"), height, width, "nearest")


def _gaussian_noise(deviation: float) -> Degradation:
    return GaussianNoise((255 * deviation, 255 * deviation), {"colour": 1.0}, whole=False)


def _speckle_noise(deviation: float) -> Degradation:
    return SpeckleNoise((255 * deviation, 255 * deviation), {"colour": 1.0}, whole=False)


def _gaussian_blur(sigma: float) -> Degradation:
    size = 2 * round(4 * sigma) + 1
    return Blur(sigma=(sigma, sigma), sizes=(size, size))


CORRUPTIONS: dict[str, Degradation] = {
    "gaussian_noise": Levels(tuple(_gaussian_noise(c) for c in (0.08, 0.12, 0.18, 0.26, 0.38))),
    "shot_noise": Levels(tuple(PoissonNoise((c, c), grey=0) for c in (60, 25, 12, 5, 3))),
    "impulse_noise": Levels(tuple(ImpulseNoise(c) for c in (0.03, 0.06, 0.09, 0.17, 0.27))),
    "speckle_noise": Levels(tuple(_speckle_noise(c) for c in (0.15, 0.2, 0.35, 0.45, 0.6))),
    "gaussian_blur": Levels(tuple(_gaussian_blur(c) for c in (1, 2, 3, 4, 6))),
    "defocus_blur": Levels(
        tuple(
            DefocusBlur((radius, radius), soft)
            for radius, soft in ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
        )
    ),
    "jpeg_compression": Levels(tuple(Jpeg(q, q) for q in (25, 18, 15, 10, 7))),
    "pixelate": Levels(tuple(Pixelate(c) for c in (0.6, 0.5, 0.4, 0.3, 0.25))),
}
"""Name in ImageNet-C to the corruption."""
