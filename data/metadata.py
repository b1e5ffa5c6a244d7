"""What a file says beside its pixels: bits per channel, and which way is up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

_EXIF_ORIENTATION = 0x0112


def stored_bits(image: Image.Image, path: Path) -> int:
    """Bits per channel in the file, which Pillow's mode does not show."""
    if image.format == "PNG":
        with open(path, "rb") as file:
            return file.read(25)[24]  # signature 8, length 4, "IHDR" 4, width 4, height 4, depth
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return 8


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF file stores its greys inverted."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    )


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8 (Exif 2.32, tag 0x0112); 1, upright, where there is none."""
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged metadata must not cost the pixels
        return 1


def upright(layer: NDArray, orientation: int) -> NDArray:
    """``layer`` (H, W) or (H, W, C) turned as its orientation asks; unknown ones mean upright."""
    if orientation in (5, 6, 7, 8):
        layer = np.swapaxes(layer, 0, 1)
    if orientation in (2, 3, 6, 7):
        layer = layer[:, ::-1]
    if orientation in (3, 4, 7, 8):
        layer = layer[::-1]
    return np.ascontiguousarray(layer)
