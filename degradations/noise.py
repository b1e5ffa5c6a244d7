"""Noise: Gaussian (colour, grey, correlated), speckle and Poisson.

Params hold the seed of the field, so that applying is deterministic. ``level_255`` is a standard
deviation on the 0–255 scale.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import cv2
import numpy as np
import torch
from torch import Tensor

from palette.degradations.base import (
    Degradation,
    between,
    check,
    clipped,
    integer_between,
    quantile,
)
from palette.degradations.batches import Batch, by_size, generator, normal_batch
from palette.degradations.grayscale import WEIGHTS, luma_batch
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec

BSR_KINDS = {"colour": 0.4, "grey": 0.4, "correlated": 0.2}


def normal(shape: tuple[int, ...], seed: int) -> np.ndarray:
    """Standard normal float32 numbers. Torch makes them three times as fast as NumPy."""
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed)).numpy()


def random_mixing(spec: Spec, rng: np.random.Generator) -> list[list[float]]:
    """M (3, 3) with M Mᵀ = U diag(d) Uᵀ: d uniform in [0, 1]³, U a random rotation.

    The covariance of BSR's correlated noise in units of its variance; U is uniform over all
    rotations (from the QR decomposition of normal numbers), so that no channel is preferred.
    """
    rotation, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    deviations = np.sqrt([quantile(spec, rng) for _ in range(3)])
    return (rotation * deviations).tolist()


@dataclass(frozen=True)
class _Normal(Degradation):
    """What Gaussian and speckle noise share: their draw.

    ``whole`` draws integer deviations, as BSR does. A correlated field has the harshest deviation
    of the range, as published; :func:`random_mixing` draws the share of each direction of colour.
    """

    level_255: tuple[float, float] = (2, 25)
    kinds: Mapping[str, float] = field(default_factory=lambda: BSR_KINDS)
    whole: bool = True

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weights = np.array(list(self.kinds.values()))
        kind = list(self.kinds)[rng.choice(len(weights), p=weights / weights.sum())]
        u = quantile(spec, rng)
        mild, harsh = self.level_255
        drawn = integer_between(int(mild), int(harsh), u) if self.whole else between(mild, harsh, u)
        params: Params = {"kind": kind, "level_255": drawn, "seed": draw_seed(rng)}
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


def normal_field_batch(pictures: Tensor, params: Batch) -> Tensor:
    """``(B, 3, H, W)``, a field for each picture."""
    fields = []
    for picture, one in zip(pictures.split(1), params, strict=True):
        noise = normal_batch([one], 1 if one["kind"] == "grey" else 3, picture)
        if one["kind"] == "correlated":
            noise = torch.einsum("ij,bjhw->bihw", picture.new_tensor(one["mixing"]), noise)
        fields.append(noise.expand(-1, 3, -1, -1) * (one["level_255"] / 255))
    return torch.cat(fields)


@dataclass(frozen=True)
class GaussianNoise(_Normal):
    """Gaussian noise, by default of deviation 2–25 of 255: colour, grey or correlated.

    Params: kind, level_255, seed, and mixing for correlated noise. Without ``clip`` the result
    leaves [0, 1], as in the literature's tests of denoising.
    """

    clip: bool = True

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        noise = normal_field(picture, params)
        noise += picture
        return clipped(noise) if self.clip else noise

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        noisy = pictures + normal_field_batch(pictures, params)
        return noisy.clamp(0, 1) if self.clip else noisy


@dataclass(frozen=True)
class SpeckleNoise(_Normal):
    """Gaussian noise times the picture.

    Params: as those of Gaussian noise.
    """

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        factor = normal_field(picture, params)
        factor += 1
        factor *= picture
        return clipped(factor)

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        return (pictures * (1 + normal_field_batch(pictures, params))).clamp(0, 1)


@dataclass(frozen=True)
class PoissonNoise(Degradation):
    """Photon noise, by default of 10²–10⁴ photons for a white pixel.

    x + strength · (Poisson(peak · x) / peak − x). Params: peak, strength, grey, seed. ``peak``, the
    photons of a white pixel, is log-uniform. Grey noise is that of the luma, added to all channels.
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
        peak = np.float32(params["peak"])
        expected = torch.from_numpy(light * peak)
        photons = torch.poisson(expected, generator=generator(params, expected.device)).numpy()
        return clipped(picture + np.float32(params["strength"]) * (photons / peak - light))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        results = []
        for picture, one in zip(pictures.split(1), params, strict=True):
            light = luma_batch(picture, "rec601") if one["grey"] else picture
            light = light.clamp(0, 1)
            expected = (light * one["peak"]).permute(0, 2, 3, 1).contiguous()
            photons = torch.poisson(expected, generator=generator(one, picture.device))
            noise = photons.permute(0, 3, 1, 2) / one["peak"] - light
            results.append((picture + one["strength"] * noise).clamp(0, 1))
        return torch.cat(results)
