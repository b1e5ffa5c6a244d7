"""Decoded pictures kept in memory, so that an epoch over few pictures decodes them once."""

from __future__ import annotations

import numpy as np

from palette.data.images import HIGHEST, in_unit_range
from palette.data.sources import LevelSource, Source
from palette.types import Picture


class CachedSource:
    """``source`` with up to ``limit_bytes`` of its pictures kept, in each process.

    The pictures are the same bit for bit: kept with 8 or 16 bits where that is exact, as float32
    elsewhere. What finds no room is decoded again at each reading.
    """

    def __init__(self, source: Source, limit_bytes: int) -> None:
        self.ids = source.ids
        self.labels = source.labels
        self._source = source
        self._room_bytes = limit_bytes
        self._kept: dict[int, np.ndarray] = {}

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        return unpacked(self.packed(index))

    def packed(self, index: int) -> np.ndarray:
        """The picture as it is kept, to be cropped before :func:`unpacked` makes it float32.

        It is the kept array itself: never change it.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        if isinstance(self._source, LevelSource):
            packed = self._source.levels(index)
        else:
            picture = self._source.read(index)
            if picture.size > self._room_bytes:  # not even with a byte a value
                return picture
            packed = _pack(picture)
        if packed.nbytes <= self._room_bytes:
            self._room_bytes -= packed.nbytes
            self._kept[index] = packed
        return packed

    def fingerprint(self) -> str:
        return self._source.fingerprint()


def _pack(picture: Picture) -> np.ndarray:
    for kind, highest in HIGHEST.items():
        levels = np.rint(picture * highest).astype(kind)
        if np.array_equal(unpacked(levels), picture):
            return levels
    return picture.copy()


def unpacked(kept: np.ndarray) -> Picture:
    """The picture, or a crop of it, as (H, W, 3) float32 in [0, 1]; always a copy."""
    return kept.copy() if kept.dtype == np.float32 else in_unit_range(kept)
