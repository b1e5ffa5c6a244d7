"""Pictures inside of a page, which needs no other file then."""

from __future__ import annotations

import base64
import io

import numpy as np

from palette.eval.metrics.pixels import Pixels

ERROR_GAIN = 4
"""Errors are shown this many times as bright: an error of 64 of 255 is white."""

# Black, violet, orange, pale yellow: dark to bright in print as well.
_HEAT = np.array([[0, 0, 4], [87, 16, 110], [188, 55, 84], [249, 142, 9], [252, 255, 164]])


def data_uri(pixels: Pixels, lossless: bool = False) -> str:
    """PNG up to 256 pixels a side, lossy WebP of high quality above."""
    from PIL import Image

    buffer = io.BytesIO()
    if lossless or max(pixels.shape[:2]) <= 256:
        kind = "png"
        Image.fromarray(pixels).save(buffer, "PNG")
    else:
        kind = "webp"
        Image.fromarray(pixels).save(buffer, "WEBP", quality=92)
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode()}"


def error_map(answer: Pixels, target: Pixels) -> Pixels:
    """The mean absolute error over channels, ``ERROR_GAIN`` times as bright, black to yellow."""
    error = np.abs(answer.astype(np.float64) - target).mean(axis=2)
    place = np.clip(error * ERROR_GAIN / 255, 0, 1) * (len(_HEAT) - 1)
    stops = np.arange(len(_HEAT))
    return np.stack([np.interp(place, stops, _HEAT[:, c]) for c in range(3)], 2).astype(np.uint8)
