"""What a file says beside its pixels: EXIF, XMP, colour profile and dpi, kept from file to file.

Sources: Exif 2.32 (JEITA CP-3451), TIFF 6.0 for the structure of its blocks, XMP part 1 (ISO
16684-1) for the names.
"""

from __future__ import annotations

import re
import struct
from dataclasses import dataclass, replace

from PIL import Image
from PIL.TiffImagePlugin import TiffImageFile

from palette.data.layout import TURNED

_PREFIX = b"Exif\0\0"

_WIDTH, _HEIGHT, _ORIENTATION = 0x0100, 0x0101, 0x0112
_EXIF_IFD, _EXIF_WIDTH, _EXIF_HEIGHT = 0x8769, 0xA002, 0xA003
_THUMBNAIL_AT, _THUMBNAIL_BYTES = 0x0201, 0x0202

_DESCRIPTIVE = {
    *(0x010E, 0x010F, 0x0110, _ORIENTATION, 0x011A, 0x011B, 0x0128, 0x0131, 0x0132, 0x013B, 0x013C),
    *(0x4746, 0x4749, 0x8298, _EXIF_IFD, 0x8825, *range(0x9C9B, 0x9CA0)),
}
"""Tags of a TIFF directory that describe the picture; the others say how its pixels are stored."""


@dataclass(frozen=True)
class Metadata:
    """Blocks as they stand in a file; empty where it has none."""

    exif: bytes = b""
    """A TIFF structure behind the six bytes ``Exif\\0\\0``."""
    xmp: bytes = b""
    """An XML packet."""
    icc: bytes = b""
    """The colour profile that the file's pixels are in; they are read as sRGB all the same."""
    dpi: tuple[float, float] | None = None
    """Pixels per inch across and down, as the file itself has it, apart from its EXIF."""

    def of_size(self, width: int, height: int) -> Metadata:
        """For an upright picture of this size: orientation 1, its sizes, no thumbnail.

        All else stays where it stands, byte for byte: makers' notes hold offsets into the block.
        """
        exif = _corrected_exif(self.exif, width, height) if self.exif else b""
        return replace(self, exif=exif, xmp=_corrected_xmp(self.xmp, width, height))


def metadata(image: Image.Image, icc: bytes = b"") -> Metadata:
    """The blocks of an opened picture, with ``icc`` for its profile."""
    xmp = image.info.get("xmp", b"")
    xmp = xmp.encode() if isinstance(xmp, str) else bytes(xmp)
    return Metadata(_exif(image), xmp, icc, _dpi(image))


def _dpi(image: Image.Image) -> tuple[float, float] | None:
    """Of the upright picture, where the file names a unit of length and means it."""
    if image.format in ("JPEG", "MPO") and not image.info.get("jfif_unit"):
        return None  # Pillow's is that of the EXIF
    try:
        across, down = (float(value) for value in image.info["dpi"])
    except Exception:  # damaged metadata must not cost the pixels
        return None
    if not all(1 < value < 2**16 for value in (across, down)):  # 1 is Pillow's for none
        return None
    return (down, across) if orientation(image) in TURNED else (across, down)


def orientation(image: Image.Image) -> int:
    """The EXIF orientation, 1 to 8 (Exif 2.32, tag 0x0112); 1, upright, where there is none."""
    try:
        return image.getexif().get(_ORIENTATION, 1)
    except Exception:  # damaged metadata must not cost the pixels
        return 1


def descriptive(exif: bytes) -> Image.Exif:
    """The tags of an EXIF block that a TIFF directory may take over."""
    tags = Image.Exif()
    tags.load(exif)
    for tag in set(tags) - _DESCRIPTIVE:
        del tags[tag]
    return tags


def _exif(image: Image.Image) -> bytes:
    try:
        if not isinstance(image, TiffImageFile) and (block := image.info.get("exif")):
            return _PREFIX + bytes(block).removeprefix(_PREFIX)
        tags = image.getexif()  # of a TIFF directory, or a profile that ImageMagick wrote as text
        for tag in set(tags) - _DESCRIPTIVE:
            del tags[tag]
        return tags.tobytes() if len(tags) else b""
    except Exception:  # damaged metadata must not cost the pixels
        return b""


