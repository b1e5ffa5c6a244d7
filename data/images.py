"""Picture files in and out. Nothing is silent: a file is read in full and in sRGB, or refused.

Pillow identifies and decodes, because it raises on truncated files where OpenCV fills in grey;
OpenCV reads 16-bit colour, of which Pillow keeps the upper byte only.
"""

from __future__ import annotations

import os
import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, TiffImagePlugin, UnidentifiedImageError

from palette.data.encoding import encode
from palette.data.icc import curves_to_srgb, transform_to_srgb
from palette.errors import PictureError, UserError
from palette.files import replacing
from palette.types import Mask, Picture

SUFFIXES = (".png", ".jpg", ".jpeg", ".jpe", ".jfif", ".webp", ".tif", ".tiff", ".bmp", ".gif")
"""What a listing takes for pictures, in any case. Reading goes by content, not by suffix."""

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""The only parsers that a file may reach."""

MAX_PIXELS = 2**27
"""134 megapixels: a header that claims more is refused before anything is decoded."""

HIGHEST = {np.uint8: 255, np.uint16: 65535}
"""The level that is 1."""

_GREY_MODES_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *_GREY_MODES_16)
_MODES_16 = ("RGB", "RGBA", "RGBX", *_GREY_MODES)
_MODES_8 = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")
_EXIF_ORIENTATION = 0x0112


@dataclass(frozen=True)
class Photo:
    """A decoded file, upright and in sRGB.

    ``picture`` (H, W, 3) float32 in [0, 1]; ``alpha`` (H, W) float32 in [0, 1], None where the file
    has no transparency. ``bit_depth`` and ``grey`` tell what the file held; grey is repeated to
    three channels.
    """

    picture: Picture
    alpha: NDArray[np.float32] | None
    bit_depth: Literal[8, 16]
    grey: bool


def read(path: str | Path) -> Photo:
    """Read a PNG, JPEG, WebP, TIFF, BMP or GIF file, whatever its suffix says.

    EXIF orientation is applied; CMYK and embedded ICC profiles become sRGB; of several frames or
    pages the first is taken, with a warning. Every failure is a :class:`PictureError`.
    """
    decoded = _read(path)
    return Photo(
        picture=in_unit_range(decoded.picture),
        alpha=None if decoded.alpha is None else in_unit_range(decoded.alpha),
        bit_depth=decoded.bit_depth,
        grey=decoded.grey,
    )


def read_levels(path: str | Path) -> NDArray:
    """The picture of :func:`read` before its division: (H, W, 3) uint8 or uint16, of which
    :func:`in_unit_range` makes the same floats; float32 in [0, 1] where a profile was applied to
    16 bits. A crop of it is converted sooner than the whole.
    """
    return _read(path).picture


def _read(path: str | Path) -> _Decoded:
    path = Path(path)
    _require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            image = Image.open(path, formats=FORMATS)
        with image:
            return _decode(image, path)
    except PictureError:
        raise
    except UnidentifiedImageError:
        reason = f"no {', '.join(FORMATS)} file, or its header is damaged or cut off"
        raise PictureError(f"{path}: {reason}") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{path}: its header claims more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # parsers raise anything at all on damaged files
        reason = " ".join(str(error).split()) or type(error).__name__
        raise PictureError(f"{path}: cannot be decoded: {reason}") from error


def read_mask(path: str | Path, size: tuple[int, int]) -> Mask:
    """``(H, W)``, True where the file is at least half white: there the picture is missing.

    ``size`` is the picture's (height, width). Raises :class:`PictureError` for any other size.
    """
    picture = read(path).picture
    if picture.shape[:2] != tuple(size):
        (height, width), (h, w) = size, picture.shape[:2]
        raise PictureError(
            f"{path}: the mask has {w}×{h} pixels and the picture {width}×{height}; make them equal"
        )
    return picture.mean(axis=-1) >= 0.5


def list_pictures(root: str | Path, recursive: bool = True) -> list[Path]:
    """The pictures in a folder, by suffix in any case, sorted by their path below ``root``.

    A file is a list of itself. Hidden files and folders are passed over; linked folders are
    followed, each real folder once. Nothing is opened. Raises ValueError for a missing folder.
    """
    root = Path(root)
    if root.is_file():
        return [root]
    if not root.is_dir():
        raise UserError(f"{root}: no such folder or file; give the path of an existing one")
    found: list[Path] = []
    seen: set[tuple[int, int]] = set()
    for folder, folders, names in os.walk(root, followlinks=True, onerror=_refuse_folder):
        status = os.stat(folder)
        if (status.st_dev, status.st_ino) in seen:
            folders.clear()
            continue
        seen.add((status.st_dev, status.st_ino))
        folders[:] = sorted(f for f in folders if not f.startswith(".")) if recursive else []
        found += [
            Path(folder, name)
            for name in names
            if name.lower().endswith(SUFFIXES) and not name.startswith(".")
        ]
    return sorted(found, key=lambda path: path.relative_to(root).as_posix())


def write(
    path: str | Path,
    picture: Picture,
    alpha: NDArray[np.float32] | None = None,
    bit_depth: int = 8,
) -> None:
    """Write ``(H, W, 3)`` float32 in [0, 1], rounded to the nearest level; complete or not at all.

    The suffix decides: .png, .tif and .webp are lossless, .jpg has quality 95 and no chroma
    subsampling. ``alpha`` (H, W) goes into any but .jpg; 16 bits into .png, without ``alpha`` also
    into .tif. Raises ValueError for what a format or a picture cannot be.
    """
    path = Path(path)
    encoded = encode(path, picture, alpha, bit_depth)
    with replacing(path) as temporary:
        temporary.write_bytes(encoded)


def in_unit_range(levels: NDArray) -> NDArray[np.float32]:
    """uint8 and uint16 levels to [0, 1]; float32 as it is."""
    highest = HIGHEST.get(levels.dtype.type)
    return levels if highest is None else unit_range(levels, highest)


def unit_range(levels: np.ndarray, highest: int) -> NDArray[np.float32]:
    """Integer levels 0 … ``highest`` to [0, 1], rounded once: so all readers agree."""
    return np.divide(levels, np.float32(highest), dtype=np.float32)


# Listing and opening


def _refuse_folder(error: OSError) -> None:
    raise UserError(f"{error.filename}: {error.strerror}; make the folder readable") from error


def _require_file(path: Path) -> None:
    try:
        status = path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise PictureError(f"{path}: {reason}") from None
    if not stat.S_ISREG(status.st_mode):  # opening a pipe would wait for ever
        raise PictureError(f"{path}: not a regular file")
    if status.st_size == 0:
        raise PictureError(f"{path}: empty file")


# Decoding


@dataclass(frozen=True)
class _Decoded:
    """A :class:`Photo` whose layers are uint8 or uint16 levels, or float32."""

    picture: NDArray
    alpha: NDArray | None
    bit_depth: Literal[8, 16]
    grey: bool


def _decode(image: Image.Image, path: Path) -> _Decoded:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{path}: {width}×{height} pixels; at most {MAX_PIXELS} are accepted")
    stored_bits = _stored_bits(image, path)
    # Phones keep a preview or a gain map as a second frame (MPO): nothing is lost with it.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        warnings.warn(f"{path}: several frames or pages; only the first is read", stacklevel=4)
    image.load()
    profile = image.info.get("icc_profile")
    layers = None
    if stored_bits == 16 and image.mode in _MODES_16:
        layers = _layers_16(image, profile, path)
    elif image.mode not in _MODES_8 or stored_bits not in (1, 2, 4, 8, 16):
        raise PictureError(
            f"{path}: pixels of mode {image.mode} with {stored_bits} bits; "
            "convert the file to RGB of 8 or 16 bits"
        )
    picture, alpha = layers or _layers_8(image, profile, path)
    orientation = _orientation(image)
    return _Decoded(
        picture=_upright(picture, orientation),
        alpha=None if alpha is None else _upright(alpha, orientation),
        bit_depth=16 if layers else 8,
        grey=image.mode in _GREY_MODES,
    )


Layers = tuple[NDArray, NDArray | None]


def _stored_bits(image: Image.Image, path: Path) -> int:
    """Bits per channel in the file, which Pillow's mode does not tell."""
    if image.format == "PNG":
        with open(path, "rb") as file:
            return file.read(25)[24]  # signature 8, length 4, "IHDR" 4, width 4, height 4, depth
    if isinstance(image, TiffImagePlugin.TiffImageFile):
        return max(image.tag_v2.get(TiffImagePlugin.BITSPERSAMPLE, (1,)))
    return 8


