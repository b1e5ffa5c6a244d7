"""Resizing: every method, any ratio, pixel centres at half integers (nothing shifts).

The methods with ``_aa`` widen their kernel when they shrink (antialiasing) and equal Pillow's;
``linear`` and ``cubic`` do not, as OpenCV's do not; ``area`` averages what a pixel covers.
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional

from palette.degradations.operator import check
from palette.types import Params, Picture, Spec

OPENCV = {
    "nearest": cv2.INTER_NEAREST_EXACT,
    "linear": cv2.INTER_LINEAR,
    "cubic": cv2.INTER_CUBIC,
    "area": cv2.INTER_AREA,
}
TORCH = {"linear_aa": "bilinear", "cubic_aa": "bicubic"}
METHODS = (*OPENCV, *TORCH, "lanczos_aa")


def resize(picture: Picture, height: int, width: int, method: str) -> Picture:
    """``picture`` (H, W, 3) in [0, 1] at ``(height, width, 3)``, clipped to [0, 1]."""
    picture = check(picture)
    if picture.shape[:2] == (height, width):
        return picture.copy()
    if method in OPENCV:
        result = _resize_opencv(picture, height, width, method)
    elif method in TORCH:
        batch = torch.from_numpy(picture).permute(2, 0, 1)[None]
        batch = functional.interpolate(
            batch, size=(height, width), mode=TORCH[method], antialias=True
        )
        result = batch[0].permute(1, 2, 0).numpy()
    elif method == "lanczos_aa":
        result = _resize_pillow(picture, height, width)
    else:
        raise ValueError(f"resize method {method!r} is not one of {', '.join(METHODS)}")
    return np.ascontiguousarray(np.clip(result, 0, 1))


def _resize_opencv(picture: Picture, height: int, width: int, method: str) -> Picture:
    grows = height > picture.shape[0], width > picture.shape[1]
    if method == "area" and grows[0] != grows[1]:  # OpenCV averages only if both sides shrink
        picture = _resize_opencv(picture, picture.shape[0], width, method)
    result = cv2.resize(picture, (width, height), interpolation=OPENCV[method])
    return np.asarray(result, dtype=np.float32)


def _resize_pillow(picture: Picture, height: int, width: int) -> Picture:
    from PIL import Image

    channels = [
        Image.fromarray(picture[..., c]).resize((width, height), Image.Resampling.LANCZOS)
        for c in range(3)
    ]
    return np.stack([np.asarray(channel) for channel in channels], axis=-1)


def shrunk(length: int, scale: int) -> int:
    """A side of the low-resolution picture: ``length / scale``, rounded down, at least 1."""
    return max(1, length // scale)


@dataclass(frozen=True)
class Shrink:
    """Divide both sides by ``scale`` with one method. Params: height, width, method."""

    scale: int
    method: str = "cubic_aa"

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {
            "height": shrunk(spec.height, self.scale),
            "width": shrunk(spec.width, self.scale),
            "method": self.method,
        }

    def size(self, spec: Spec, params: Params) -> Spec:
        return Spec(params["height"], params["width"], spec.severity)

    def apply(self, picture: Picture, params: Params) -> Picture:
        return resize(picture, params["height"], params["width"], params["method"])
