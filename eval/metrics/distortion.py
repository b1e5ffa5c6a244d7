"""Fidelity of one picture to another: PSNR, SSIM, PSNR-B, on pictures as they would be saved.

All take pictures ``(H, W, 3)``, float32 in [0, 1] or uint8, and round them to uint8 first: a
restored picture is judged by the file that a user gets. The super-resolution literature often
quotes BT.601 luma with ``scale`` border pixels cut off; ask for that with ``luma`` and ``border``.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.pixels import Pixels, to_uint8

# BT.601 studio-range luma of RGB in [0, 1], in grey values: black is 16, white is 235.
LUMA_WEIGHTS = np.array([65.481, 128.553, 24.966])
LUMA_OFFSET = 16.0

BLOCK = 8
"""Pixels of a JPEG block's side."""

SSIM_WINDOW = 11
"""Taps of the Gaussian window (σ 1.5, cut at 3.5 σ): sides below this have no SSIM."""

_C1, _C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def luma(picture: NDArray[np.floating] | Pixels) -> NDArray[np.float64]:
    """BT.601 luma ``(H, W)``, 16 (black) to 235 (white), of a picture rounded to uint8."""
    return to_uint8(picture).astype(np.float64) @ (LUMA_WEIGHTS / 255) + LUMA_OFFSET


def comparable_pair(
    a: NDArray, b: NDArray, *, as_luma: bool, border: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Both pictures rounded, in 0 … 255, ``(H, W, C)`` with C 3 or 1, the border cut off.

    UserError for other shapes; Undefined where the border leaves nothing.
    """
    if a.shape != b.shape or a.ndim != 3 or a.shape[2] != 3:
        raise UserError(
            f"pictures of shapes {a.shape} and {b.shape}: both must be (H, W, 3) of one size"
        )
    if border < 0:
        raise UserError(f"border {border}: choose 0 or more pixels")
    if 2 * border >= min(a.shape[:2]):
        raise Undefined(f"border {border} leaves nothing of {a.shape[1]}×{a.shape[0]} pixels")
    views = []
    for picture in (a, b):
        values = luma(picture)[..., None] if as_luma else to_uint8(picture).astype(np.float64)
        views.append(values[border : values.shape[0] - border, border : values.shape[1] - border])
    return views[0], views[1]


def psnr(
    a: NDArray,
    b: NDArray,
    *,
    luma: bool = False,
    border: int = 0,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Peak signal-to-noise ratio in dB: 10·log10(255² / MSE).

    ``mask`` ``(H, W)`` restricts the error to its True pixels; an empty one has no value. Identical
    pictures give ``inf``.
    """
    x, y = comparable_pair(a, b, as_luma=luma, border=border)
    squared = np.square(x - y)
    if mask is not None:
        squared = squared[_cut(mask, a.shape, border)]
    mse = float(squared.mean())
    return math.inf if mse == 0 else 10 * math.log10(255**2 / mse)


def psnr_b(a: NDArray, b: NDArray, *, luma: bool = False, border: int = 0) -> float:
    """PSNR-B of ``a`` in dB: 10·log10(255² / (MSE + BEF)), mean over channels.

    Yim & Bovik 2011, "Quality assessment of deblocked images", equations 7 to 14: the blocking
    effect factor adds what neighbours differ by across the edges of 8 × 8 blocks beyond what they
    differ by elsewhere. ``b`` is the target. Undefined where no side has two blocks.
    """
    x, y = comparable_pair(a, b, as_luma=luma, border=border)
    _require_blocks(x)
    error = np.square(x - y).mean(axis=(0, 1)) + blocking_effect(x, border)
    with np.errstate(divide="ignore"):
        return float(np.mean(10 * np.log10(255**2 / error)))


def psnr_b_colour(a: NDArray, b: NDArray, *, border: int = 0) -> float:
    """PSNR-B of colour pictures as tables from FBCNN (Jiang et al. 2021) on have it, in dB.

    The error is that of RGB, the blocking effect that of ``a``'s BT.601 luma: found by what it
    gives on decoded LIVE1, 24.20 at quality 10, where the mean over channels gives 23.75.
    """
    x, y = comparable_pair(a, b, as_luma=False, border=border)
    grey, _ = comparable_pair(a, b, as_luma=True, border=border)
    _require_blocks(x)
    error = np.square(x - y).mean() + blocking_effect(grey, border)[0]
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)


