"""Colours of an embedded ICC profile to sRGB: by Little CMS for 8 bits, by formula for 16 bits.

Pillow's binding of Little CMS knows no 16-bit colour, so profiles made of a matrix and tone curves
(Adobe RGB, Display P3, ProPhoto and nearly every other RGB working space) are evaluated here.
Source: ICC.1:2022, sections 8.3 (matrix profiles), 10.6 (curves), 10.18 (parametric curves).
"""

from __future__ import annotations

import io
import struct
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from palette.errors import UserError

Floats = NDArray[np.float32]
Curve = Callable[[Floats], Floats]

_COLOUR_SPACES = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

# Linear sRGB to XYZ under D50, the white of the profile connection space (IEC 61966-2-1, adapted).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)


def transform_to_srgb(profile: bytes, mode: str) -> ImageCms.ImageCmsTransform | None:
    """The 8-bit transform of Pillow images of ``mode`` (L, RGB or CMYK) to RGB in sRGB.

    None where the profile is sRGB already (within one stored value): such pixels stay untouched.
    Raises UserError for a profile that is broken or made for another colour space.
    """
    flags = ImageCms.Flags.BLACKPOINTCOMPENSATION
    if mode == "L":
        flags |= (
            ImageCms.Flags.NOOPTIMIZE
        )  # the optimised grey curve is off by 10 of 255 in the dark
    try:
        source = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = profile[16:20].decode("ascii", "replace").strip()
        if space != _COLOUR_SPACES[mode]:
            raise UserError(f"it is made for {space} and the pixels are {mode}")
        transform = ImageCms.buildTransform(
            source,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            flags,
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise UserError(str(error) or "unreadable") from error
    return None if mode != "CMYK" and _is_identity(transform, mode) else transform


def _is_identity(transform: ImageCms.ImageCmsTransform, mode: str) -> bool:
    values = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(1, -1, 3)
    image = Image.fromarray(probe).convert(mode)
    moved = np.asarray(transform.apply(image), np.int16)
    return int(np.abs(moved - np.asarray(image.convert("RGB"), np.int16)).max()) <= 1


def curves_to_srgb(profile: bytes) -> Callable[[Floats], Floats]:
    """The formula of an RGB matrix or grey profile: ``(H, W, 3)`` in [0, 1] to sRGB in [0, 1].

    Raises UserError for a profile of tables, which only :func:`transform_to_srgb` evaluates.
    """
    try:
        tags = _tags(profile)
        if b"A2B0" in tags:
            raise UserError("it holds tables")
        if b"kTRC" in tags:
            grey = _curve(tags[b"kTRC"])
            return lambda picture: _srgb_encoded(grey(picture))
        curves = [_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC")]
        to_xyz = np.stack([_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")], axis=-1)
    except (KeyError, struct.error) as error:
        raise UserError("it lacks a matrix or curves") from error
    matrix = (np.linalg.inv(_SRGB_TO_XYZ) @ to_xyz).T.astype(np.float32)

    def convert(picture: Floats) -> Floats:
        linear = [curve(picture[..., i]) for i, curve in enumerate(curves)]
        return _srgb_encoded(np.stack(linear, axis=-1).astype(np.float32) @ matrix)

    return convert


def _srgb_encoded(linear: Floats) -> Floats:
    """IEC 61966-2-1; colours outside of sRGB are clipped."""
    v = np.clip(linear, 0, 1)
    return np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055).astype(np.float32)


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    rows = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    return {name: profile[offset : offset + size] for name, offset, size in rows}


def _xyz(tag: bytes) -> NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric_curve(tag)
    if tag[:4] != b"curv":
        raise UserError(f"its tone curve is of type {tag[:4]!r}")
    (count,) = struct.unpack_from(">I", tag, 8)
    table = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
    if count == 0:
        return lambda v: v
    if count == 1:
        return lambda v: v ** np.float32(table[0] / 256)
    return lambda v: np.interp(v, np.linspace(0, 1, count), table / 65535).astype(np.float32)


def _parametric_curve(tag: bytes) -> Curve:
    """ICC.1:2022 table 68. Forms 0 to 2 are forms 3 and 4 with some parameters fixed."""
    (form,) = struct.unpack_from(">H", tag, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(form)
    if count is None:
        raise UserError(f"its tone curve is of form {form}")
    p = [n / 65536 for n in struct.unpack_from(f">{count}i", tag, 12)]
    if form == 0:
        g, a, b, c, d, e, f = p[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    elif form in (1, 2):  # (a·v + b)^g + k from −b/a on, k below
        g, a, b = p[:3]
        k = p[3] if form == 2 else 0.0
        c, d, e, f = 0.0, -b / a if a else 0.0, k, k
    else:
        g, a, b, c, d, e, f = [*p, 0.0, 0.0][:7]
    return lambda v: np.where(v >= d, np.maximum(a * v + b, 0) ** g + e, c * v + f)