@dataclass(frozen=True)
class _Directory:
    """A directory of a TIFF structure: where each of its entries of 12 bytes stands, by tag."""

    data: bytearray
    order: str
    entries: dict[int, int]
    end: int
    """Where the offset of the next directory stands."""

    @classmethod
    def at(cls, data: bytearray, order: str, offset: int) -> _Directory:
        (count,) = struct.unpack_from(f"{order}H", data, offset)
        starts = range(offset + 2, offset + 2 + 12 * count, 12)
        tags = [struct.unpack_from(f"{order}H", data, start)[0] for start in starts]
        return cls(data, order, dict(zip(tags, starts, strict=True)), offset + 2 + 12 * count)

    def next(self) -> int:
        return struct.unpack_from(f"{self.order}I", self.data, self.end)[0]

    def number(self, tag: int) -> int | None:
        """The value of a tag that holds one SHORT (type 3) or LONG (type 4)."""
        if tag not in self.entries:
            return None
        (kind,) = struct.unpack_from(f"{self.order}H", self.data, self.entries[tag] + 2)
        code = {3: "H", 4: "I"}.get(kind)
        if code is None:
            return None
        return struct.unpack_from(f"{self.order}{code}", self.data, self.entries[tag] + 8)[0]

    def set(self, tag: int, value: int) -> None:
        """Give a tag that is there one SHORT or, where that is too small, one LONG."""
        if tag not in self.entries:
            return
        kind, code = (3, "H2x") if value < 2**16 else (4, "I")
        at = self.entries[tag] + 2
        struct.pack_into(f"{self.order}HI{code}", self.data, at, kind, 1, value)


def _corrected_exif(exif: bytes, width: int, height: int) -> bytes:
    data = bytearray(exif.removeprefix(_PREFIX))
    order = {b"II": "<", b"MM": ">"}.get(bytes(data[:2]))
    if order is None:
        return b""
    try:
        main = _Directory.at(data, order, struct.unpack_from(f"{order}I", data, 4)[0])
        main.set(_ORIENTATION, 1)
        main.set(_WIDTH, width)
        main.set(_HEIGHT, height)
        if offset := main.number(_EXIF_IFD):
            camera = _Directory.at(data, order, offset)
            camera.set(_EXIF_WIDTH, width)
            camera.set(_EXIF_HEIGHT, height)
        _drop_thumbnail(main)
    except struct.error:  # offsets that lead out of the block: nothing can trust it
        return b""
    return _PREFIX + bytes(data)


def _drop_thumbnail(main: _Directory) -> None:
    """Unlink the second directory; its picture, which nearly always stands last, is cut off."""
    if not (offset := main.next()):
        return
    struct.pack_into("<I", main.data, main.end, 0)
    thumbnail = _Directory.at(main.data, main.order, offset)
    at, size = thumbnail.number(_THUMBNAIL_AT), thumbnail.number(_THUMBNAIL_BYTES)
    if at and size and at + size <= len(main.data):
        last = at + size >= len(main.data) - 1
        main.data[at : at + size] = b"" if last else bytes(size)


_XMP_VALUES = r"\b{}(=[\"']|>)\s*\d+\s*(?=[\"']|<)"
_XMP_THUMBNAILS = re.compile(rb"<xmp:Thumbnails>.*?</xmp:Thumbnails>", re.DOTALL)


def _corrected_xmp(xmp: bytes, width: int, height: int) -> bytes:
    values = {"tiff:Orientation": 1, "tiff:ImageWidth": width, "tiff:ImageLength": height}
    values |= {"exif:PixelXDimension": width, "exif:PixelYDimension": height}
    for name, value in values.items():
        pattern = _XMP_VALUES.format(name).encode()
        xmp = re.sub(pattern, rf"{name}\g<1>{value}".encode(), xmp)
    return _XMP_THUMBNAILS.sub(b"", xmp)
