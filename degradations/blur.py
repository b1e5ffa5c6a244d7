"""Blurs: the Gaussian family, sinc, motion, defocus; and unsharp masking, their opposite.

Borders are mirrored at the centre of the outermost pixel (OpenCV's reflect-101).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np

from palette.degradations import kernels
from palette.degradations.operator import between, check, clipped, quantile
from palette.types import Params, Picture, Spec

BORDER = cv2.BORDER_REFLECT_101

DIRECT_SIZE = 11
"""Up to this size OpenCV filters directly, beyond it by Fourier transforms, four times slower."""

MOST_TERMS = 8
"""So many separable filters take as long as one by Fourier transforms."""


def convolve(picture: Picture, kernel: kernels.Kernel) -> Picture:
    """``picture`` (H, W, 3) convolved with an odd ``kernel`` (k, k), clipped to [0, 1].

    A convolution: the kernel is turned by half a turn, which OpenCV's filters do not do. Smooth
    kernels are sums of a few separable ones (see :func:`palette.degradations.kernels.separated`).
    """
    picture = check(picture)
    turned = np.ascontiguousarray(kernel[::-1, ::-1])
    most = MOST_TERMS if len(kernel) > DIRECT_SIZE else len(kernel) // 5
    terms = kernels.separated(turned, most)
    if not terms:
        return clipped(cv2.filter2D(picture, -1, turned, borderType=BORDER))
    total, *others = (cv2.sepFilter2D(picture, -1, *lines, borderType=BORDER) for lines in terms)
    for other in others:
        total += other
    return clipped(total)


def convolve_separable(picture: Picture, line: kernels.Kernel) -> Picture:
    """``picture`` (H, W, 3) convolved with a symmetric ``line`` (k,) along both axes."""
    result = cv2.sepFilter2D(check(picture), -1, line, line, borderType=BORDER)
    return clipped(result)


def _odd_size(sizes: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(sizes[0] // 2, sizes[1] // 2 + 1)) * 2 + 1


@dataclass(frozen=True)
class Blur:
    """One of the Gaussian family. Params: shape, size, sigma_x, sigma_y (pixels), angle, beta.

    ``power`` 2 draws variances uniformly instead of σ. β is drawn from the part of its range
    below 1 as often as from the part above it, as published.
    """

    shape: str = "gaussian"
    isotropic: bool = True
    sigma: tuple[float, float] = (0.1, 3.0)
    sizes: tuple[int, int] = (7, 21)
    beta: tuple[float, float] = (1.0, 1.0)
    power: int = 1

    def _sigma(self, spec: Spec, rng: np.random.Generator) -> float:
        mild, harsh = (sigma**self.power for sigma in self.sigma)
        return between(mild, harsh, quantile(spec, rng)) ** (1 / self.power)

    def _beta(self, rng: np.random.Generator) -> float:
        low, high = self.beta
        if rng.random() < 0.5:
            return float(rng.uniform(low, min(1.0, high)))
        return float(rng.uniform(max(1.0, low), high))

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        sigma_x = self._sigma(spec, rng)
        return {
            "shape": self.shape,
            "size": _odd_size(self.sizes, rng),
            "sigma_x": sigma_x,
            "sigma_y": sigma_x if self.isotropic else self._sigma(spec, rng),
            "angle": 0.0 if self.isotropic else float(rng.uniform(0, math.pi)),
            "beta": self._beta(rng),
        }

    def apply(self, picture: Picture, params: Params) -> Picture:
        if params["shape"] == "gaussian" and params["sigma_x"] == params["sigma_y"]:
            line = kernels.gaussian_line(params["size"], params["sigma_x"])
            return convolve_separable(picture, line)
        return convolve(picture, kernels.elliptic(**params))


@dataclass(frozen=True)
class SincBlur:
    """An ideal low pass, which rings. Params: size, cutoff (radians a pixel).

    The cutoff is from ``lowest`` (``lowest_wide`` for 13 pixels and more) to π.
    """

    sizes: tuple[int, int] = (7, 21)
    lowest: float = math.pi / 3
    lowest_wide: float = math.pi / 5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        size = _odd_size(self.sizes, rng)
        harsh = self.lowest if size < 13 else self.lowest_wide
        return {"size": size, "cutoff": between(math.pi, harsh, quantile(spec, rng))}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return convolve(picture, kernels.sinc(params["size"], params["cutoff"]))


@dataclass(frozen=True)
class MotionBlur:
    """A camera that moves in a straight line. Params: length (pixels), angle (radians)."""

    length: tuple[float, float] = (1.0, 20.0)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        length = between(*self.length, quantile(spec, rng))
        return {"length": length, "angle": float(rng.uniform(0, math.pi))}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return convolve(picture, kernels.motion(params["length"], params["angle"]))


@dataclass(frozen=True)
class DefocusBlur:
    """A disk, softened by a Gaussian. Params: radius, soft_sigma (pixels)."""

    radius: tuple[float, float] = (1.0, 10.0)
    soft_sigma: float = 0.5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        radius = between(*self.radius, quantile(spec, rng))
        return {"radius": radius, "soft_sigma": self.soft_sigma}

    def apply(self, picture: Picture, params: Params) -> Picture:
        blurred = convolve(picture, kernels.disk(params["radius"]))
        return convolve_separable(blurred, kernels.gaussian_line(5, params["soft_sigma"]))


@dataclass(frozen=True)
class UnsharpMask:
    """Sharpens where the detail exceeds a threshold: x + weight · (x − blurred x), softly masked.

    Params: weight, size (pixels, odd), threshold_255. BSR-plus and Real-ESRGAN sharpen their
    *targets* so (.5, 51, 10). The Gaussian has σ = .3 ((size − 1)/2 − 1) + .8, as in OpenCV.
    """

    weight: tuple[float, float] = (0.5, 0.5)
    size: int = 51
    threshold_255: float = 10.0

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weight = between(*self.weight, quantile(spec, rng))
        return {"weight": weight, "size": self.size, "threshold_255": self.threshold_255}

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        sigma = 0.3 * ((params["size"] - 1) / 2 - 1) + 0.8
        line = kernels.gaussian_line(params["size"], sigma)
        detail = picture - convolve_separable(picture, line)
        where = (np.abs(detail) * 255 > params["threshold_255"]).astype(np.float32)
        where = convolve_separable(where, line)
        sharp = clipped(picture + np.float32(params["weight"]) * detail)
        return clipped(picture + where * (sharp - picture))
