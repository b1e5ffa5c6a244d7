"""What is in a data set: sizes, kinds, grey and repeated pictures, JPEG quality, what is broken."""

from __future__ import annotations

import io
import statistics
import warnings
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette.data.decoding import decode
from palette.data.formats import formats_of
from palette.data.hdf5 import Hdf5Source
from palette.data.images import list_folder
from palette.data.opening import HDF5_SUFFIXES
from palette.data.selecting import Hashes, contrast_and_sharpness, perceptual_hash
from palette.data.stored import from_stored, is_grey, to_stored
from palette.errors import PictureError, UserError
from palette.progress import progress


@dataclass(frozen=True)
class Seen:
    """What one picture is."""

    name: str
    height: int
    width: int
    kind: str
    bits: int
    transparent: bool
    grey: bool
    contrast: float
    """As in ``palette pack --min-contrast``."""
    sharpness: float
    """As in ``palette pack --min-sharpness``."""
    hash: int | None
    quality: int | None = None
    """Of a JPEG file, by its quantization tables."""

    @classmethod
    def of(cls, name: str, pixels: NDArray, kind: str, bits: int, transparent: bool) -> Seen:
        """``pixels`` (H, W, 3) as stored."""
        height, width = pixels.shape[:2]
        small = pixels if pixels.dtype == np.uint8 else to_stored(from_stored(pixels), 8)
        what = (kind, bits, transparent, is_grey(pixels))
        return cls(
            name, height, width, *what, *contrast_and_sharpness(small), perceptual_hash(small)
        )


@dataclass(frozen=True)
class Survey:
    """Of a folder, a picture or a packed file."""

    seen: Sequence[Seen]
    broken: Sequence[str]
    """A line each."""
    warned: Sequence[str]
    passed_over: dict[str, int]
    """Files that are no pictures, by suffix."""
    about: dict[str, Any] | None = None
    """How a packed file was made."""

    def as_json(self) -> dict[str, Any]:
        """Plain values; what is empty is left out."""
        seen, known = self.seen, Hashes()
        repeated = []
        for one in seen:
            if (earlier := known.alike(one.hash)) is not None:
                repeated.append(f"{one.name}: looks like {earlier}")
            known.add(one.name, one.hash)
        found = {
            "pictures": len(seen),
            "megapixels": round(sum(one.height * one.width for one in seen) / 1e6, 1),
            "shorter side": _spread([min(one.height, one.width) for one in seen]),
            "longer side": _spread([max(one.height, one.width) for one in seen]),
            "kinds": dict(Counter(one.kind for one in seen).most_common()),
            "bits": {str(bits): n for bits, n in Counter(one.bits for one in seen).items()},
            "JPEG quality": _spread([one.quality for one in seen if one.quality is not None]),
            "grey": sum(one.grey for one in seen),
            "transparent": sum(one.transparent for one in seen),
            "contrast": _spread([round(one.contrast, 1) for one in seen]),
            "sharpness": _spread([round(one.sharpness, 1) for one in seen]),
            "repeated": repeated,
            "broken": list(self.broken),
            "warnings": list(self.warned),
            "passed over": self.passed_over,
            "packed": self.about,
        }
        return {key: value for key, value in found.items() if value not in (None, {}, [])}


def survey(path: Path) -> Survey:
    """Look at every picture of a folder, a picture file or a packed file (.h5).

    Raises UserError where there are none.
    """
    if path.is_file() and path.suffix.lower() in HDF5_SUFFIXES:
        return _of_packed(path)
    listing = None if path.is_file() else list_folder(path)
    paths = [path] if listing is None else listing.pictures
    if not paths:
        raise UserError(f"{path} holds no pictures, no run and no model: choose another folder")
    seen, broken, warned = [], [], []
    for file in progress(paths, "look at"):
        name = file.name if listing is None else file.relative_to(path).as_posix()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            try:
                seen.append(_of_file(file, name))
            except PictureError as error:
                broken.append(str(error))
        warned += [str(one.message) for one in caught]
    return Survey(seen, broken, warned, {} if listing is None else dict(listing.others))


def _of_file(path: Path, name: str) -> Seen:
    decoded = decode(path)
    with Image.open(path, formats=formats_of(path)) as image:
        kind, tables = image.format or "", getattr(image, "quantization", None)
    transparent = decoded.alpha is not None
    seen = Seen.of(name, decoded.picture, kind, decoded.bit_depth, transparent)
    return replace(seen, quality=jpeg_quality(tables[0])) if tables else seen


def _of_packed(path: Path) -> Survey:
    source = Hdf5Source(path)
    seen, broken = [], []
    for index in progress(range(len(source)), "look at"):
        try:
            seen.append(Seen.of(source.ids[index], source.stored(index), "packed", 8, False))
        except PictureError as error:
            broken.append(str(error))
    return Survey(seen, broken, [], {}, source.about)


def jpeg_quality(table: Sequence[int]) -> int:
    """The quality, 1 to 100, at which libjpeg's table of the luma is nearest to ``table`` (64).

    Exact for what libjpeg wrote, an estimate for files of cameras and others.
    """
    return 1 + int(np.abs(_tables() - np.sort(table)).sum(axis=1).argmin())


@cache
def _tables() -> NDArray[np.int64]:
    """(100, 64): libjpeg's at each quality, sorted, as their order is not the same everywhere."""
    tables = []
    for quality in range(1, 101):
        file = io.BytesIO()
        Image.new("L", (8, 8)).save(file, "JPEG", quality=quality)
        with Image.open(file) as image:
            tables.append(sorted(image.quantization[0]))  # type: ignore[attr-defined]
    return np.array(tables)


def _spread(values: Sequence[float]) -> dict[str, float]:
    if not values:
        return {}
    return {"least": min(values), "median": statistics.median_low(values), "most": max(values)}
