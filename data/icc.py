"""Pixels in the colours of an ICC profile to sRGB and back.

Profiles made of a matrix and tone curves (Adobe RGB, Display P3, ProPhoto and nearly every other
RGB working space) and grey ones are evaluated here, with all bits and colours beyond sRGB. Profiles
of tables and CMYK go through Little CMS, which Pillow binds for 8 bits only.
"""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms

from palette.data.icc_curves import Curve, formula
from palette.data.stored import from_stored, to_stored
from palette.errors import UserError

Floats = NDArray[np.float32]
Mode = Literal["L", "RGB", "CMYK"]

_COLOUR_SPACES: dict[Mode, str] = {"L": "GRAY", "RGB": "RGB", "CMYK": "CMYK"}

# Linear sRGB to XYZ under D50, the white of the profile connection space (IEC 61966-2-1, adapted).
_SRGB_TO_XYZ = np.array(
    [
        [0.4360747, 0.3850649, 0.1430804],
        [0.2225045, 0.7168786, 0.0606169],
        [0.0139322, 0.0971045, 0.7141733],
    ]
)


class ColourSpace(Protocol):
    """The colours of a profile."""

    def to_srgb(self, stored: NDArray) -> Floats:
        """Stored values to sRGB (H, W, 3), where some lie beyond [0, 1]: colours sRGB lacks."""
        ...

    def from_srgb(self, picture: Floats) -> Floats:
        """sRGB (H, W, 3), also beyond [0, 1], to the profile's values in [0, 1].

        (H, W, 1) of a grey profile. UserError where the profile knows no way back.
        """
        ...


def colour_space(profile: bytes, mode: Mode, bit_depth: int = 8) -> ColourSpace | None:
    """The colours of stored values (H, W) in mode L, (H, W, 3) in RGB or (H, W, 4) in CMYK.

    None where RGB is sRGB already (within one stored value of 8 bits): such pixels stay untouched.
    UserError for a profile that is broken, made for other colours, or unusable with 16 bits.
    """
    to_srgb = _transform(profile, mode)
    if mode == "RGB" and _is_identity(to_srgb):
        return None
    try:
        found = formula(profile)
    except UserError:
        if bit_depth == 16:
            raise
        return Tables(profile, mode, to_srgb)
    return Curves(found.curves, found.matrix)


@dataclass(frozen=True)
class Curves:
    """A tone curve for each channel and, for RGB, a matrix: see :mod:`icc_curves`."""

    curves: tuple[Curve, ...]
    matrix: NDArray[np.float64] | None

    def __post_init__(self) -> None:
        for table in self._tables(256):
            if not (np.isfinite(table).all() and (np.diff(table) >= 0).all()):
                raise UserError("its tone curve does not rise")
        if self.matrix is not None and abs(np.linalg.det(self.matrix)) < 1e-6:
            raise UserError("its matrix has no inverse")

    def to_srgb(self, stored: NDArray) -> Floats:
        tables = self._tables(np.iinfo(stored.dtype).max + 1)
        channels = stored.reshape(*stored.shape[:2], -1)
        layers = [t.astype(np.float32)[channels[..., i]] for i, t in enumerate(tables)]
        linear = np.stack(layers, axis=-1)
        if self.matrix is None:
            return np.repeat(_encoded(linear), 3, axis=-1)
        return _encoded(linear @ (np.linalg.inv(_SRGB_TO_XYZ) @ self.matrix).T.astype(np.float32))

    def from_srgb(self, picture: Floats) -> Floats:
        linear = _linear(picture[..., : len(self.curves)])
        if self.matrix is not None:
            linear = linear @ (np.linalg.inv(self.matrix) @ _SRGB_TO_XYZ).T.astype(np.float32)
        levels = np.linspace(0, 1, 2**16)
        inverted = [
            np.interp(linear[..., i], table, levels).astype(np.float32)
            for i, table in enumerate(self._tables(len(levels)))
        ]
        return np.stack(inverted, axis=-1)

    def _tables(self, count: int) -> list[NDArray[np.float64]]:
        levels = np.linspace(0, 1, count)
        return [np.clip(curve(levels), 0, 1) for curve in self.curves]


@dataclass(frozen=True)
class Tables:
    """A profile that Little CMS evaluates, with 8 bits."""

    profile: bytes
    mode: Mode
    transform: ImageCms.ImageCmsTransform

    def to_srgb(self, stored: NDArray) -> Floats:
        height, width = stored.shape[:2]
        image = Image.frombytes(self.mode, (width, height), stored.tobytes())
        return from_stored(np.asarray(self.transform.apply(image)))

    def from_srgb(self, picture: Floats) -> Floats:
        if self.mode == "CMYK":
            raise UserError("pictures are written as RGB, not as CMYK")
        stored = to_stored(np.clip(picture, 0, 1), 8)
        back = _transform(self.profile, self.mode, back=True)
        coloured = np.asarray(back.apply(Image.fromarray(stored)))
        return from_stored(coloured).reshape(*stored.shape[:2], -1)


def _transform(profile: bytes, mode: Mode, back: bool = False) -> ImageCms.ImageCmsTransform:
    try:
        foreign = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        space = profile[16:20].decode("ascii", "replace").strip()
        if space != _COLOUR_SPACES[mode]:
            raise UserError(f"it is made for {space} and the pixels are {mode}")
        ends = [(foreign, mode), (ImageCms.createProfile("sRGB"), "RGB")]
        (source, source_mode), (target, target_mode) = reversed(ends) if back else ends
        return ImageCms.buildTransform(
            source,
            target,
            source_mode,
            target_mode,
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError) as error:
        raise UserError(str(error) or "unreadable") from error


def _is_identity(transform: ImageCms.ImageCmsTransform) -> bool:
    values = np.arange(0, 256, 15, dtype=np.uint8)
    probe = np.stack(np.meshgrid(values, values, values), axis=-1).reshape(1, -1, 3)
    moved = np.asarray(transform.apply(Image.fromarray(probe)), np.int16)
    return int(np.abs(moved - probe).max()) <= 1


def _encoded(linear: Floats) -> Floats:
    """IEC 61966-2-1; of colours beyond sRGB the size is encoded and the sign kept."""
    size = np.abs(linear)
    encoded = np.where(size <= 0.0031308, 12.92 * size, 1.055 * size ** (1 / 2.4) - 0.055)
    return np.copysign(encoded, linear)


def _linear(picture: Floats) -> Floats:
    """The inverse of :func:`_encoded`."""
    size = np.abs(picture)
    linear = np.where(size <= 0.04045, size / 12.92, ((size + 0.055) / 1.055) ** 2.4)
    return np.copysign(linear, picture)
