"""Picture files in and out. Nothing is silent: a file is read in full and in sRGB, or refused."""

from __future__ import annotations

import os
import warnings
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from palette.data.decoding import Decoded, decode, decode_pil
from palette.data.encoding import encode
from palette.data.jpeg_damage import damage
from palette.data.metadata import Metadata
from palette.data.stored import BitDepth, from_stored
from palette.errors import PictureError, UserError
from palette.files import write_bytes
from palette.types import Mask, Picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif")
SUFFIXES += (".avif", ".heic", ".heif", ".hif")
"""What a listing takes for pictures, in any case. Reading goes by content, not by suffix."""


SOFT = 0.01
"""A mask is soft where more of its pixels are grey: edges that were smoothed are fewer."""


@dataclass(frozen=True)
class Photo:
    """A decoded file, upright and in sRGB.

    ``picture`` (H, W, 3) float32 in [0, 1]; ``alpha`` (H, W) float32 in [0, 1], None where the file
    has no transparency; where it is 0 the picture has the nearest visible colour. ``bit_depth`` and
    ``grey`` say what the file held; grey is repeated to three channels. ``beyond`` (H, W, 3) is
    what clipping to sRGB cut off the colours of a wider profile, None where it was nothing.
    """

    picture: Picture
    alpha: NDArray[np.float32] | None
    bit_depth: BitDepth
    grey: bool
    metadata: Metadata = field(default_factory=Metadata)
    beyond: NDArray[np.float32] | None = None

    def cut(self, left: int, top: int, right: int, bottom: int) -> Photo:
        """The part between these pixels, with all that the photo has."""
        part = np.s_[top:bottom, left:right]
        return replace(
            self,
            picture=np.ascontiguousarray(self.picture[part]),
            alpha=None if self.alpha is None else np.ascontiguousarray(self.alpha[part]),
            beyond=None if self.beyond is None else np.ascontiguousarray(self.beyond[part]),
        )


def read(path: str | Path) -> Photo:
    """Read a PNG, JPEG, WebP, TIFF, BMP, GIF, AVIF or HEIC file, whatever its suffix says.

    EXIF orientation is applied; CMYK and embedded ICC profiles become sRGB; of several frames or
    pages the first is taken, with a warning. Every failure is a :class:`PictureError`; signs of
    damage in a JPEG file that decodes all the same are a warning.
    """
    photo = _photo(decode(Path(path)))
    if reason := damage(Path(path)):
        warnings.warn(f"{path}: seems damaged, look at it: {reason}", stacklevel=2)
    return photo


def from_pil(image: Image.Image) -> Photo:
    """A Pillow picture, read as :func:`read` reads its file."""
    return _photo(decode_pil(image))


def _photo(decoded: Decoded) -> Photo:
    return Photo(
        picture=from_stored(decoded.picture),
        alpha=None if decoded.alpha is None else from_stored(decoded.alpha),
        bit_depth=decoded.bit_depth,
        grey=decoded.grey,
        metadata=decoded.metadata,
        beyond=decoded.beyond,
    )


def read_stored(path: str | Path) -> NDArray:
    """The picture of :func:`read` as it is stored: (H, W, 3) uint8 or uint16.

    :func:`palette.data.stored.from_stored` makes the same floats of it. float32 in [0, 1] where a
    profile was applied. For training: signs of damage are not looked for, and what needs a crop
    only is faster cropped first.
    """
    decoded = decode(Path(path))
    require_visible(path, decoded.alpha)
    return decoded.picture


def require_visible(path: str | Path, alpha: NDArray | None) -> None:
    """For a picture that is learnt from or judged by, of which alpha (H, W) is not kept.

    PictureError where nothing of it can be seen; a warning where parts of it cannot.
    """
    if alpha is None or alpha.all():
        return
    if not alpha.any():
        raise PictureError(f"{path}: nothing of it can be seen, it is transparent everywhere")
    # the same words for all, so that they are said once
    warnings.warn(
        "what pictures hide under full transparency is not used: such pixels have the colour of "
        "the nearest visible one",
        stacklevel=2,
    )


def read_mask(path: str | Path, size: tuple[int, int]) -> Mask:
    """The mask in a file: see :func:`mask_of`."""
    return mask_of(read(path), size, str(path))


