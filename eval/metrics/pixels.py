"""Pictures as metrics see them: rounded to 8 bits, as in the files that a user gets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from palette.errors import IntegrityError, UserError

Pixels = NDArray[np.uint8]
"""``(H, W, 3)`` uint8."""

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif", ".jp2"}
)


def to_uint8(picture: NDArray[np.floating] | Pixels) -> Pixels:
    """Round a picture ``(H, W, 3)`` in [0, 1] to 0 … 255; uint8 passes through.

    UserError for NaN and infinity.
    """
    if picture.dtype == np.uint8:
        return picture  # type: ignore[return-value]
    if not np.isfinite(picture).all():
        raise UserError("the picture holds NaN or infinity: metrics need finite values in [0, 1]")
    return np.rint(np.clip(picture, 0, 1) * 255).astype(np.uint8)


def read_pixels(path: Path) -> Pixels:
    """A picture file as ``(H, W, 3)`` uint8; IntegrityError for a damaged one."""
    return _read(path, "RGB")


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask file as ``(H, W)``: True where it is white, which is where the picture is missing."""
    return _read(path, "L") > 127


def _read(path: Path, mode: str) -> NDArray[np.uint8]:
    from PIL import Image

    with path.open("rb") as file:
        try:
            return np.array(Image.open(file).convert(mode))
        except (OSError, SyntaxError) as error:  # what Pillow raises for a damaged PNG
            raise IntegrityError(f"{path} is damaged, or no picture: {error}") from None
