"""The bytes of a file as a picture, in full and in sRGB, or an error.

Pillow identifies and decodes, because it raises on truncated files where OpenCV fills in grey;
OpenCV reads 16-bit colour, of which Pillow keeps the upper byte only.
"""

from __future__ import annotations

import stat
import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError

from palette.data.icc import curves_to_srgb, transform_to_srgb
from palette.data.metadata import orientation, stored_bits, upright, white_is_zero
from palette.data.stored import BitDepth, from_stored
from palette.errors import PictureError

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF")
"""The only parsers that a file may reach."""

MAX_PIXELS = 2**27
"""134 megapixels: a header that claims more is refused before anything is decoded."""

_GREY_MODES_16 = ("I;16", "I;16L", "I;16B", "I;16N")
_GREY_MODES = ("1", "L", "LA", "La", *_GREY_MODES_16)
_MODES_16 = ("RGB", "RGBA", "RGBX", *_GREY_MODES)
_MODES_8 = ("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "RGBa", "RGBX", "CMYK", "YCbCr")

Layers = tuple[NDArray, NDArray | None]
"""Picture (H, W, 3) and alpha (H, W) as stored; float32 in [0, 1] after a profile with 16 bits."""


@dataclass(frozen=True)
class Decoded:
    """``picture`` (H, W, 3) and ``alpha`` (H, W) as stored, uint8 or uint16.

    float32 in [0, 1] where a profile was applied to 16 bits.
    """

    picture: NDArray
    alpha: NDArray | None
    bit_depth: BitDepth
    grey: bool


def decode(path: Path) -> Decoded:
    """Read the file at ``path``. Every failure is a PictureError that names it."""
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


def _decode(image: Image.Image, path: Path) -> Decoded:
    width, height = image.size
    if width * height > MAX_PIXELS:
        raise PictureError(f"{path}: {width}×{height} pixels; at most {MAX_PIXELS} are accepted")
    bits = stored_bits(image, path)
    # Phones keep a preview or a gain map as a second frame (MPO): nothing is lost with it.
    if getattr(image, "is_animated", False) and image.format != "MPO":
        warnings.warn(f"{path}: several frames or pages; only the first is read", stacklevel=4)
    image.load()
    profile = image.info.get("icc_profile")
    layers = None
    if bits == 16 and image.mode in _MODES_16:
        layers = _layers_16(image, profile, path)
    elif image.mode not in _MODES_8 or bits not in (1, 2, 4, 8, 16):
        raise PictureError(
            f"{path}: pixels of mode {image.mode} with {bits} bits; "
            "convert the file to RGB of 8 or 16 bits"
        )
    picture, alpha = layers or _layers_8(image, profile, path)
    turn = orientation(image)
    return Decoded(
        picture=upright(picture, turn),
        alpha=None if alpha is None else upright(alpha, turn),
        bit_depth=16 if layers else 8,
        grey=image.mode in _GREY_MODES,
    )


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
            warnings.warn(f"{path}: ICC profile ignored: {error}", stacklevel=5)
    elif colour.mode == "CMYK":
        warnings.warn(f"{path}: CMYK without a profile: colours are a guess", stacklevel=5)
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
            warnings.warn(f"{path}: read as 8 bits for its ICC profile: {error}", stacklevel=5)
            return None
    pixels = _grey_16(image) if image.mode in _GREY_MODES_16 else _colour_16(image, path)
    layers: NDArray = from_stored(pixels) if convert else pixels
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
