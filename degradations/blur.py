"""Blurs: the Gaussian family, sinc, motion, defocus; and unsharp masking, their opposite.

Borders are mirrored at the centre of the outermost pixel (OpenCV's reflect-101).
"""

from __future__ import annotations

import math
from abc import abstractmethod
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palette.degradations import kernels
from palette.degradations.base import Degradation, between, check, clipped, quantile
from palette.degradations.batches import Batch, by_size, column, mirrored
from palette.types import Params, Picture, Spec

BORDER = cv2.BORDER_REFLECT_101

DIRECT_SIZE = 11
"""Up to this size OpenCV filters directly, beyond it by Fourier transforms, four times slower."""

MOST_TERMS = 8
"""Eight separable filters take as long as one by Fourier transforms."""

SOFT_SIZE = 5
"""Pixels of the Gaussian that softens a disk."""


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


def convolve_batch(pictures: Tensor, taps: list[kernels.Kernel]) -> Tensor:
    """``(B, C, H, W)``, each picture convolved with its own odd kernel, clipped to [0, 1].

    Kernels of several sizes are centred in the largest.
    """
    batch, channels = pictures.shape[:2]
    size = max(len(kernel) for kernel in taps)
    same_size = np.stack([np.pad(kernel, (size - len(kernel)) // 2) for kernel in taps])
    weights = torch.from_numpy(same_size[:, ::-1, ::-1].copy()).to(pictures)  # conv2d correlates
    weights = weights.repeat_interleave(channels, dim=0)[:, None]
    padded = mirrored(pictures, size // 2).flatten(0, 1)[None]
    result = functional.conv2d(padded, weights, groups=batch * channels)
    return result.reshape(pictures.shape).clamp(0, 1)


def _odd_size(sizes: tuple[int, int], rng: np.random.Generator) -> int:
    return int(rng.integers(sizes[0] // 2, sizes[1] // 2 + 1)) * 2 + 1


class KernelBlur(Degradation):
    """A convolution with a kernel that the params decide."""

    @abstractmethod
    def kernel(self, params: Params) -> kernels.Kernel: ...

    def apply(self, picture: Picture, params: Params) -> Picture:
        return convolve(picture, self.kernel(params))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        return convolve_batch(pictures, [self.kernel(one) for one in params])


@dataclass(frozen=True)
class Blur(KernelBlur):
    """A blur of the Gaussian family, by default a round Gaussian with σ 0.1–3.

    Params: shape, size, sigma_x, sigma_y (pixels), angle, beta. ``power`` 2 draws variances
    uniformly instead of σ. β is drawn from the part of its range below 1 as often as from the part
    above it, as published.
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

    def kernel(self, params: Params) -> kernels.Kernel:
        return kernels.elliptic(**params)

    def apply(self, picture: Picture, params: Params) -> Picture:
        if params["shape"] == "gaussian" and params["sigma_x"] == params["sigma_y"]:
            line = kernels.gaussian_line(params["size"], params["sigma_x"])
            return convolve_separable(picture, line)
        return super().apply(picture, params)


@dataclass(frozen=True)
class SincBlur(KernelBlur):
    """An ideal low pass, which rings.

    Params: size, cutoff (radians per pixel), from ``lowest`` (``lowest_wide`` for 13 pixels and
    more) to π.
    """

    sizes: tuple[int, int] = (7, 21)
    lowest: float = math.pi / 3
    lowest_wide: float = math.pi / 5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        size = _odd_size(self.sizes, rng)
        harsh = self.lowest if size < 13 else self.lowest_wide
        return {"size": size, "cutoff": between(math.pi, harsh, quantile(spec, rng))}

    def kernel(self, params: Params) -> kernels.Kernel:
        return kernels.sinc(params["size"], params["cutoff"])


@dataclass(frozen=True)
class MotionBlur(KernelBlur):
    """A camera that moves along a straight line, by default of 1–20 pixels.

    Params: length (pixels), angle (radians).
    """

    length: tuple[float, float] = (1.0, 20.0)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        length = between(*self.length, quantile(spec, rng))
        return {"length": length, "angle": float(rng.uniform(0, math.pi))}

    def kernel(self, params: Params) -> kernels.Kernel:
        return kernels.motion(params["length"], params["angle"])


@dataclass(frozen=True)
class DefocusBlur(Degradation):
    """A disk, by default of radius 1–10, softened by a Gaussian.

    Params: radius, soft_sigma (pixels).
    """

    radius: tuple[float, float] = (1.0, 10.0)
    soft_sigma: float = 0.5

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        radius = between(*self.radius, quantile(spec, rng))
        return {"radius": radius, "soft_sigma": self.soft_sigma}

    def apply(self, picture: Picture, params: Params) -> Picture:
        blurred = convolve(picture, kernels.disk(params["radius"]))
        return convolve_separable(blurred, kernels.gaussian_line(SOFT_SIZE, params["soft_sigma"]))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        blurred = convolve_batch(pictures, [kernels.disk(one["radius"]) for one in params])
        soft = [kernels.round_gaussian(SOFT_SIZE, one["soft_sigma"]) for one in params]
        return convolve_batch(blurred, soft)


def _unsharp_sigma(size: int) -> float:
    """OpenCV's σ for a kernel of ``size`` pixels."""
    return 0.3 * ((size - 1) / 2 - 1) + 0.8


@dataclass(frozen=True)
class UnsharpMask(Degradation):
    """Sharpens where the detail exceeds a threshold.

    x + weight · (x − blurred x), softly masked. Params: weight, size (pixels, odd), threshold_255.
    BSR-plus and Real-ESRGAN sharpen their *targets* in this way, with 0.5, 51 and 10.
    """

    weight: tuple[float, float] = (0.5, 0.5)
    size: int = 51
    threshold_255: float = 10.0

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weight = between(*self.weight, quantile(spec, rng))
        return {"weight": weight, "size": self.size, "threshold_255": self.threshold_255}

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        line = kernels.gaussian_line(params["size"], _unsharp_sigma(params["size"]))
        detail = picture - convolve_separable(picture, line)
        where = (np.abs(detail) * 255 > params["threshold_255"]).astype(np.float32)
        where = convolve_separable(where, line)
        sharp = clipped(picture + np.float32(params["weight"]) * detail)
        return clipped(picture + where * (sharp - picture))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        sizes = [one["size"] for one in params]
        taps = [kernels.round_gaussian(size, _unsharp_sigma(size)) for size in sizes]
        detail = pictures - convolve_batch(pictures, taps)
        where = (detail.abs() * 255 > column(params, "threshold_255", pictures)).to(pictures.dtype)
        where = convolve_batch(where, taps)
        sharp = (pictures + column(params, "weight", pictures) * detail).clamp(0, 1)
        return (pictures + where * (sharp - pictures)).clamp(0, 1)
