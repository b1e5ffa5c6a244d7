"""A picture as the bytes of a file. The suffix decides the format."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette.data.stored import to_stored
from palette.errors import UserError
from palette.types import Picture

FORMATS = {
    ".png": "PNG",
    ".jpg": "JPEG",
    ".jpeg": "JPEG",
    ".webp": "WEBP",
    ".tif": "TIFF",
    ".tiff": "TIFF",
}

_OPTIONS = {
    "PNG": {},
    "JPEG": {"quality": 95, "subsampling": 0},
    "WEBP": {"lossless": True, "exact": True},
    "TIFF": {"compression": "tiff_adobe_deflate"},
}

_TOLERANCE = 1e-3
"""Rounding errors of a network's last step are clipped; anything wider is a mistake of scale."""


def encode(
    path: Path, picture: Picture, alpha: NDArray[np.float32] | None, bit_depth: int
) -> bytes:
    """The bytes of ``path``; see :func:`palette.data.images.write` for what can be written."""
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: cannot write {path.suffix!r}; choose of {', '.join(FORMATS)}")
    if kind == "JPEG" and alpha is not None:
        raise UserError(f"{path}: JPEG holds no transparency; write .png or .webp")
    if bit_depth not in (8, 16):
        raise UserError(f"bit_depth is {bit_depth}; choose 8 or 16")
    if bit_depth == 16 and not (kind == "PNG" or (kind == "TIFF" and alpha is None)):
        raise UserError(f"{path}: cannot hold these 16 bits; write .png, or choose 8 bits")
    _require_layer(picture, "picture", (*picture.shape[:2], 3))
    layers = [picture]
    if alpha is not None:
        _require_layer(alpha, "alpha", picture.shape[:2])
        layers.append(alpha[..., None])
    pixels = to_stored(np.concatenate(layers, axis=-1).clip(0, 1), bit_depth)
    return _encode_8(pixels, kind, path) if bit_depth == 8 else _encode_16(pixels, kind, path)


def _require_layer(layer: NDArray[np.float32], name: str, shape: tuple[int, ...]) -> None:
    if layer.dtype != np.float32 or layer.shape != shape or 0 in shape:
        found = f"{layer.dtype} of shape {layer.shape}"
        raise UserError(f"{name} is {found}; give float32 of shape {shape}, not empty")
    low, high = float(layer.min()), float(layer.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # "not" also catches NaN
        raise UserError(f"{name} holds values from {low:g} to {high:g}; scale or clip to [0, 1]")


def _encode_8(pixels: NDArray[np.uint8], kind: str, path: Path) -> bytes:
    image = Image.fromarray(pixels)
    encoded = io.BytesIO()
    try:
        image.save(encoded, kind, **_OPTIONS[kind])
    except (OSError, ValueError) as error:
        size = f"{image.width}×{image.height}"
        raise UserError(f"{path}: {kind} cannot hold {size} pixels; write .png") from error
    return encoded.getvalue()


def _encode_16(pixels: NDArray[np.uint16], kind: str, path: Path) -> bytes:
    import cv2  # Pillow writes no 16-bit colour

    order = [2, 1, 0, 3][: pixels.shape[2]]
    done, encoded = cv2.imencode(f".{kind.lower()}", pixels[..., order])
    if not done:
        raise UserError(f"{path}: cannot encode {pixels.shape} as 16-bit {kind}; choose 8 bits")
    return encoded.tobytes()
