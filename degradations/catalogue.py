"""The degradations by name. A new one is one line in :data:`DEGRADATIONS`."""

from __future__ import annotations

import dataclasses
import difflib
from typing import Any

from palette.degradations.grayscale import Grayscale
from palette.degradations.jpeg import Jpeg, WebP
from palette.degradations.palette import (
    PALETTE_INPAINTING,
    PALETTE_JPEG,
    PALETTE_UNCROPPING,
    SrBicubic,
)
from palette.types import Degradation

DEGRADATIONS: dict[str, Degradation] = {
    "sr_bicubic": SrBicubic(),
    "palette_jpeg": PALETTE_JPEG,
    "palette_inpainting": PALETTE_INPAINTING,
    "palette_uncropping": PALETTE_UNCROPPING,
    "grayscale": Grayscale(),
    "jpeg": Jpeg(),
    "webp": WebP(),
}


def build(name: str, scale: int | None = None) -> Degradation:
    """The degradation ``name``; ``scale`` divides the size where it has a field of that name.

    Raises ValueError for an unknown name, a scale below 1, or a scale for a degradation which
    keeps the size (scale 1 is fine there).
    """
    if name not in DEGRADATIONS:
        near = difflib.get_close_matches(name, DEGRADATIONS, n=1)
        hint = f"did you mean {near[0]!r}? " if near else ""
        raise ValueError(f"unknown degradation {name!r}: {hint}choose of {', '.join(DEGRADATIONS)}")
    degradation: Any = DEGRADATIONS[name]
    if scale is None:
        return degradation
    if scale < 1:
        raise ValueError(f"scale {scale} is below 1: it divides the size of the picture")
    if hasattr(degradation, "scale"):
        return dataclasses.replace(degradation, scale=scale)
    if scale != 1:
        raise ValueError(f"{name} keeps the size of the picture: it takes no scale {scale}")
    return degradation
