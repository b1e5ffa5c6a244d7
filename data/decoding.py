"""The bytes of a file as a picture, in full and in sRGB, or an error.

Pillow identifies and decodes, because it raises on truncated files where OpenCV fills in grey;
OpenCV reads 16-bit colour, of which Pillow keeps the upper byte only.
"""

from __future__ import annotations

import stat
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar, cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from palette.data import png_damage
from palette.data.formats import FORMATS, formats_of
from palette.data.icc import ColourSpace, Mode, colour_space
from palette.data.layout import TURNED, hidden_filled, stored_bits, upright, white_is_zero
from palette.data.metadata import Metadata, metadata, orientation
from palette.data.stored import BitDepth
from palette.errors import PictureError

MAX_PIXELS = 2**27
"""134 megapixels: a header that claims more is refused before anything is decoded."""

_GREY_MODES_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *_GREY_MODES_16)
_MODES_16 = ("RGB", "RGBA", "RGBX", *_GREY_MODES)
_MODES_8 = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr", "HSV")

T = TypeVar("T")


@dataclass(frozen=True)
class Decoded:
    """``picture`` (H, W, 3) and ``alpha`` (H, W) as stored, uint8 or uint16.

    The picture is float32 in [0, 1] where a profile was applied, and ``beyond`` (H, W, 3) what that
    range cut off its colours, None where it was nothing. Where alpha is 0 the picture has the
    colour of the nearest pixel that is visible.
    """

    picture: NDArray
    alpha: NDArray | None
    bit_depth: BitDepth
    grey: bool
    metadata: Metadata
    beyond: NDArray[np.float32] | None


def decode(path: Path) -> Decoded:
    """Read the file at ``path``. Every failure is a PictureError that names it."""
    return _opened(path, _decode_file)


def upright_size(path: Path) -> tuple[int, int]:
    """Height and width of the picture that :func:`decode` would give, by the header alone.

    PictureError for a header that cannot be read.
    """
    return _opened(path, _upright_size)


def holds_grey(path: Path) -> bool:
    """Whether the file holds grey values alone, by its header. PictureError for a bad one."""
    return _opened(path, lambda image, _: image.mode in _GREY_MODES)


def _opened(path: Path, work: Callable[[Image.Image, Path], T]) -> T:
    _require_file(path)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # MAX_PIXELS decides
            image = Image.open(path, formats=formats_of(path))
        with image:
            return work(image, path)
    except PictureError:
        raise
    except UnidentifiedImageError:
        raise PictureError(f"{path}: {_unidentified(path)}") from None
    except Image.DecompressionBombError:
        raise PictureError(f"{path}: its header claims more than {MAX_PIXELS} pixels") from None
    except Exception as error:  # parsers raise anything at all on damaged files
        raise PictureError(f"{path}: cannot be decoded: {_reason(error)}") from error


