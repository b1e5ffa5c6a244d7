"""Pictures and files made by hand, to know every byte of them."""

from __future__ import annotations

import struct
import zlib
from typing import Any

import numpy as np

EXACT: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}


def colours(height: int = 40, width: int = 56) -> np.ndarray:
    """Smooth 8-bit colours without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x * 3 + y * 2) % 256], -1).astype(
        "uint8"
    )


def deep_colours(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (21, 34, channels), dtype=np.uint16)


def unit(stored: np.ndarray, highest: int = 255) -> np.ndarray:
    return np.divide(stored, np.float32(highest), dtype=np.float32)


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks.items())


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def exif_block(order: str = "<", thumbnail: bytes = b"") -> bytes:
    """EXIF of a picture of 4000×3000 that lies on its side, with a maker's note and a thumbnail.

    ``order`` is "<" or ">". The note begins with "NOTE" and holds its own offset in the block.
    """

    def directory(entries: list[tuple[int, int, int, bytes]], following: int) -> bytes:
        rows = [struct.pack(f"{order}HHI", *e[:3]) + e[3].ljust(4, b"\0") for e in entries]
        count = struct.pack(f"{order}H", len(rows))
        return count + b"".join(rows) + struct.pack(f"{order}I", following)

    def short(value: int) -> bytes:
        return struct.pack(f"{order}H", value)

    def long(value: int) -> bytes:
        return struct.pack(f"{order}I", value)

    sizes = [2 + 12 * n + 4 for n in (5, 3, 2)]
    camera_at = 8 + sizes[0]
    second_at = camera_at + sizes[1]
    make_at = second_at + sizes[2]
    note_at = make_at + 8
    note = b"NOTE" + long(note_at)
    main = [
        (0x0100, 4, 1, long(4000)),
        (0x0101, 4, 1, long(3000)),
        (0x010F, 2, 8, long(make_at)),
        (0x0112, 3, 1, short(6)),
        (0x8769, 4, 1, long(camera_at)),
    ]
    camera = [
        (0x927C, 7, len(note), long(note_at)),
        (0xA002, 3, 1, short(4000)),
        (0xA003, 4, 1, long(3000)),
    ]
    second = [
        (0x0201, 4, 1, long(note_at + len(note))),
        (0x0202, 4, 1, long(len(thumbnail))),
    ]
    body = directory(main, second_at if thumbnail else 0) + directory(camera, 0)
    body += directory(second, 0) + b"Palette\0" + note + thumbnail
    return b"Exif\0\0" + {"<": b"II*\0", ">": b"MM\0*"}[order] + long(8) + body


XMP = """<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF
 xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#"><rdf:Description rdf:about=""
 xmlns:tiff="http://ns.adobe.com/tiff/1.0/" xmlns:exif="http://ns.adobe.com/exif/1.0/"
 tiff:Orientation="6" exif:PixelXDimension='4000' xmlns:xmp="http://ns.adobe.com/xap/1.0/">
<exif:PixelYDimension>3000</exif:PixelYDimension><tiff:ImageWidth>4000</tiff:ImageWidth>
<tiff:ImageLength> 3000 </tiff:ImageLength><xmp:Rating>5</xmp:Rating><xmp:Label>größer</xmp:Label>
<xmp:Thumbnails><rdf:Alt><rdf:li>old picture</rdf:li></rdf:Alt></xmp:Thumbnails>
</rdf:Description></rdf:RDF></x:xmpmeta>""".encode()
"""Of the same picture, with the values as attributes and as elements."""