def mask_of(photo: Photo, size: tuple[int, int], name: str) -> Mask:
    """``(H, W)``, True where ``photo`` is at least half white and half opaque: what is missing.

    Where it holds nothing but the stored values 0 and 1, these are meant. ``size`` is the picture's
    (height, width). Raises PictureError, beginning with ``name``, for any other size and where all
    that is drawn is too dark; black everywhere is a warning, and so is a mask that is soft.
    """
    if photo.picture.shape[:2] != tuple(size):
        (height, width), (h, w) = size, photo.picture.shape[:2]
        raise PictureError(
            f"{name}: the mask has {w}×{h} pixels and the picture {width}×{height}; make them equal"
        )
    white = photo.picture.mean(axis=-1)
    if photo.alpha is not None:
        white *= photo.alpha
    one = 1 / (255 if photo.bit_depth == 8 else 65535)
    missing = white >= (one / 2 if white.max() < 1.5 * one else 0.5)
    if not missing.any() and white.max() > 0:
        raise PictureError(
            f"{name} marks nothing: it is {white.max():.2f} at its brightest, and what is missing "
            f"is white, from 0.50 on"
        )
    if not missing.any():
        warnings.warn(f"{name} marks nothing, it is black: all is known", stacklevel=3)
    soft = float(np.mean((white > 0.1) & (white < 0.9)))
    if soft > SOFT:
        warnings.warn(
            f"{name} is soft, {soft:.0%} of it is grey: missing is what is at least half white",
            stacklevel=3,
        )
    return missing


@dataclass(frozen=True)
class Listing:
    """What a folder holds."""

    pictures: list[Path]
    """By their suffix, in any case; sorted by their path below the folder."""
    others: Counter[str]
    """How many files there are of each other suffix, in lower case; "" are those without one."""

    def passed_over(self) -> str:
        """ "3 .heic, 1 without a suffix", most frequent first; empty where all are pictures."""
        found = self.others.most_common()
        return ", ".join(f"{n} {suffix or 'without a suffix'}" for suffix, n in found)

    def require_pictures(self, root: Path) -> None:
        """UserError where there are none in the folder ``root``, of which this is the listing."""
        if not self.pictures:
            instead = f", only files of other kinds ({self.passed_over()})" if self.others else ""
            raise UserError(
                f"{root} holds no pictures{instead}: choose a folder with files that end in "
                f"{', '.join(SUFFIXES)}"
            )


def list_pictures(root: str | Path, recursive: bool = True) -> list[Path]:
    """The pictures of :func:`list_folder`; a file is a list of itself. UserError for none."""
    root = Path(root)
    if root.is_file():
        return [root]
    listing = list_folder(root, recursive)
    listing.require_pictures(root)
    return listing.pictures


def list_folder(root: str | Path, recursive: bool = True, leave: Iterable[Path] = ()) -> Listing:
    """What is in a folder, apart from hidden files and folders.

    Linked folders are followed, each real folder once; those of ``leave`` are not entered, however
    they are reached. No file is opened. Raises UserError for a missing folder.
    """
    root = Path(root)
    if not root.is_dir():
        raise UserError(f"{root}: no such folder or file; give the path of an existing one")
    found, others = [], Counter[str]()
    seen = {_identity(folder) for folder in leave if folder.is_dir()}
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse_folder):
        if _identity(folder) in seen:
            folders.clear()
            continue
        seen.add(_identity(folder))
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        for name in names:
            if name.lower().endswith(SUFFIXES) and not name.startswith("."):
                found.append(Path(folder, name))
            elif not name.startswith("."):
                others[Path(name).suffix.lower()] += 1
    return Listing(sorted(found, key=lambda path: path.relative_to(root).as_posix()), others)


def _identity(folder: str | Path) -> tuple[int, int]:
    """One for each real folder, by whatever path."""
    status = os.stat(folder)
    return status.st_dev, status.st_ino


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: {error.strerror}; make the folder readable") from error


def write(
    path: str | Path,
    picture: Picture,
    alpha: NDArray[np.float32] | None = None,
    bit_depth: BitDepth = 8,
    *,
    grey: bool = False,
    quality: int | None = None,
    metadata: Metadata | None = None,
    beyond: NDArray[np.float32] | None = None,
) -> None:
    """Write ``(H, W, 3)`` float32 in [0, 1], rounded to the nearest stored value.

    The file is complete or absent. The suffix decides: .png, .tif and .webp are lossless, .jpg has
    ``quality`` 95 and no chroma subsampling; a quality makes .webp lossy too. ``alpha`` (H, W) goes
    into any but .jpg; 16 bits into .png and .tif. ``grey`` writes one channel, the mean of three.

    EXIF and XMP of ``metadata`` get the size of the picture, orientation 1 and lose the thumbnail;
    its dpi stay, but in .webp, which has none. With a profile the pixels are written in its
    colours, ``beyond`` (H, W, 3) added to them first (see :class:`Photo`).
    Raises UserError for what a format or a picture cannot be.
    """
    path = Path(path)
    data = encode(path, picture, alpha, bit_depth, grey, quality, metadata, beyond)
    write_bytes(path, data)
