"""Damage of a PNG file that its checksums show (PNG 3, section 5.3).

Pillow compares those of the chunks before the pixels, and not those of the pixels.
"""

from __future__ import annotations

import struct
import zlib

_SIGNATURE = 8


def damage(png: bytes) -> str | None:
    """The name of the first chunk of pixels whose checksum does not fit; None where all do.

    A file that ends within a chunk is left to the decoder, which knows whether it has all pixels.
    """
    at = _SIGNATURE
    while at + 12 <= len(png):
        (size,) = struct.unpack_from(">I", png, at)
        name, end = png[at + 4 : at + 8], at + 8 + size
        if end + 4 > len(png) or name == b"IEND":
            return None
        needed = not name[0] & 0x20  # a capital letter: a decoder must understand it
        if needed and zlib.crc32(memoryview(png)[at + 4 : end]) != _number(png, end):
            return name.decode("ascii", "backslashreplace")
        at = end + 4
    return None


def _number(png: bytes, at: int) -> int:
    return struct.unpack_from(">I", png, at)[0]
