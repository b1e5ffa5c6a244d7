"""Masks that a user has: picture files below a folder, or the arrays of an .npz file."""

from __future__ import annotations

import hashlib
import os
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from palette.errors import PictureError, UserError
from palette.files import sha256
from palette.progress import progress
from palette.types import Mask, Params, Spec

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff")
FORMATS = ("PNG", "JPEG", "BMP", "WEBP", "TIFF")
"""No other parser sees a file."""
PACKED_SIDE = 256
"""Of masks that an .npz holds as bits in one row, as those that Palette's authors published."""


@dataclass(frozen=True)
class MaskFiles:
    """A shape of :mod:`palette.degradations.masks`. Params: height, width, mask (a name), flips.

    ``where`` is a folder, an .npz file, or FILE.npz:NAME for one of the arrays of a file. White,
    more than half of the range, is missing. Masks are resized (nearest) to the picture.
    """

    where: str

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        """A mask at random, flipped at random."""
        names = self._stored.names
        return {
            "height": spec.height,
            "width": spec.width,
            "mask": names[rng.integers(len(names))],
            "flip_rows": bool(rng.integers(2)),
            "flip_columns": bool(rng.integers(2)),
        }

    def params_of(self, name: str, spec: Spec) -> Params:
        """This mask, as it is."""
        flips = {"flip_rows": False, "flip_columns": False}
        return {"height": spec.height, "width": spec.width, "mask": name, **flips}

    def mask(self, params: Params) -> Mask:
        stored = self._stored.read(params["mask"]).astype(np.uint8)
        size = (params["width"], params["height"])
        missing = cv2.resize(stored, size, interpolation=cv2.INTER_NEAREST_EXACT) > 0
        missing = missing[::-1] if params["flip_rows"] else missing
        return np.ascontiguousarray(missing[:, ::-1] if params["flip_columns"] else missing)

    def for_pictures(self, names: Sequence[str]) -> list[str]:
        """The mask of each picture (paths without suffix): the one of its name, or where no mask
        has the name of a picture, the masks in their order, from the first again where they end.

        UserError where only some have a mask.
        """
        masks = self._stored.names
        named = {str(PurePosixPath(mask).with_suffix("")): mask for mask in masks}
        without = [name for name in names if name not in named]
        if len(without) == len(names):
            return [masks[i % len(masks)] for i in range(len(names))]
        if without:
            raise UserError(
                f"{len(without)} of {len(names)} pictures have no mask of their name in "
                f"{self.where}, e.g. {without[0]}: add them, or rename all to be taken in order"
            )
        return [named[name] for name in names]

    def check(self) -> None:
        """Read every mask; PictureError names those that cannot be."""
        broken: list[PictureError] = []
        for name in progress(self._stored.names, "check", "masks"):
            try:
                self._stored.read(name)
            except PictureError as error:
                broken.append(error)
        if broken:
            raise PictureError(f"{len(broken)} of {len(self)} masks are broken: {broken[0]}")

    @property
    def digest(self) -> str:
        """Of the names and sizes of the files in a folder, or of the bytes of an .npz file."""
        return self._stored.digest

    def __len__(self) -> int:
        return len(self._stored.names)

    @cached_property
    def _stored(self) -> Stored:
        return _open(self.where)


class Stored(ABC):
    """Masks by name."""

    names: list[str]

    @abstractmethod
    def read(self, name: str) -> Mask: ...

    @property
    @abstractmethod
    def digest(self) -> str: ...


class Folder(Stored):
    def __init__(self, root: Path) -> None:
        self.root = root
        files = [Path(folder, name) for folder, _, names in os.walk(root) for name in names]
        masks = [f for f in files if f.suffix.lower() in SUFFIXES and not f.name.startswith(".")]
        self.names = sorted(file.relative_to(root).as_posix() for file in masks)
        if not self.names:
            raise UserError(
                f"{root} holds no masks: put pictures there, white where one is missing"
            )

    def read(self, name: str) -> Mask:
        path = self.root / name
        try:
            with Image.open(path, formats=FORMATS) as image:  # OpenCV fills in what is cut off
                ImageOps.exif_transpose(image, in_place=True)
                if image.mode.startswith("I;16"):
                    return np.asarray(image) > 32767
                return np.asarray(image.convert("L")) > 127
        except Exception as error:  # parsers raise anything at all on damaged files
            reason = " ".join(str(error).split()) or type(error).__name__
            raise PictureError(
                f"cannot read the mask {path}: {reason}; take it away, or save it again"
            ) from None

    @property
    def digest(self) -> str:
        lines = [f"{name} {(self.root / name).stat().st_size}\n" for name in self.names]
        return hashlib.sha256("".join(lines).encode(errors="surrogateescape")).hexdigest()


class Arrays(Stored):
    """One array of an .npz file: (n, H, W), or masks of 256×256 as bits in one row."""

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, key
        try:
            with np.load(path, allow_pickle=False) as arrays:
                keys = arrays.files
                if key not in keys and (key or len(keys) != 1):
                    choices = ", ".join(f"{path}:{name}" for name in keys)
                    raise UserError(f"{path} holds {len(keys)} arrays: choose from {choices}")
                self.array: NDArray = arrays[key or keys[0]]
        except UserError:
            raise
        except Exception as error:  # a damaged file raises anything at all
            raise UserError(f"{path} is no sound .npz file: {error}") from None
        if self.array.ndim == 4:
            self.array = self.array.squeeze()
        self.packed = self.array.ndim == 1 and self.array.dtype == np.uint8
        each = PACKED_SIDE**2 // 8 if self.packed else 1
        if len(self.array) == 0 or len(self.array) % each or self.array.ndim not in (1, 3):
            raise UserError(
                f"{path} holds an array {self.array.shape} of {self.array.dtype}: give (n, H, W), "
                f"or uint8 with the bits of masks of {PACKED_SIDE}×{PACKED_SIDE}"
            )
        self.names = [str(number) for number in range(len(self.array) // each)]

    def read(self, name: str) -> Mask:
        number = int(name)
        if not self.packed:
            return self.array[number] > self._half
        each = PACKED_SIDE**2 // 8
        bits = np.unpackbits(self.array[number * each : (number + 1) * each])
        return bits.reshape(PACKED_SIDE, PACKED_SIDE) > 0

    @cached_property
    def _half(self) -> float:
        """Of the range of the values: 0 to 1, or those of 8 bits."""
        return 127 if self.array.max() > 1 else 0.5

    @property
    def digest(self) -> str:
        return hashlib.sha256(f"{sha256(self.path)} {self.key}".encode()).hexdigest()


def _open(where: str) -> Stored:
    name, npz, key = where.rpartition(".npz:")
    path = Path(f"{name}.npz" if npz else where)
    if path.is_dir():
        return Folder(path)
    if path.suffix.lower() == ".npz" and path.is_file():
        return Arrays(path, key if npz else "")
    raise UserError(f"{where}: no folder and no .npz file of masks is there; check mask-files")
