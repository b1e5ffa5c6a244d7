"""A picture as the bytes of a file. The suffix decides the format."""

from __future__ import annotations

import io
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette.data.containers import png_16, tiff, with_chunks
from palette.data.icc import colour_space
from palette.data.metadata import Metadata
from palette.data.stored import BitDepth, grey_of, to_stored
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

_QUALITY = 95
_LONGEST = {"exif": 65533, "xmp": 65504}
"""Bytes of a block that a JPEG file holds."""

_TOLERANCE = 1e-3
"""Rounding errors of a network's last step are clipped; anything wider is a mistake of scale."""


def holds_alpha(path: Path) -> bool:
    """Whether the format of a file name has transparency. UserError where it is none of FORMATS."""
    return _format(path) != "JPEG"


def holds_16_bits(path: Path) -> bool:
    """Whether the format of a file name has 16 bits a channel. UserError as above."""
    return _format(path) in ("PNG", "TIFF")


def require_quality(path: Path, quality: int | None) -> None:
    """UserError for a quality that is out of range, or that a lossless format would ignore."""
    if quality is None:
        return
    if not 1 <= quality <= 100:
        raise UserError(f"quality is {quality}; choose from 1 to 100")
    if _format(path) not in ("JPEG", "WEBP"):
        raise UserError(f"{path}: {_format(path)} loses nothing; leave the quality out, or .jpg")


def encode(
    path: Path,
    picture: Picture,
    alpha: NDArray[np.float32] | None,
    bit_depth: BitDepth,
    grey: bool = False,
    quality: int | None = None,
    metadata: Metadata | None = None,
    beyond: NDArray[np.float32] | None = None,
) -> bytes:
    """The bytes of ``path``; see :func:`palette.data.images.write` for what can be written."""
    kind = _format(path)
    if alpha is not None and not holds_alpha(path):
        raise UserError(f"{path}: JPEG holds no transparency; write .png or .webp")
    if bit_depth not in (8, 16):
        raise UserError(f"bit_depth is {bit_depth}; choose 8 or 16")
    if bit_depth == 16 and not holds_16_bits(path):
        raise UserError(f"{path}: cannot hold these 16 bits; write .png, or choose 8 bits")
    require_quality(path, quality)
    _require_layer(picture, "picture", (*picture.shape[:2], 3))
    if alpha is not None:
        _require_layer(alpha, "alpha", picture.shape[:2])
    blocks = (metadata or Metadata()).of_size(picture.shape[1], picture.shape[0])
    layers, blocks = _in_profile(path, picture, beyond, grey, blocks)
    if alpha is not None:
        layers = np.dstack([layers, alpha])
    pixels = to_stored(layers.clip(0, 1), bit_depth)
    if pixels.shape[2] == 1:
        pixels = pixels[..., 0]
    if kind == "TIFF":
        return tiff(pixels, blocks)
    if kind == "PNG":
        return with_chunks(png_16(pixels) if bit_depth == 16 else _pillow(pixels, path, {}), blocks)
    options: dict[str, Any] = {"icc_profile": blocks.icc, "quality": quality or _QUALITY}
    if kind == "JPEG":
        options |= {"dpi": blocks.dpi or (0, 0)}
        return _pillow(pixels, path, options | _fitting(blocks, path) | {"subsampling": 0})
    options |= {"lossless": quality is None, "exact": True}
    return _pillow(pixels, path, options | {"exif": blocks.exif, "xmp": blocks.xmp})


def _format(path: Path) -> str:
    kind = FORMATS.get(path.suffix.lower())
    if kind is None:
        raise UserError(f"{path}: cannot write {path.suffix!r}; choose of {', '.join(FORMATS)}")
    return kind


def _require_layer(layer: NDArray[np.float32], name: str, shape: tuple[int, ...]) -> None:
    if layer.dtype != np.float32 or layer.shape != shape or 0 in shape:
        found = f"{layer.dtype} of shape {layer.shape}"
        raise UserError(f"{name} is {found}; give float32 of shape {shape}, not empty")
    low, high = float(layer.min()), float(layer.max())
    if not (low >= -_TOLERANCE and high <= 1 + _TOLERANCE):  # "not" also catches NaN
        raise UserError(f"{name} holds values from {low:g} to {high:g}; scale or clip to [0, 1]")


def _in_profile(
    path: Path,
    picture: Picture,
    beyond: NDArray[np.float32] | None,
    grey: bool,
    blocks: Metadata,
) -> tuple[NDArray[np.float32], Metadata]:
    """The picture in the colours of its profile, (H, W, 1) or (H, W, 3); in sRGB without one."""
    if blocks.icc:
        try:
            space = colour_space(blocks.icc, "L" if grey else "RGB")
            if space is not None:
                inside = picture.clip(0, 1)
                return space.from_srgb(inside if beyond is None else inside + beyond), blocks
        except UserError as error:
            warnings.warn(f"{path}: in sRGB, without its ICC profile: {error}", stacklevel=4)
            blocks = replace(blocks, icc=b"")
    return (grey_of(picture) if grey else picture), blocks


def _fitting(blocks: Metadata, path: Path) -> dict[str, bytes]:
    """EXIF and XMP that are not too long for a JPEG file."""
    found = {"exif": blocks.exif, "xmp": blocks.xmp}
    for name in [name for name, most in _LONGEST.items() if len(found[name]) > most]:
        warnings.warn(f"{path}: {name} is too long for JPEG and left out", stacklevel=4)
        found[name] = b""
    return found


def _pillow(pixels: NDArray[np.uint8], path: Path, options: dict[str, Any]) -> bytes:
    image, kind, encoded = Image.fromarray(pixels), _format(path), io.BytesIO()
    try:
        image.save(encoded, kind, **options)
    except (OSError, ValueError) as error:
        size = f"{image.width}×{image.height}"
        raise UserError(f"{path}: {kind} cannot hold {size} pixels; write .png") from error
    return encoded.getvalue()
