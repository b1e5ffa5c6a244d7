"""Noise: Gaussian (colour, grey, correlated), speckle and Poisson.

Params hold the seed of the field, so that applying is deterministic. Levels are standard
deviations on the 0–255 scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch

from palette.degradations.grayscale import WEIGHTS
from palette.degradations.operator import between, check, clipped, integer_between, quantile
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec

BSR_KINDS = {"colour": 0.4, "grey": 0.4, "correlated": 0.2}


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Standard normal float32 numbers. Torch makes them three times as fast as NumPy."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()


def random_mixing(spec: Spec, rng: np.random.Generator) -> list[list[float]]:
    """M (3, 3) with M Mᵀ = U diag(d) Uᵀ: d uniform in [0, 1]³, U a random rotation.

    The covariance of BSR's correlated noise in units of its level; U is uniform over all rotations
    (from the QR decomposition of normal numbers), so that no channel is preferred.
    """
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    deviations = np.sqrt([quantile(spec, rng) for _ in range(3)])
    return (rotation * deviations).tolist()


@dataclass(frozen=True)
class _Normal:
    """What Gaussian and speckle noise share: their draw.

    ``whole`` draws integer levels, as BSR does. A correlated field has the harshest level of the
    range, as published; :func:`random_mixing` draws how much of it each direction of colour gets.
    """

    level_255: tuple[float, float] = (2, 25)
    kinds: Mapping[str, float] = field(default_factory=lambda: BSR_KINDS)
    whole: bool = True

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weights = np.array(list(self.kinds.values()))
        kind = list(self.kinds)[rng.choice(len(weights), p=weights / weights.sum())]
        u = quantile(spec, rng)
        mild, harsh = self.level_255
        level = integer_between(int(mild), int(harsh), u) if self.whole else between(mild, harsh, u)
        params: Params = {"kind": kind, "level_255": level, "seed": draw_seed(rng)}
        if kind == "correlated":
            params |= {"level_255": harsh, "mixing": random_mixing(spec, rng)}
        return params


def normal_field(picture: Picture, params: Params) -> np.ndarray:
    """``(H, W, 3)`` for a picture of that size."""
    height, width, _ = picture.shape
    if params["kind"] == "grey":
        noise = normal((height, width), params["seed"])
        noise = np.asarray(cv2.merge([noise, noise, noise]))
    else:
        noise = normal((height, width, 3), params["seed"])
    if params["kind"] == "correlated":
        noise = np.asarray(cv2.transform(noise, np.asarray(params["mixing"], np.float32)))
    noise *= np.float32(params["level_255"] / 255)
    return noise


@dataclass(frozen=True)
class GaussianNoise(_Normal):
    """Adds a normal field. Params: kind, level_255, seed, and mixing for correlated noise."""

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        noise = normal_field(picture, params)
        noise += picture
        return clipped(noise)


@dataclass(frozen=True)
class SpeckleNoise(_Normal):
    """Adds the picture times a normal field. Params: as those of Gaussian noise."""

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        factor = normal_field(picture, params)
        factor += 1
        factor *= picture
        return clipped(factor)


@dataclass(frozen=True)
class PoissonNoise:
    """Photons: x + strength · (Poisson(peak · x) / peak − x). Params: peak, strength, grey, seed.

    ``peak``, the photons of a white pixel, is log-uniform. Grey noise is that of the luma, added
    to all channels.
    """

    peak: tuple[float, float] = (1e4, 1e2)
    strength: tuple[float, float] = (1.0, 1.0)
    grey: float = 0.5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        mild, harsh = (math.log10(peak) for peak in self.peak)
        return {
            "peak": 10 ** between(mild, harsh, quantile(spec, rng)),
            "strength": between(*self.strength, quantile(spec, rng)),
            "grey": bool(rng.random() < self.grey),
            "seed": draw_seed(rng),
        }

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        light = np.clip(picture, 0, 1)
        if params["grey"]:
            light = light @ np.asarray(WEIGHTS["rec601"], np.float32)[:, None]
        generator = torch.Generator().manual_seed(params["seed"])
        peak = np.float32(params["peak"])
        photons = torch.poisson(torch.from_numpy(light * peak), generator=generator).numpy()
        return clipped(picture + np.float32(params["strength"]) * (photons / peak - light))
