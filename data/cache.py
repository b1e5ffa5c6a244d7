"""Decoded pictures kept in memory, so that an epoch over few pictures decodes them once."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from palette.data.sources import Source, StoredSource
from palette.data.stored import from_stored, to_stored
from palette.types import Picture


class CachedSource:
    """``source`` with up to ``limit_bytes`` of its pictures kept, by one process.

    The pictures are the same bit for bit: kept with 8 or 16 bits where that is exact, as float32
    elsewhere. What finds no room is decoded again at each reading. Of pairs each side gets a half.
    What is mapped from a file is not kept: the system does that, once for all processes.
    """

    def __init__(self, source: Source, limit_bytes: int) -> None:
        self.ids = source.ids
        self.labels = source.labels
        self._source = source
        self._limit_bytes = limit_bytes if source.inputs is None else limit_bytes // 2
        self._room_bytes = self._limit_bytes
        inputs = source.inputs
        self.inputs = None if inputs is None else CachedSource(inputs, limit_bytes // 2)
        self._kept: dict[int, NDArray] = {}

    def share(self, processes: int) -> None:
        """From now on keep one of ``processes`` equal parts of the limit: each has a copy of this.

        What is kept already stays.
        """
        kept = sum(stored.nbytes for stored in self._kept.values())
        self._room_bytes = self._limit_bytes // processes - kept
        if self.inputs is not None:
            self.inputs.share(processes)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        stored = self.stored(index)
        return stored.copy() if stored.dtype == np.float32 else from_stored(stored)

    def stored(self, index: int) -> NDArray:
        """The picture as it is kept: uint8, uint16 or float32, to be cropped before `from_stored`.

        It is the kept array itself: never change it.
        """
        kept = self._kept.get(index)
        if kept is not None:
            return kept
        if isinstance(self._source, StoredSource):
            stored = self._source.stored(index)
        else:
            picture = self._source.read(index)
            if picture.size > self._room_bytes:  # not even with a byte a value
                return picture
            stored = _smallest(picture)
        if stored.nbytes <= self._room_bytes and not isinstance(stored, np.memmap):
            self._room_bytes -= stored.nbytes
            self._kept[index] = stored
        return stored

    def fingerprint(self) -> str:
        return self._source.fingerprint()


def _smallest(picture: Picture) -> NDArray:
    """With 8 or 16 bits where that loses nothing."""
    for bit_depth in (8, 16):
        stored = to_stored(picture, bit_depth)
        if np.array_equal(from_stored(stored), picture):
            return stored
    return picture.copy()
