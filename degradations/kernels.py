"""Blur kernels in closed form: odd sides, centred, sum 1, float32.

The Gaussian family follows Wang et al. 2021 (Real-ESRGAN, section 3.2): with the quadratic form
q = uᵀ Σ⁻¹ u, Σ = R diag(σ_x², σ_y²) Rᵀ, they are exp(−q/2), exp(−q^β/2) and 1 / (1 + q^β).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError

Kernel = NDArray[np.float32]

SHAPES: dict[str, Callable[[np.ndarray, float], np.ndarray]] = {
    "gaussian": lambda q, beta: np.exp(-q / 2),
    "generalised": lambda q, beta: np.exp(-(q**beta) / 2),
    "plateau": lambda q, beta: 1 / (1 + q**beta),
}
"""Kernel shapes: (quadratic form, β) to weight."""

MINIMAL_SIGMA = 1e-3
"""Below it a kernel is a single pixel: divisions stay finite."""

NEGLIGIBLE = 1e-4
"""The weight of what a kernel may leave out: at most a fortieth of a step of 8 bits. A small kernel
is several times faster."""

UNSEPARATED = 2e-4
"""The error of a separated kernel: at most a twentieth of a step of 8 bits."""


def _normalised(weights: np.ndarray) -> Kernel:
    return (weights / weights.sum()).astype(np.float32)


def _trimmed(weights: np.ndarray) -> Kernel:
    """Without the outer rings that weigh less than :data:`NEGLIGIBLE` together, sum 1."""
    weights = weights / weights.sum()
    middle = weights.shape[0] // 2
    for radius in range(middle + 1):
        inner = weights[(slice(middle - radius, middle + radius + 1),) * weights.ndim]
        if inner.sum() >= 1 - NEGLIGIBLE:
            return _normalised(inner)
    return _normalised(weights)


def _offsets(size: int) -> tuple[np.ndarray, np.ndarray]:
    if size < 1 or size % 2 == 0:
        raise UserError(f"kernel size {size} is not odd: an even kernel shifts by half a pixel")
    offsets = np.arange(size) - size // 2
    return offsets[None, :], offsets[:, None]  # x to the right, y down


def elliptic(
    shape: str, size: int, sigma_x: float, sigma_y: float, angle: float, beta: float = 1.0
) -> Kernel:
    """At most ``(size, size)``; σ in pixels, the x axis of the ellipse at ``angle`` (radians)."""
    if shape not in SHAPES:
        raise UserError(f"kernel shape {shape!r} is not one of {', '.join(SHAPES)}")
    x, y = _offsets(size)
    along = (x * math.cos(angle) + y * math.sin(angle)) / max(sigma_x, MINIMAL_SIGMA)
    across = (y * math.cos(angle) - x * math.sin(angle)) / max(sigma_y, MINIMAL_SIGMA)
    return _trimmed(SHAPES[shape](along**2 + across**2, beta))


def gaussian_line(size: int, sigma: float) -> Kernel:
    """At most ``(size,)``: a Gaussian of σ pixels; its outer product is the round kernel."""
    return _trimmed(np.exp(-0.5 * (_offsets(size)[0][0] / max(sigma, MINIMAL_SIGMA)) ** 2))


def round_gaussian(size: int, sigma: float) -> Kernel:
    """At most ``(size, size)``: a Gaussian of σ pixels in both directions."""
    line = gaussian_line(size, sigma)
    return np.outer(line, line)


def sinc(size: int, cutoff: float) -> Kernel:
    """``(size, size)``: the ideal circular low pass; ``cutoff`` ω in (0, π] radians a pixel.

    k = ω J₁(ω r) / (2π r), and ω² / 4π at r = 0 (Real-ESRGAN, equation 6). Rings at edges.
    """
    from scipy.special import j1

    radius = np.hypot(*_offsets(size))
    radius[size // 2, size // 2] = 1
    weights = cutoff * j1(cutoff * radius) / (2 * math.pi * radius)
    weights[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return _normalised(weights)


def disk(radius: float) -> Kernel:
    """A filled circle (defocus); a pixel weighs the share of its 9 × 9 points that are inside."""
    half = math.ceil(radius)
    size, fine = 2 * half + 1, 9
    offsets = (np.arange(size * fine) + 0.5) / fine - size / 2
    inside = np.hypot(offsets[None, :], offsets[:, None]) <= max(radius, 0.5)
    return _normalised(inside.reshape(size, fine, size, fine).mean((1, 3)))


def motion(length: float, angle: float) -> Kernel:
    """A centred line of ``length`` pixels at ``angle`` (radians), spread bilinearly."""
    half = math.ceil(length / 2)
    x, y = _offsets(2 * half + 1)
    kernel = np.zeros((2 * half + 1, 2 * half + 1))
    steps = np.linspace(-length / 2, length / 2, 8 * (2 * half + 1) + 1)
    for step in steps:
        beside_x = np.clip(1 - np.abs(x - step * math.cos(angle)), 0, None)
        beside_y = np.clip(1 - np.abs(y - step * math.sin(angle)), 0, None)
        kernel += beside_x * beside_y
    return _normalised(kernel)


def separated(kernel: Kernel, most: int) -> list[tuple[Kernel, Kernel]]:
    """At most ``most`` pairs (row, column) whose outer products add up to ``kernel``.

    From its singular values; what is left out weighs less than :data:`UNSEPARATED` in absolute
    values together, which bounds the error of the filtered picture. Empty if that takes more.
    """
    columns, values, rows = np.linalg.svd(kernel.astype(np.float64))
    left = kernel.astype(np.float64)
    pairs = []
    for i in range(most):
        column, row = columns[:, i] * values[i], rows[i]
        left = left - np.outer(column, row)
        pairs.append((row.astype(np.float32), column.astype(np.float32)))
        if np.abs(left).sum() < UNSEPARATED:
            return pairs
    return []
