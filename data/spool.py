"""What is packed waits in a folder: pixels one after another, and a line for each picture done.

A contiguous dataset needs its size before its first byte. A packing that was killed goes on from
here when it is started again, and ends in the same bytes.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from palette.data.hdf5 import FORMAT, as_bytes, digest_of, sealed
from palette.data.selecting import Hashes
from palette.files import as_json, write_json

LeftOut = dict[str, list[str]]
"""What is not in a file, a line each, by the reason: broken, small, duplicate, flat, blurred."""

_BLOCK_BYTES = 2**24


def counted(left_out: LeftOut) -> str:
    """ "2 broken, 1 small"."""
    return ", ".join(f"{len(lines)} {reason}" for reason, lines in left_out.items())


@dataclass(frozen=True)
class Row:
    """One picture of the file, its pixels apart."""

    name: str
    label: str | None
    height: int
    width: int
    sha256: str

    @classmethod
    def of(cls, name: str, label: str | None, pixels: NDArray[np.uint8]) -> Self:
        height, width = pixels.shape[:2]
        return cls(name, label, height, width, digest_of(name, label, height, width, pixels).hex())

    @property
    def size(self) -> int:
        return self.height * self.width * 3

    def holds(self, pixels: bytes) -> bool:
        found = np.frombuffer(pixels, np.uint8)
        digest = digest_of(self.name, self.label, self.height, self.width, found)
        return digest.hex() == self.sha256


@dataclass(frozen=True)
class Done:
    """What became of one picture of the source: rows of the file, none or more."""

    rows: list[Row] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Each with the reason and a line."""
    hash: tuple[str, int | None] | None = None
    """The name of a picture that later ones are compared with."""

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """None for a line that is cut off or damaged."""
        try:
            values = json.loads(line)
            rows = [Row(**row) for row in values.pop("rows")]
            return cls(rows, **values) if line.endswith(b"\n") else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class Spool:
    """Pixels one after another, and a line for each picture of the source that is done."""

    def __init__(self, pixels: IO[bytes], lines: IO[bytes]) -> None:
        """What is whole in the files is kept, the rest cut off."""
        self.pixels, self._lines = pixels, lines
        self.done: list[Done] = []
        self.keeps_repeated = False
        self._hashes = Hashes()
        pixels.seek(0)
        lines.seek(0)
        end = lines_end = 0
        for line in lines:
            done = Done.parse(line)
            if done is None or not all(row.holds(pixels.read(row.size)) for row in done.rows):
                break
            self._count(done)
            end += sum(row.size for row in done.rows)
            lines_end += len(line)
        pixels.truncate(end)
        lines.truncate(lines_end)

    @classmethod
    @contextmanager
    def opened(cls, folder: Path, about: dict[str, Any]) -> Iterator[Self]:
        """What a stopped packing of the same pictures left in ``folder``, or a new spool."""
        known = folder / "about.json"
        if not known.exists() or known.read_bytes() != as_json(about):
            for name in ("pixels", "lines"):
                (folder / name).unlink(missing_ok=True)
            write_json(known, about)
        with (folder / "pixels").open("a+b") as pixels, (folder / "lines").open("a+b") as lines:
            yield cls(pixels, lines)

    def add(self, done: Done, pieces: Sequence[NDArray[np.uint8]]) -> None:
        """The next picture, unless it looks like an earlier one.

        The pixels are in the file before the line that counts them.
        """
        if done.hash is not None and not self.keeps_repeated:
            name, bits = done.hash
            if (earlier := self._hashes.alike(bits)) is not None:
                done = Done(left_out=[("duplicate", f"{name}: looks like {earlier}")])
                pieces = []
        for piece in pieces:
            self.pixels.write(piece.tobytes())
        self.pixels.flush()
        self._lines.write(json.dumps(asdict(done)).encode() + b"\n")
        self._lines.flush()
        self._count(done)

    def _count(self, done: Done) -> None:
        self.done.append(done)
        if done.hash is not None and done.rows:
            self._hashes.add(*done.hash)

    def left_out(self) -> LeftOut:
        found: LeftOut = {}
        for done in self.done:
            for reason, line in done.left_out:
                found.setdefault(reason, []).append(line)
        return found


def write_file(path: Path, spool: Spool, about: dict[str, Any]) -> None:
    """The file of :mod:`palette.data.hdf5`."""
    rows = [row for done in spool.done for row in done.rows]
    # From this version on HDF5 keeps checksums of its own structure.
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        file["about"] = np.frombuffer(sealed(about), np.uint8)
        file["shapes"] = np.array([(row.height, row.width) for row in rows], "<i4")
        sha256 = bytes.fromhex("".join(row.sha256 for row in rows))
        file["sha256"] = np.frombuffer(sha256, np.uint8).reshape(-1, 32)
        file["names"] = np.array([as_bytes(row.name) for row in rows])
        labels = [as_bytes(row.label) for row in rows if row.label is not None]
        if labels:
            file["labels"] = np.array(labels)
        pixels = file.create_dataset("pixels", (sum(row.size for row in rows),), "u1")
        spool.pixels.seek(0)
        for start in range(0, len(pixels), _BLOCK_BYTES):
            block = np.frombuffer(spool.pixels.read(_BLOCK_BYTES), np.uint8)
            pixels[start : start + len(block)] = block
