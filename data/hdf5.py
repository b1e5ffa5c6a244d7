"""Many pictures in one HDF5 file: raw 8-bit pixels one after another, and a digest of each picture.

Contiguous datasets in the root group: ``pixels`` (bytes), ``shapes`` (n, 2), ``names`` (n),
``sha256`` (n, 32) and, where there are classes, ``labels`` (n). Pixels are read straight from the
file at their offset: no handle stays open that could cross a fork, and no HDF5 lock is held.
"""

from __future__ import annotations

import hashlib
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import IO

import h5py
import numpy as np
from numpy.typing import NDArray

from palette.data.decoding import MAX_PIXELS
from palette.data.sources import Source, digest
from palette.data.stored import from_stored, to_stored
from palette.errors import MachineError, PictureError, UserError
from palette.files import replacing
from palette.progress import progress
from palette.types import Picture

FORMAT = b"palette pictures 1"

_BLOCK_BYTES = 2**24


class Hdf5Source:
    """The pictures of a file that :func:`pack` wrote, each compared with its digest when read.

    Raises PictureError for a file that is another's or damaged.
    """

    inputs: Source | None = None

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._index = _read_index(self._path)
        self.ids = self._index.names
        self.labels = self._index.labels

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        """``(H, W, 3)`` float32 in [0, 1]. Raises PictureError where the bytes have changed."""
        return from_stored(self.stored(index))

    def stored(self, index: int) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8."""
        name, label = self.ids[index], self.labels[index] if self.labels else ""
        height, width = self.size(index)
        offset = int(self._index.offsets[index])
        try:
            pixels = np.fromfile(self._path, np.uint8, height * width * 3, offset=offset)
        except OSError as error:
            raise PictureError(f"{self._path}: {error.strerror}") from None
        if _digest(name, label, (height, width), pixels) != bytes(self._index.sha256[index]):
            raise PictureError(f"{self._path}: the bytes of {name!r} have changed; pack it again")
        return pixels.reshape(height, width, 3)

    def size(self, index: int) -> tuple[int, int]:
        height, width = (int(side) for side in self._index.shapes[index])
        return height, width

    def fingerprint(self) -> str:
        rows = zip(self.ids, self._index.sha256, strict=True)
        return digest(f"{name} {bytes(sha256).hex()}" for name, sha256 in rows)


def pack(source: Source, path: str | Path) -> list[str]:
    """Write the pictures of ``source`` with 8 bits; return one line for each that is broken.

    Those are left out. The file is verified before it takes the name ``path``. Raises PictureError
    where all are broken; nothing is written then.
    """
    path = Path(path)
    # A contiguous dataset needs its size before its first byte: pixels wait in a spool file.
    with tempfile.TemporaryFile(dir=path.parent) as spool:
        rows, problems = _spool(source, spool)
        if not rows:
            raise PictureError(f"no picture can be read; the first: {problems[0]}")
        with replacing(path) as temporary:
            _write(temporary, rows, spool)
            if wrong := verify(temporary):
                raise MachineError(f"{path} was not written soundly: {wrong[0]}")
    return problems


@dataclass(frozen=True)
class _Row:
    """One picture of a pack, its pixels apart."""

    name: str
    label: str | None
    shape: tuple[int, int]
    sha256: bytes


def _spool(source: Source, spool: IO[bytes]) -> tuple[list[_Row], list[str]]:
    """Write all pixels to ``spool``; the rows of the pictures, and a line for each broken one."""
    rows: list[_Row] = []
    problems: list[str] = []
    for i in progress(range(len(source)), "pack"):
        try:
            pixels = to_stored(source.read(i), 8)
        except PictureError as error:
            problems.append(str(error))
            continue
        spool.write(pixels.tobytes())
        name, label = source.ids[i], source.labels[i] if source.labels else None
        shape = (pixels.shape[0], pixels.shape[1])
        rows.append(_Row(name, label, shape, _digest(name, label or "", shape, pixels)))
    return rows, problems


def _write(path: Path, rows: list[_Row], spool: IO[bytes]) -> None:
    # From this version on HDF5 keeps checksums of its own structure.
    with h5py.File(path, "w", libver=("v110", "v110")) as file:
        file.attrs["format"] = np.bytes_(FORMAT)
        file["shapes"] = np.array([row.shape for row in rows], "<i4")
        sha256 = b"".join(row.sha256 for row in rows)
        file["sha256"] = np.frombuffer(sha256, np.uint8).reshape(-1, 32)
        file["names"] = np.array([_bytes(row.name) for row in rows])
        labels = [_bytes(row.label) for row in rows if row.label is not None]
        if labels:
            file["labels"] = np.array(labels)
        pixels = file.create_dataset("pixels", (spool.tell(),), "u1")
        spool.seek(0)
        for start in range(0, len(pixels), _BLOCK_BYTES):
            block = np.frombuffer(spool.read(_BLOCK_BYTES), np.uint8)
            pixels[start : start + len(block)] = block


def verify(path: str | Path) -> list[str]:
    """Read every picture; return the problems, a line each. A sound pack has none."""
    try:
        source = Hdf5Source(path)
    except PictureError as error:
        return [str(error)]
    problems: list[str] = []
    for i in progress(range(len(source)), "verify"):
        try:
            source.read(i)
        except PictureError as error:
            problems.append(str(error))
    return problems


@dataclass(frozen=True)
class _Index:
    names: list[str]
    labels: list[str] | None
    shapes: NDArray[np.int64]
    """(n, 2): height and width."""
    sha256: NDArray[np.uint8]
    """(n, 32)."""
    offsets: NDArray[np.int64]
    """(n,): where in the file the pixels of each picture begin."""


def _read_index(path: Path) -> _Index:
    if not path.is_file():
        raise PictureError(f"{path}: no such file; give one that `palette pack` made")
    try:
        with h5py.File(path, "r") as file:
            return _index(file, path.stat().st_size)
    except Exception as error:  # a damaged structure raises anything at all
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"{path}: not a sound file of `palette pack`: {reason}") from error


def _index(file: h5py.File, stored_bytes: int) -> _Index:
    if file.attrs.get("format") != FORMAT:
        raise UserError(f"its attribute 'format' is not {FORMAT.decode()!r}")
    pixels = _dataset(file, "pixels", stored_bytes)
    shapes = _dataset(file, "shapes", stored_bytes)[:].astype(np.int64)
    sha256 = _dataset(file, "sha256", stored_bytes)[:]
    names = _texts(_dataset(file, "names", stored_bytes))
    labels = _texts(_dataset(file, "labels", stored_bytes)) if "labels" in file else None
    n = len(names)
    if not n or len(set(names)) != n or (labels is not None and len(labels) != n):
        raise UserError("its names are missing, repeated or not as many as its labels")
    if shapes.shape != (n, 2) or sha256.shape != (n, 32) or sha256.dtype != np.uint8:
        raise UserError("its shapes or digests are not as many as its names")
    sizes = shapes.prod(axis=1) * 3
    # The bounds come first: a product or a sum that overflows could add up as well.
    sound = 1 <= shapes.min() <= shapes.max() <= MAX_PIXELS and sizes.max() <= 3 * MAX_PIXELS
    if not sound or pixels.dtype != np.uint8 or sizes.sum() != pixels.size:
        raise UserError("its shapes do not add up to its pixels")
    offsets = pixels.id.get_offset() + np.cumsum(sizes) - sizes
    return _Index(names, labels, shapes, sha256, offsets)


def _dataset(file: h5py.File, name: str, stored_bytes: int) -> h5py.Dataset:
    """A dataset of this file, in one piece. Links could reach any file: refused."""
    link = file.get(name, getlink=True)
    if not isinstance(link, h5py.HardLink):
        raise UserError(f"{name!r} is missing or a {type(link).__name__}")
    entry = file[name]
    if not isinstance(entry, h5py.Dataset) or entry.is_virtual or entry.external:
        raise UserError(f"{name!r} is not in the file itself")
    offset = entry.id.get_offset()
    if offset is None or offset + entry.nbytes > stored_bytes:
        raise UserError(f"{name!r} claims {entry.nbytes} bytes that are not stored in one piece")
    return entry


def _texts(entry: h5py.Dataset) -> list[str]:
    if entry.dtype.kind != "S" or entry.ndim != 1:
        raise UserError(f"{entry.name!r} is not a list of texts")
    return [bytes(text).decode(errors="surrogateescape") for text in entry[:]]


def _bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def _digest(name: str, label: str, shape: tuple[int, int], pixels: NDArray[np.uint8]) -> bytes:
    """SHA-256 of all that the file says of one picture."""
    sha = hashlib.sha256(_bytes(f"{name}\0{label}\0{shape[0]}\0{shape[1]}\0"))
    sha.update(np.ascontiguousarray(pixels).data)
    return sha.digest()
