"""What files lose: JPEG and WebP round trips through the real codecs, and bits.

The batched form of JPEG, :mod:`palette.degradations.jpeg_tensors`, has the same bits.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import cv2
import numpy as np
import torch
from torch import Tensor

from palette.degradations import jpeg_tensors
from palette.degradations.base import Degradation, check, clipped, quantile
from palette.degradations.batches import Batch, by_size
from palette.errors import UserError
from palette.types import Params, Picture, Spec

OPENCV_FACTORS = {
    "4:2:0": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_420,
    "4:2:2": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_422,
    "4:4:4": cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
}


def to_bytes(picture: Picture) -> np.ndarray:
    """uint8 (H, W, 3), rounded to nearest."""
    return cv2.convertScaleAbs(np.maximum(picture, 0), alpha=255)


def _round_trip(picture: Picture, suffix: str, options: list[int]) -> Picture:
    bgr = cv2.cvtColor(to_bytes(check(picture)), cv2.COLOR_RGB2BGR)  # OpenCV's order of channels
    ok, data = cv2.imencode(suffix, bgr, options)
    if not ok:
        raise UserError(f"OpenCV cannot write {suffix} of size {bgr.shape}")
    decoded = cv2.imdecode(data, cv2.IMREAD_COLOR_RGB)
    assert decoded is not None
    return np.divide(decoded, np.float32(255), dtype=np.float32)


def jpeg_round_trip(picture: Picture, quality: int, subsampling: str = "4:2:0") -> Picture:
    """The 8-bit picture that a baseline JPEG file of this quality (1–100) holds.

    The same bits as Pillow's ``save(quality=…, subsampling=…)``.
    """
    jpeg_tensors.check_settings([quality], subsampling)
    options = [cv2.IMWRITE_JPEG_QUALITY, quality]
    options += [cv2.IMWRITE_JPEG_SAMPLING_FACTOR, OPENCV_FACTORS[subsampling]]
    return _round_trip(picture, ".jpg", options)


def webp_round_trip(picture: Picture, quality: int) -> Picture:
    """The 8-bit picture that a lossy WebP file of this quality (1–100) holds."""
    if not 1 <= quality <= 100:
        raise UserError(f"WebP quality {quality} is not in 1–100")
    return _round_trip(picture, ".webp", [cv2.IMWRITE_WEBP_QUALITY, quality])


def _draw_quality(worst: int, best: int, decay: float, u: float) -> int:
    """p(Q) ∝ exp(−Q / decay) over the integers from ``best`` (u = 0) down to ``worst``."""
    qualities = np.arange(best, worst - 1, -1)
    weights = np.exp(-(qualities - worst) / decay)
    cumulative = np.cumsum(weights) / weights.sum()
    return int(qualities[min(np.searchsorted(cumulative, u, side="right"), len(qualities) - 1)])


@dataclass(frozen=True)
class Jpeg(Degradation):
    """A JPEG round trip, by default of quality 30–95.

    Params: quality (1–100), subsampling. p(Q) ∝ exp(−Q / ``decay``); infinite is uniform.
    """

    codec: ClassVar[bool] = True
    worst: int = 30
    best: int = 95
    decay: float = math.inf
    subsampling: str = "4:2:0"

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        quality = _draw_quality(self.worst, self.best, self.decay, quantile(spec, rng))
        return {"quality": quality, "subsampling": self.subsampling}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return jpeg_round_trip(picture, params["quality"], params["subsampling"])

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        results = torch.empty_like(pictures)
        for subsampling in sorted({one["subsampling"] for one in params}):
            chosen = [i for i, one in enumerate(params) if one["subsampling"] == subsampling]
            qualities = [params[i]["quality"] for i in chosen]
            results[chosen] = jpeg_tensors.round_trip(pictures[chosen], qualities, subsampling)
        return results


@dataclass(frozen=True)
class WebP(Degradation):
    """A lossy WebP round trip, by default of quality 30–95.

    Params: quality (1–100).
    """

    codec: ClassVar[bool] = True
    worst: int = 30
    best: int = 95

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"quality": _draw_quality(self.worst, self.best, math.inf, quantile(spec, rng))}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return webp_round_trip(picture, params["quality"])


@dataclass(frozen=True)
class Quantise(Degradation):
    """The nearest picture that a file can hold, by default of 8 bits per channel.

    Params: bits.
    """

    bits: int = 8

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"bits": self.bits}

    def apply(self, picture: Picture, params: Params) -> Picture:
        largest = np.float32(2 ** params["bits"] - 1)
        scaled = check(picture) * largest
        np.rint(scaled, out=scaled)
        scaled /= largest
        return clipped(scaled)

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        largest = pictures.new_tensor([2 ** one["bits"] - 1 for one in params])[:, None, None, None]
        return torch.round(pictures.clamp(0, 1) * largest) / largest
