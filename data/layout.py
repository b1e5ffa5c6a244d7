"""How a file lays out its pixels: bits per channel, inverted greys, and which way is up."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin

_UNSIGNED, _UNDEFINED = 1, 4

TURNED = (5, 6, 7, 8)
"""Orientations that exchange rows and columns."""


def stored_bits(image: Image.Image, path: Path | None = None) -> int:
    """Bits per channel that can be read of it, which Pillow's mode does not show.

    Without a path those of the pixels in memory. ValueError for values that are not unsigned.
    """
    if path is not None and image.format == "PNG":
        with open(path, "rb") as file:
            return file.read(25)[24]  # signature 8, length 4, "IHDR" 4, width 4, height 4, depth
    if path is not None and isinstance(image, TiffImagePlugin.TiffImageFile):
        formats = image.tag_v2.get(TiffImagePlugin.SAMPLEFORMAT, (_UNSIGNED,))
        if not {*formats} <= {_UNSIGNED, _UNDEFINED}:
            raise ValueError("its values are signed or floats: save it with 8 or 16 bits unsigned")
        return max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return 16 if image.mode.startswith("I;16") else 8


def white_is_zero(image: Image.Image) -> bool:
    """Whether a TIFF file stores its greys inverted."""
    return (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    )


def upright(layer: NDArray, orientation: int) -> NDArray:
    """``layer`` (H, W) or (H, W, C) turned as its orientation asks; unknown ones mean upright."""
    if orientation in TURNED:
        layer = np.swapaxes(layer, 0, 1)
    if orientation in (2, 3, 6, 7):
        layer = layer[:, ::-1]
    if orientation in (3, 4, 7, 8):
        layer = layer[::-1]
    return np.ascontiguousarray(layer)


def hidden_filled(picture: NDArray, alpha: NDArray) -> NDArray:
    """``picture`` (H, W, 3) with the colour of the nearest visible pixel where alpha (H, W) is 0.

    What a file holds there is arbitrary, often black, and bleeds into the visible edge of whatever
    looks at a neighbourhood: filters, enlargements, networks.
    """
    hidden = alpha == 0
    if not hidden.any() or hidden.all():
        return picture
    from scipy.ndimage import distance_transform_edt

    nearest = distance_transform_edt(hidden, return_distances=False, return_indices=True)
    assert nearest is not None
    return picture[tuple(nearest)]
