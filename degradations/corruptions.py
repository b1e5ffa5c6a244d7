"""Eight of the corruptions of ImageNet-C (Hendrycks & Dietterich 2019).

Each has five strengths; one is drawn, and a severity picks it. The numbers are meant for 224 × 224
pictures. Fog, frost, snow, spatter, glass, elastic and zoom blur, brightness, contrast, saturation
and motion blur (whose trail shifts the picture) are not here.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from palette.degradations.base import Degradation, check
from palette.degradations.batches import Batch, by_size, generator
from palette.degradations.blur import Blur, DefocusBlur
from palette.degradations.compose import Strengths
from palette.degradations.jpeg import Jpeg
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.resize import resize, resize_batch
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec


@dataclass(frozen=True)
class ImpulseNoise(Degradation):
    """Salt and pepper: a share of all values becomes 0 or 1. Params: share, seed."""

    share: float

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"share": self.share, "seed": draw_seed(rng)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        u = torch.rand(picture.shape, generator=generator(params, torch.device("cpu"))).numpy()
        half = params["share"] / 2
        return np.where(u < half, np.float32(0), np.where(u < 2 * half, np.float32(1), picture))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        results, device = [], pictures.device
        for picture, one in zip(pictures, params, strict=True):
            shape = *picture.shape[1:], 3
            u = torch.rand(shape, generator=generator(one, device), device=device).permute(2, 0, 1)
            hit = torch.where(u < one["share"] / 2, 0.0, 1.0)
            results.append(torch.where(u < one["share"], hit.to(picture), picture))
        return torch.stack(results)


@dataclass(frozen=True)
class Pixelate(Degradation):
    """Shrinks by averaging, enlarges by repeating. Params: factor."""

    factor: float

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"factor": self.factor}

    def apply(self, picture: Picture, params: Params) -> Picture:
        height, width = picture.shape[:2]
        small = _times(params["factor"], height), _times(params["factor"], width)
        return resize(resize(picture, *small, "area"), height, width, "nearest")

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        height, width = pictures.shape[2:]
        results = []
        for picture, one in zip(pictures.split(1), params, strict=True):
            small = _times(one["factor"], height), _times(one["factor"], width)
            blocks = resize_batch(picture, *small, ["area"])
            results.append(resize_batch(blocks, height, width, ["nearest"]))
        return torch.cat(results)


def _times(factor: float, side: int) -> int:
    return max(1, int(side * factor))


def _gaussian_noise(deviation: float) -> Degradation:
    return GaussianNoise((255 * deviation, 255 * deviation), {"colour": 1.0}, whole=False)


def _speckle_noise(deviation: float) -> Degradation:
    return SpeckleNoise((255 * deviation, 255 * deviation), {"colour": 1.0}, whole=False)


def _gaussian_blur(sigma: float) -> Degradation:
    size = 2 * round(4 * sigma) + 1
    return Blur(sigma=(sigma, sigma), sizes=(size, size))


CORRUPTIONS: dict[str, Degradation] = {
    "gaussian_noise": Strengths(tuple(_gaussian_noise(c) for c in (0.08, 0.12, 0.18, 0.26, 0.38))),
    "shot_noise": Strengths(tuple(PoissonNoise((c, c), grey=0) for c in (60, 25, 12, 5, 3))),
    "impulse_noise": Strengths(tuple(ImpulseNoise(c) for c in (0.03, 0.06, 0.09, 0.17, 0.27))),
    "speckle_noise": Strengths(tuple(_speckle_noise(c) for c in (0.15, 0.2, 0.35, 0.45, 0.6))),
    "gaussian_blur": Strengths(tuple(_gaussian_blur(c) for c in (1, 2, 3, 4, 6))),
    "defocus_blur": Strengths(
        tuple(
            DefocusBlur((radius, radius), soft)
            for radius, soft in ((3, 0.1), (4, 0.5), (6, 0.5), (8, 0.5), (10, 0.5))
        )
    ),
    "jpeg_compression": Strengths(tuple(Jpeg(q, q) for q in (25, 18, 15, 10, 7))),
    "pixelate": Strengths(tuple(Pixelate(c) for c in (0.6, 0.5, 0.4, 0.3, 0.25))),
}
"""Name in ImageNet-C to the corruption."""