def _require_blocks(x: NDArray[np.float64]) -> None:
    if max(x.shape[:2]) < 2 * BLOCK:
        raise Undefined(
            f"PSNR-B needs a side of {2 * BLOCK} pixels or more, not {x.shape[0]}×{x.shape[1]}"
        )


def blocking_effect(x: NDArray[np.float64], border: int = 0) -> NDArray[np.float64]:
    """BEF ``(C,)`` of ``x`` (H, W, C), of which ``border`` pixels were cut off at each side.

    The number of edges along n pixels is ⌊n/8⌋ − 1, as in the paper and its public code, also
    where n is no multiple of 8.
    """
    across, edges, differences = np.zeros((2, x.shape[2])), 0, 0
    for side, other in ((0, 1), (1, 0)):
        squared = np.square(np.diff(x, axis=side)).sum(axis=other)
        at_edges = squared[(BLOCK - 1 - border) % BLOCK :: BLOCK].sum(axis=0)
        across += at_edges, squared.sum(axis=0) - at_edges
        edges += x.shape[other] * max(x.shape[side] // BLOCK - 1, 0)
        differences += x.shape[other] * (x.shape[side] - 1)
    at_edges, elsewhere = across[0] / edges, across[1] / (differences - edges)
    weight = math.log2(BLOCK) / math.log2(min(x.shape[:2]))
    return np.where(at_edges > elsewhere, weight * (at_edges - elsewhere), 0.0)


def ssim(
    a: NDArray,
    b: NDArray,
    *,
    luma: bool = False,
    border: int = 0,
    mask: NDArray[np.bool_] | None = None,
) -> float:
    """Structural similarity (Wang et al. 2004), mean over pixels and channels; 1 is identical.

    The figures of scikit-image with the paper's settings (Gaussian window, σ 1.5, population
    covariance), computed with OpenCV's filters. ``mask`` ``(H, W)`` averages the similarity map
    over its True pixels; an empty one has no value.
    """
    x, y = comparable_pair(a, b, as_luma=luma, border=border)
    luminance, contrast = similarity_terms(x, y)
    similarity = luminance * contrast
    if mask is None:
        return float(inside(similarity).mean())
    return float(similarity[_cut(mask, a.shape, border)].mean())


def similarity_terms(
    x: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """SSIM's luminance and contrast-structure maps ``(H, W, C)``, of pictures in 0 … 255.

    Their product is SSIM (Wang et al. 2004, equations 6 and 13): a Gaussian window of 11 taps and
    σ 1.5, population covariance, pictures mirrored at their border.
    """
    if min(x.shape[:2]) < SSIM_WINDOW:
        raise Undefined(
            f"SSIM needs sides of {SSIM_WINDOW} pixels or more, not {x.shape[0]}×{x.shape[1]}"
        )
    mean_x, mean_y = _window(x), _window(y)
    variance_x = _window(x * x) - mean_x**2
    variance_y = _window(y * y) - mean_y**2
    covariance = _window(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + _C1) / (mean_x**2 + mean_y**2 + _C1)
    contrast = (2 * covariance + _C2) / (variance_x + variance_y + _C2)
    return luminance, contrast


def inside(similarity: NDArray[np.float64]) -> NDArray[np.float64]:
    """The part of a map where the window lies within the picture: what the mean is taken over."""
    radius = SSIM_WINDOW // 2
    return similarity[radius:-radius, radius:-radius]


def _window(x: NDArray[np.float64]) -> NDArray[np.float64]:
    import cv2

    taps = np.exp(-0.5 * (np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2) ** 2 / 1.5**2)
    taps /= taps.sum()
    smooth = cv2.sepFilter2D(x, cv2.CV_64F, taps, taps, borderType=cv2.BORDER_REFLECT)
    return np.asarray(smooth, np.float64).reshape(x.shape)  # OpenCV drops a single channel


def _cut(mask: NDArray[np.bool_], shape: tuple[int, ...], border: int) -> NDArray[np.bool_]:
    """The mask without its border, after checking that it fits the picture."""
    if mask.shape != shape[:2]:
        raise UserError(f"mask of shape {mask.shape} for a picture of {shape[:2]}: sizes differ")
    inner = mask[border : shape[0] - border, border : shape[1] - border].astype(bool)
    if not inner.any():
        raise Undefined("the mask is empty: nothing to measure")
    return inner
