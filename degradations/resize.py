"""Resizing: every method, any ratio, pixel centres at half integers (nothing shifts).

The methods with ``_aa`` widen their kernel when they shrink (antialiasing) and equal Pillow's;
``matlab`` is the bicubic of MATLAB's imresize: ``cubic_aa`` with mirrored borders;
``linear`` and ``cubic`` do not widen, as OpenCV's do not; ``area`` averages what a pixel covers,
``pool`` all that it touches (torch's "area").
:mod:`palette.degradations.resize_matrices` defines them all as matrices.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from torch import Tensor

from palette.degradations.base import Degradation, between, check, clipped, quantile
from palette.degradations.batches import Batch, by_size
from palette.degradations.resize_matrices import (
    ANTIALIASED,
    Matrix,
    gaussian_matrix,
    matrix,
    multiply,
    multiply_batch,
    nearest_indices,
    shrunk,
)
from palette.errors import UserError
from palette.types import Params, Picture, Spec

OPENCV = {
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
MATRICES = (*ANTIALIASED, "pool")
"""What OpenCV does not have."""
METHODS = ("nearest", *OPENCV, *MATRICES)
RANDOM_METHODS = ("linear", "cubic", "area")
"""What BSR chooses between."""


def resize(picture: Picture, height: int, width: int, method: str) -> Picture:
    """``picture`` (H, W, 3) in [0, 1] at ``(height, width, 3)``, clipped to [0, 1]."""
    picture = check(picture)
    if picture.shape[:2] == (height, width):
        return picture.copy()
    if method == "nearest":
        rows = nearest_indices(picture.shape[0], height)
        result = picture[rows][:, nearest_indices(picture.shape[1], width)]
    elif method in MATRICES or (method == "area" and _enlarges(picture, height, width)):
        rows = matrix(method, picture.shape[0], height)
        result = multiply(picture, rows, matrix(method, picture.shape[1], width))
    elif method in OPENCV:
        result = cv2.resize(picture, (width, height), interpolation=OPENCV[method])
    else:
        raise UserError(f"resize method {method!r} is not one of {', '.join(METHODS)}")
    return np.ascontiguousarray(clipped(np.asarray(result)))


def resize_batch(pictures: Tensor, height: int, width: int, methods: list[str]) -> Tensor:
    """``(B, C, H, W)`` at ``(B, C, height, width)``, each by its own method, clipped to [0, 1]."""
    rows = [matrix(method, pictures.shape[2], height) for method in methods]
    columns = [matrix(method, pictures.shape[3], width) for method in methods]
    return multiply_batch(pictures, rows, columns).clamp(0, 1)


def _enlarges(picture: Picture, height: int, width: int) -> bool:
    """OpenCV's area method is then a pixel off where edges of new and old pixels meet, and does
    not average along the other side."""
    return height > picture.shape[0] or width > picture.shape[1]


def _draw_method(methods: tuple[str, ...], rng: np.random.Generator) -> str:
    return methods[rng.integers(len(methods))]


class Resizing(Degradation):
    """What has the new height and width and the method in its params."""

    def apply(self, picture: Picture, params: Params) -> Picture:
        return resize(picture, params["height"], params["width"], params["method"])

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        methods = [one["method"] for one in params]
        return resize_batch(pictures, params[0]["height"], params[0]["width"], methods)

    def resized(self, spec: Spec, params: Params) -> Spec:
        return spec.sized(params["height"], params["width"])


@dataclass(frozen=True)
class Shrink(Resizing):
    """Both sides divided by the scale, by default with antialiased bicubic.

    Params: height, width, method.
    """

    scale: int = 4
    method: str = "cubic_aa"

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {
            "height": shrunk(spec.height, self.scale),
            "width": shrunk(spec.width, self.scale),
            "method": self.method,
        }


@dataclass(frozen=True)
class ResizeTo(Resizing):
    """To one size by a method chosen at random. Params: height, width, method."""

    height: int
    width: int
    methods: tuple[str, ...] = RANDOM_METHODS

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        method = _draw_method(self.methods, rng)
        return {"height": self.height, "width": self.width, "method": method}


@dataclass(frozen=True)
class Rescale(Degradation):
    """Both sides times a factor, by default 0.25–1, with linear, cubic or area resizing.

    Params: factor, method. The factor is uniform from the mild to the harsh end of ``factor``; with
    ``divide`` these are divisors. ``of`` is the (height, width) that it multiplies, by default that
    of the picture. The new sides are rounded down and at least 1.
    """

    factor: tuple[float, float] = (1.0, 0.25)
    divide: bool = False
    methods: tuple[str, ...] = RANDOM_METHODS
    of: tuple[float, float] | None = None

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        factor = between(*self.factor, quantile(spec, rng))
        factor = 1 / factor if self.divide else factor
        return {"factor": factor, "method": _draw_method(self.methods, rng)}

    def apply(self, picture: Picture, params: Params) -> Picture:
        size = self.resized(Spec(*picture.shape[:2]), params)
        return resize(picture, size.height, size.width, params["method"])

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        height, width = pictures.shape[2:]
        size = self.resized(Spec(height, width), params[0])
        return resize_batch(pictures, size.height, size.width, [one["method"] for one in params])

    def resized(self, spec: Spec, params: Params) -> Spec:
        height, width = self.of or (spec.height, spec.width)
        divisor = 1 / params["factor"]
        return spec.sized(shrunk(height, divisor), shrunk(width, divisor))


@dataclass(frozen=True)
class GaussianShrink(Degradation):
    """A Gaussian, then every scale-th pixel, without a shift.

    The published form shifts the kernel by (scale − 1) / 2 to undo what taking the first of
    every ``scale`` pixels shifts; here the kernel sits at the centre of each new pixel, for sizes
    that ``scale`` does not divide as well. Params: scale, sigma (pixels), size.
    """

    scale: int = 4
    sigma: tuple[float, float] = (0.1, 2.4)
    kernel_size: int = 25

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        sigma = between(*self.sigma, quantile(spec, rng))
        return {"scale": self.scale, "sigma": sigma, "size": self.kernel_size}

    def apply(self, picture: Picture, params: Params) -> Picture:
        picture = check(picture)
        return clipped(multiply(picture, *self._matrices(Spec(*picture.shape[:2]), params)))

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        height, width = pictures.shape[2:]
        spec = Spec(height, width)
        rows, columns = zip(*(self._matrices(spec, one) for one in params), strict=True)
        return multiply_batch(pictures, rows, columns).clamp(0, 1)

    def _matrices(self, spec: Spec, params: Params) -> tuple[Matrix, Matrix]:
        """For the rows and for the columns of a picture of this size."""
        sigma, taps, size = params["sigma"], params["size"], self.resized(spec, params)
        rows = gaussian_matrix(sigma, taps, spec.height, size.height)
        return rows, gaussian_matrix(sigma, taps, spec.width, size.width)

    def resized(self, spec: Spec, params: Params) -> Spec:
        scale = params["scale"]
        return spec.sized(shrunk(spec.height, scale), shrunk(spec.width, scale))
