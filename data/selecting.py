"""What of the pictures is packed: pieces of large ones; small, flat, blurred and repeated ones not.

All that is measured is of 8-bit values, so that the thresholds are those of the literature.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError

ALIKE_BITS = 6
"""Pictures are one whose hashes differ in at most this many of 64 bits. Of 1,705 photographs no two
differ in fewer than 12, and each of them from its half, as JPEG of quality 30, in at most 4."""

SHOWS_NOTHING = 2.0
"""Contrast below which pictures are not compared: they are alike in having no structure."""

_PIECE = re.compile(r"@\d+,\d+(?=(\.[^./]*)?$)")


@dataclass(frozen=True)
class Selection:
    """What is packed of a folder. Without any of these choices: every picture, whole."""

    cut: int | None = None
    """Cut larger pictures into squares of this many pixels, which cover them evenly."""
    overlap: int = 0
    """Pixels that two such squares have in common, at least."""
    min_side: int = 0
    """Leave out pictures that are less wide or high."""
    min_contrast: float = 0.0
    """Leave out flat pictures and squares: standard deviation of their 8-bit grey, e.g. 8."""
    min_sharpness: float = 0.0
    """Leave out blurred ones: variance of the Laplacian of their 8-bit grey, e.g. 50."""
    distinct: bool = False
    """Leave out pictures that look like an earlier one, by a perceptual hash: other sizes and
    codings of it."""

    def __post_init__(self) -> None:
        if self.cut is not None and self.cut < 8:
            raise UserError(f"cut is {self.cut}: choose 8 pixels or more, e.g. 480")
        if not 0 <= self.overlap < (self.cut or 1):
            raise UserError(f"overlap is {self.overlap}: choose 0 or more, and less than cut")
        for name in ("min_side", "min_contrast", "min_sharpness"):
            if not 0 <= getattr(self, name) < math.inf:
                raise UserError(f"{name} is {getattr(self, name)}: choose 0 or more")

    def pieces(self, height: int, width: int) -> list[Piece]:
        """Where a picture is cut; the whole of it, where it is not."""
        rows, columns = self._starts(height), self._starts(width)
        high, wide = (min(side, self.cut or side) for side in (height, width))
        return [Piece(top, left, high, wide) for top in rows for left in columns]

    def _starts(self, side: int) -> list[int]:
        """Evenly from 0 to where the last piece ends with the picture."""
        if self.cut is None or side <= self.cut:
            return [0]
        count = math.ceil((side - self.overlap) / (self.cut - self.overlap))
        return [(side - self.cut) * i // (count - 1) for i in range(count)]

    def fault(self, piece: NDArray[np.uint8]) -> str | None:
        """ "flat" or "blurred" where ``(H, W, 3)`` is left out for it."""
        if not (self.min_contrast or self.min_sharpness):
            return None
        contrast, sharpness = contrast_and_sharpness(piece)
        if contrast < self.min_contrast:
            return "flat"
        return "blurred" if sharpness < self.min_sharpness else None


def contrast_and_sharpness(picture: NDArray[np.uint8]) -> tuple[float, float]:
    """Of ``(H, W, 3)``: standard deviation and variance of the Laplacian of its grey."""
    import cv2

    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)
    return float(grey.std()), float(cv2.Laplacian(grey, cv2.CV_64F).var())


class Piece(NamedTuple):
    """A rectangle of a picture, in its pixels."""

    top: int
    left: int
    height: int
    width: int

    def of(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return picture[self.top : self.top + self.height, self.left : self.left + self.width]


def piece_name(name: str, piece: Piece) -> str:
    """ "folder/photo@TOP,LEFT.png" of "folder/photo.png"."""
    path = PurePosixPath(name)
    return str(path.with_name(f"{path.stem}@{piece.top},{piece.left}{path.suffix}"))


def whole_name(name: str) -> str:
    """The name of the picture that a piece was cut from; other names as they are."""
    return _PIECE.sub("", name)


class Hashes:
    """Perceptual hashes of the pictures so far (DCT of 32×32 greys, as the library imagehash)."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._bits = np.zeros(1024, np.uint64)

    def add(self, name: str, bits: int | None) -> None:
        if bits is None:
            return
        if len(self._names) == len(self._bits):
            self._bits = np.concatenate([self._bits, np.zeros_like(self._bits)])
        self._bits[len(self._names)] = bits
        self._names.append(name)

    def alike(self, bits: int | None) -> str | None:
        """The name of the first picture whose hash is next to these 64 bits."""
        if bits is None:
            return None
        known = self._bits[: len(self._names)]
        near = np.flatnonzero(np.bitwise_count(known ^ np.uint64(bits)) <= ALIKE_BITS)
        return self._names[near[0]] if len(near) else None


def perceptual_hash(picture: NDArray[np.uint8]) -> int | None:
    """64 bits of ``(H, W, 3)``; None where it shows nothing, and all bits would be chance."""
    if contrast_and_sharpness(picture)[0] < SHOWS_NOTHING:
        return None
    import imagehash
    from PIL import Image

    return int(str(imagehash.phash(Image.fromarray(picture))), 16)
