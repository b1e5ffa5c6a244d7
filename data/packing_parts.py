"""Join the folders of a packing's shards into the file that one run would have written."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import IO

import numpy as np
from numpy.typing import NDArray

from palette.data.packing import write
from palette.data.spool import Done, LeftOut, Spool
from palette.errors import IntegrityError
from palette.files import read_object
from palette.parts import Whole
from palette.progress import progress


def merge(parts: Whole, out: Path) -> LeftOut:
    """Write the file ``out`` of all ``parts``; what was left out of it.

    IntegrityError for a part that is damaged; what else is raised as
    :func:`palette.data.packing.pack` does.
    """
    about = read_object(parts.folders[0] / "about.json")

    def fill(spool: Spool) -> None:
        with ExitStack() as stack:
            read = [stack.enter_context(_Reader(folder)) for folder in parts.folders]
            for number in progress(range(len(parts.names)), "merge"):
                done, pieces = read[number % len(read)].next()
                if number >= len(spool.done):
                    spool.add(done, pieces)

    return write(out, about, fill)


class _Reader(ExitStack):
    """What one part has of each of its pictures, in order."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        self._pixels: IO[bytes] = self.enter_context((folder / "pixels").open("rb"))
        self._lines: IO[bytes] = self.enter_context((folder / "lines").open("rb"))

    def next(self) -> tuple[Done, list[NDArray[np.uint8]]]:
        done = Done.parse(self._lines.readline())
        pieces = [] if done is None else [self._pixels.read(row.size) for row in done.rows]
        if done is None or not all(map(lambda row, piece: row.holds(piece), done.rows, pieces)):
            raise IntegrityError(f"{self._folder} is damaged: delete it and pack this shard again")
        return done, [np.frombuffer(piece, np.uint8) for piece in pieces]
