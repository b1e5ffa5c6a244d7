"""Many pictures in one HDF5 file: raw 8-bit pixels one after another, and a digest of each picture.

Contiguous datasets in the root group: ``pixels`` (bytes), ``shapes`` (n, 2), ``names`` (n),
``sha256`` (n, 32), ``about`` (a digest and JSON) and, where there are classes, ``labels`` (n).
Pixels are mapped from the file at their offset: no handle stays open that could cross a fork, no
HDF5 lock is held, and a crop reads what it needs. :mod:`palette.data.packing` writes such a file.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from palette.data.decoding import MAX_PIXELS
from palette.data.sources import Source, digest
from palette.data.stored import from_stored
from palette.errors import PictureError, UserError
from palette.progress import progress
from palette.types import Picture

FORMAT = b"palette pictures 1"


class Hdf5Source:
    """The pictures of a packed file, each compared with its digest when it is first read.

    Raises PictureError for a file that is another's or damaged.
    """

    inputs: Source | None = None

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._index = _read_index(self._path)
        self._identity = _identity(self._path)
        self.ids = self._index.names
        self.labels = self._index.labels
        self.about = self._index.about
        self._known = np.zeros(len(self.ids), bool)

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        """``(H, W, 3)`` float32 in [0, 1]. Raises PictureError where the bytes have changed."""
        return from_stored(self.stored(index))

    def stored(self, index: int) -> NDArray[np.uint8]:
        """``(H, W, 3)`` uint8, mapped from the file: read-only, and read as far as it is used."""
        name, label = self.ids[index], self.labels[index] if self.labels else None
        height, width = self.size(index)
        start, size = int(self._index.offsets[index]), height * width * 3
        try:
            same = _identity(self._path) == self._identity
            pixels = _mapped(self._path, self._identity)[start : start + size] if same else None
        except OSError as error:
            raise PictureError(f"{self._path}: {error.strerror}") from None
        if pixels is not None and not self._known[index]:
            found = digest_of(name, label, height, width, pixels)
            self._known[index] = found == bytes(self._index.sha256[index])
        if pixels is None or not self._known[index]:
            raise PictureError(f"{self._path}: the bytes of {name!r} have changed; pack it again")
        return pixels.reshape(height, width, 3)

    def size(self, index: int) -> tuple[int, int]:
        height, width = (int(side) for side in self._index.shapes[index])
        return height, width

    def fingerprint(self) -> str:
        rows = zip(self.ids, self._index.sha256, strict=True)
        return digest(f"{name} {bytes(sha256).hex()}" for name, sha256 in rows)


Identity = tuple[int, int, int]
"""What a file is by: its device, its number there and its size."""


def _identity(path: Path) -> Identity:
    status = path.stat()
    return status.st_dev, status.st_ino, status.st_size


@lru_cache(maxsize=8)
def _mapped(path: Path, identity: Identity) -> np.memmap[Any, np.dtype[np.uint8]]:
    """One map for the whole file, in each process: mapping every picture would take longer than
    copying it."""
    return np.memmap(path, np.uint8, "r")


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
    _mapped.cache_clear()  # lets go of the file: a mapped one cannot be renamed on Windows
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
    about: dict[str, Any]
    """How the file was made."""


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
    about = _opened(_dataset(file, "about", stored_bytes)[:].tobytes())
    return _Index(names, labels, shapes, sha256, offsets, about)


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


def as_bytes(text: str) -> bytes:
    return text.encode(errors="surrogateescape")


def digest_of(
    name: str, label: str | None, height: int, width: int, pixels: NDArray[np.uint8]
) -> bytes:
    """SHA-256 of all that the file says of one picture."""
    sha = hashlib.sha256(as_bytes(f"{name}\0{label or ''}\0{height}\0{width}\0"))
    sha.update(np.ascontiguousarray(pixels).data)
    return sha.digest()


def sealed(about: Mapping[str, Any]) -> bytes:
    """SHA-256 and JSON."""
    text = json.dumps(about, allow_nan=False).encode()
    return hashlib.sha256(text).digest() + text


def _opened(content: bytes) -> dict[str, Any]:
    if hashlib.sha256(content[32:]).digest() != content[:32]:
        raise UserError("what it says of its making has changed")
    return json.loads(content[32:])