def decode_pil(image: Image.Image) -> Decoded:
    """A Pillow picture in the way of :func:`decode`; the frame where it stands."""
    try:
        return _decode(image, "the picture", None)
    except PictureError:
        raise
    except Exception as error:  # it may be a damaged file that is decoded only now
        raise PictureError(f"the picture cannot be decoded: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__


def _decode_file(image: Image.Image, path: Path) -> Decoded:
    # Phones keep a preview or a gain map as a second frame (MPO): nothing is lost with it.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        warnings.warn(f"{path}: several frames or pages; only the first is read", stacklevel=4)
    if image.format == "HEIF" and image.info["bit_depth"] > 8:
        warnings.warn(f"{path}: {image.info['bit_depth']} bits, of which 8 are read", stacklevel=4)
    decoded = _decode(image, str(path), path)
    if image.format == "PNG" and (chunk := png_damage.damage(path.read_bytes())):
        raise PictureError(f"{path}: damaged: the checksum of its chunk {chunk} does not fit")
    return decoded


def _upright_size(image: Image.Image, path: Path) -> tuple[int, int]:
    width, height = image.size
    return (width, height) if orientation(image) in TURNED else (height, width)


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


def _unidentified(path: Path) -> str:
    with path.open("rb") as file:
        if file.read(4) in (b"II*\0", b"MM\0*"):
            return (
                "a damaged TIFF, or one of floats, signed values or 32 bits: "
                "save it with 8 or 16 bits"
            )
    return f"no {', '.join(FORMATS)}, AVIF or HEIC file, or its header is damaged or cut off"


def _decode(image: Image.Image, name: str, path: Path | None) -> Decoded:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{name}: {width}×{height} pixels; at most {MAX_PIXELS} are accepted")
    bits = stored_bits(image, path)
    image.load()
    deep = bits == 16 and image.mode in _MODES_16
    if not deep and (image.mode not in _MODES_8 or bits not in (1, 2, 4, 8, 16)):
        raise PictureError(
            f"{name}: pixels of mode {image.mode} with {bits} bits; "
            "convert the file to RGB of 8 or 16 bits"
        )
    profile = image.info.get("icc_profile") or b""
    layers = _layers_16(image, profile, name, path) if deep else None
    bit_depth: BitDepth = 16 if layers else 8
    pixels, alpha, space, icc = layers or _layers_8(image, profile, name)
    picture, beyond = _in_srgb(pixels, space, alpha)
    turn = orientation(image)
    return Decoded(
        picture=upright(picture, turn),
        alpha=None if alpha is None else upright(alpha, turn),
        bit_depth=bit_depth,
        grey=image.mode in _GREY_MODES,
        metadata=metadata(image, icc),
        beyond=None if beyond is None else upright(beyond, turn),
    )


Layers = tuple[NDArray, NDArray | None, ColourSpace | None, bytes]
"""Stored colours (H, W), (H, W, 3) or CMYK, alpha, and the profile that the colours are in."""


def _in_srgb(
    pixels: NDArray, space: ColourSpace | None, alpha: NDArray | None
) -> tuple[NDArray, NDArray[np.float32] | None]:
    """The picture, (H, W, 3), and what [0, 1] cut off its colours."""
    picture = pixels if space is None else space.to_srgb(pixels)
    if picture.ndim == 2:
        picture = np.repeat(picture[..., None], 3, axis=-1)
    if alpha is not None:
        picture = hidden_filled(picture, alpha)
    if space is None:
        return picture, None
    inside = np.clip(picture, 0, 1)
    beyond = picture - inside
    return inside, beyond if np.abs(beyond).max() > _VISIBLE else None


_VISIBLE = 0.5 / 255


def _layers_8(image: Image.Image, profile: bytes, name: str) -> Layers:
    grey = image.mode in _GREY_MODES
    if image.mode in _GREY_MODES_16:  # its profile needs 8 bits
        image = Image.fromarray((_grey_16(image) // 256).astype(np.uint8))
    alpha = None
    if image.has_transparency_data:
        image = image.convert("LA" if grey else "RGBA")
        alpha = np.asarray(image.getchannel("A"))
    mode: Mode = "L" if grey else "CMYK" if image.mode == "CMYK" else "RGB"
    colour = image.convert(mode)
    space = None
    if profile:
        try:
            space = colour_space(profile, mode)
        except ValueError as error:
            warnings.warn(f"{name}: ICC profile ignored: {error}", stacklevel=5)
            profile = b""
    elif mode == "CMYK":
        warnings.warn(f"{name}: CMYK without a profile: colours are a guess", stacklevel=5)
    if mode == "CMYK":  # the profile of its inks says nothing of a picture of lights
        profile = b""
        colour = colour if space else colour.convert("RGB")
    return np.asarray(colour), alpha, space, profile


def _layers_16(image: Image.Image, profile: bytes, name: str, path: Path | None) -> Layers | None:
    """Layers of a 16-bit file; None where its profile can be evaluated with 8 bits only."""
    grey = image.mode in _GREY_MODES
    space = None
    if profile:
        try:
            space = colour_space(profile, "L" if grey else "RGB", 16)
        except ValueError as error:
            warnings.warn(f"{name}: read as 8 bits for its ICC profile: {error}", stacklevel=5)
            return None
    if image.mode in _GREY_MODES_16:
        pixels = _grey_16(image)
    else:
        assert path is not None, "only a file holds 16 bits in these modes"
        pixels = _colour_16(image, path)
    alpha = None
    if image.mode in ("RGBA", "LA"):
        alpha = pixels[..., 3]
    elif (key := image.info.get("transparency")) is not None:  # the one colour that is transparent
        same = pixels.reshape(*pixels.shape[:2], -1)[..., :3] == key
        alpha = (~same.all(-1)).astype(np.float32)
    if pixels.ndim == 3:
        pixels = pixels[..., 0] if grey else pixels[..., :3]
    return pixels, alpha, space, profile


def _grey_16(image: Image.Image) -> NDArray[np.uint16]:
    """``(H, W)``. Pillow does not invert 16-bit TIFFs whose zero is white."""
    pixels = np.asarray(image).astype(np.uint16)
    return 65535 - pixels if white_is_zero(image) else pixels


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
