"""Writing the file of :mod:`palette.data.hdf5`: resumable, verified, complete or absent.

A contiguous dataset needs its size before its first byte. So pixels wait in a hidden folder beside
the file, with a line for each picture that is done: a packing that was killed goes on from there
when it is started again, and ends in the same bytes.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import IO, Any, Self

import h5py
import numpy as np
from numpy.typing import NDArray

from palette.data.hdf5 import FORMAT, Hdf5Source, as_bytes, digest_of, sealed, verify
from palette.data.selecting import Hashes, Selection, perceptual_hash, piece_name, whole_name
from palette.data.sources import Source
from palette.data.stored import to_stored
from palette.errors import MachineError, PictureError, UserError
from palette.files import as_json, lock, replacing, write_json
from palette.progress import Progress

LeftOut = dict[str, list[str]]
"""What is not in a file, a line each, by the reason: broken, small, duplicate, flat, blurred."""

_BLOCK_BYTES = 2**24


def pack(
    source: Source,
    path: str | Path,
    selection: Selection | None = None,
    notes: Mapping[str, Any] | None = None,
) -> LeftOut:
    """Write the pictures of ``source`` with 8 bits; return what was left out.

    A packing that was stopped goes on; a file that the same call made is left as it is. ``notes``
    are plain JSON values, kept in the file. Raises UserError where another file is there,
    PictureError where no picture remains, InUse.
    """
    path, selection = Path(path), selection or Selection()
    about = {"source": source.fingerprint(), "selection": asdict(selection), **(notes or {})}
    waiting = path.with_name(f".{path.name}.packing")
    if selection.cut is not None:
        _refuse_names_of_pieces(source.ids)
    left_out = _made_before(path, about)
    if left_out is None:
        waiting.mkdir(parents=True, exist_ok=True)
        with lock(waiting), _Spool.opened(waiting, about) as spool:
            _fill(spool, source, selection)
            left_out = spool.left_out()
            if any(done.rows for done in spool.done):
                with replacing(path, by=waiting / "whole") as whole:
                    _write(whole, spool, {**about, "left_out": left_out})
                    if wrong := verify(whole):
                        raise MachineError(f"{path} was not written soundly: {wrong[0]}")
    shutil.rmtree(waiting, ignore_errors=True)
    if not path.exists():
        first = next(iter(left_out.values()))[0]
        raise PictureError(f"no picture remains, of {counted(left_out)}; the first: {first}")
    return left_out


def counted(left_out: LeftOut) -> str:
    """ "2 broken, 1 small"."""
    return ", ".join(f"{len(lines)} {reason}" for reason, lines in left_out.items())


def _refuse_names_of_pieces(names: list[str]) -> None:
    known = set(names)
    for name in names:
        if (whole := whole_name(name)) != name and whole in known:
            raise UserError(f"{name} has the name of a piece of {whole}: rename one of them")


def _made_before(path: Path, about: dict[str, Any]) -> LeftOut | None:
    """What was left out of a file that the same call made; None where there is no file."""
    if not path.exists():
        return None
    with suppress(PictureError):
        found = Hdf5Source(path).about
        if {key: value for key, value in found.items() if key != "left_out"} == about:
            return found["left_out"]
    raise UserError(f"{path} exists and is not overwritten: choose another output")


@dataclass(frozen=True)
class _Row:
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
class _Done:
    """What became of one picture of the source: rows of the file, none or more."""

    rows: list[_Row] = field(default_factory=list)
    left_out: list[tuple[str, str]] = field(default_factory=list)
    """Each with the reason and a line."""
    hash: tuple[str, int | None] | None = None
    """The name of a picture that later ones are compared with."""

    @classmethod
    def parse(cls, line: bytes) -> Self | None:
        """None for a line that is cut off or damaged."""
        try:
            values = json.loads(line)
            rows = [_Row(**row) for row in values.pop("rows")]
            return cls(rows, **values) if line.endswith(b"\n") else None
        except (ValueError, TypeError, KeyError, AttributeError):
            return None


class _Spool:
    """Pixels one after another, and a line for each picture of the source that is done."""

    def __init__(self, pixels: IO[bytes], lines: IO[bytes]) -> None:
        """What is whole in the files is kept, the rest cut off."""
        self.pixels, self._lines = pixels, lines
        self.done: list[_Done] = []
        self.hashes = Hashes()
        pixels.seek(0)
        lines.seek(0)
        end = lines_end = 0
        for line in lines:
            done = _Done.parse(line)
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

    def add(self, done: _Done, pieces: list[NDArray[np.uint8]]) -> None:
        """The pixels are in the file before the line that counts them."""
        for piece in pieces:
            self.pixels.write(piece.tobytes())
        self.pixels.flush()
        self._lines.write(json.dumps(asdict(done)).encode() + b"\n")
        self._lines.flush()
        self._count(done)

    def _count(self, done: _Done) -> None:
        self.done.append(done)
        if done.hash is not None:
            self.hashes.add(*done.hash)

    def left_out(self) -> LeftOut:
        found: LeftOut = {}
        for done in self.done:
            for reason, line in done.left_out:
                found.setdefault(reason, []).append(line)
        return found


def _fill(spool: _Spool, source: Source, selection: Selection) -> None:
    with Progress(len(source), "pack", done=len(spool.done)) as bar:
        for index in range(len(spool.done), len(source)):
            spool.add(*_selected(source, index, selection, spool.hashes))
            bar.update()


def _selected(
    source: Source, index: int, selection: Selection, hashes: Hashes
) -> tuple[_Done, list[NDArray[np.uint8]]]:
    """What is kept of one picture, and its pixels."""
    name, label = source.ids[index], source.labels[index] if source.labels else None
    try:
        picture = to_stored(source.read(index), 8)
    except PictureError as error:
        return _Done(left_out=[("broken", str(error))]), []
    height, width = picture.shape[:2]
    if min(height, width) < selection.min_side:
        return _Done(left_out=[("small", f"{name}: {width}×{height} pixels")]), []
    hashed = None
    if selection.distinct:
        hashed = name, perceptual_hash(picture)
        if (earlier := hashes.alike(hashed[1])) is not None:
            return _Done(left_out=[("duplicate", f"{name}: looks like {earlier}")]), []
    rows, left_out, kept = [], [], []
    places = selection.pieces(height, width)
    for place in places:
        piece = np.ascontiguousarray(place.of(picture))
        called = name if len(places) == 1 else piece_name(name, place)
        if fault := selection.fault(piece):
            left_out.append((fault, called))
        else:
            rows.append(_Row.of(called, label, piece))
            kept.append(piece)
    return _Done(rows, left_out, hashed if rows else None), kept


def _write(path: Path, spool: _Spool, about: dict[str, Any]) -> None:
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