def _layers_8(image: Image.Image, profile: bytes | None, path: Path) -> Layers:
    grey = image.mode in _GREY_MODES
    if image.mode in _GREY_MODES_16:  # its profile needs 8 bits
        image = Image.fromarray((_grey_16(image) // 256).astype(np.uint8))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if grey else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
    colour = image.convert("L" if grey else "CMYK" if image.mode == "CMYK" else "RGB")
    transform = None
    if profile:
        try:
            transform = transform_to_srgb(profile, colour.mode)
        except ValueError as error:
            warnings.warn(f"{path}: ICC profile ignored: {error}", stacklevel=6)
    elif colour.mode == "CMYK":
        warnings.warn(f"{path}: CMYK without a profile: colours are a guess", stacklevel=6)
    rgb = transform.apply(colour) if transform else colour.convert("RGB")
    return np.asarray(rgb), alpha


def _layers_16(image: Image.Image, profile: bytes | None, path: Path) -> Layers | None:
    """Layers of a 16-bit file; None where its profile can be evaluated with 8 bits only."""
    grey = image.mode in _GREY_MODES
    convert = None
    if profile:
        try:
            if transform_to_srgb(profile, "L" if grey else "RGB"):
                convert = curves_to_srgb(profile)
        except ValueError as error:
            warnings.warn(f"{path}: read as 8 bits for its ICC profile: {error}", stacklevel=6)
            return None
    pixels = _grey_16(image) if image.mode in _GREY_MODES_16 else _colour_16(image, path)
    layers: NDArray = unit_range(pixels, 65535) if convert else pixels
    alpha = None
    if layers.ndim == 2:
        layers = np.repeat(layers[..., None], 3, axis=-1)
    if image.mode in ("RGBA", "LA"):
        alpha = layers[..., 3]
    elif (key := image.info.get("transparency")) is not None:  # the one colour that is transparent
        alpha = (pixels.reshape(*layers.shape[:2], -1)[..., :3] != key).any(-1).astype(np.float32)
    picture = layers[..., :3]
    return (convert(picture) if convert else picture), alpha


def _grey_16(image: Image.Image) -> NDArray[np.uint16]:
    """``(H, W)``. Pillow does not invert 16-bit TIFFs whose zero is white."""
    pixels = np.asarray(image).astype(np.uint16)
    white_is_zero = (
        isinstance(image, TiffImagePlugin.TiffImageFile)
        and image.tag_v2.get(TiffImagePlugin.PHOTOMETRIC_INTERPRETATION) == 0
    )
    return 65535 - pixels if white_is_zero else pixels


def _colour_16(image: Image.Image, path: Path) -> NDArray[np.uint16]:
    """``(H, W, 3 or 4)``, compared with the upper bytes that Pillow decoded from the file."""
    import cv2

    flags = cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION
    pixels = cv2.imdecode(np.fromfile(path, np.uint8), flags)
    expected = np.asarray(image.convert("RGBA" if image.mode in ("RGBA", "LA") else "RGB"))
    if pixels is not None and pixels.dtype == np.uint16 and pixels.ndim == 3:
        order = [2, 1, 0, 3][: expected.shape[-1]]
        if pixels.shape[2] >= len(order) and pixels.shape[:2] == expected.shape[:2]:
            pixels = pixels[..., order]
            if np.array_equal(pixels // 256, expected):
                return cast(NDArray[np.uint16], pixels)
    raise PictureError(f"{path}: unusual 16-bit layout; save it as a plain 16-bit PNG")


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_EXIF_ORIENTATION, 1)
    except Exception:  # damaged metadata must not cost the pixels
        return 1


def _upright(layer: NDArray, orientation: int) -> NDArray:
    """Undo an EXIF orientation, 1 to 8 (Exif 2.32, tag 0x0112); other values mean upright."""
    if orientation in (5, 6, 7, 8):
        layer = np.swapaxes(layer, 0, 1)
    if orientation in (2, 3, 6, 7):
        layer = layer[:, ::-1]
    if orientation in (3, 4, 7, 8):
        layer = layer[::-1]
    return np.ascontiguousarray(layer)
