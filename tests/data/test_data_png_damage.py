"""PNG: every change of what the pixels are in is noticed by its checksums."""

from __future__ import annotations

import struct
import warnings
from pathlib import Path

import numpy as np
import pytest
from handmade import colours, exif_block, png_chunk
from PIL import Image

from palette.data.images import read
from palette.data.png_damage import damage
from palette.errors import PictureError


def places(png: bytes) -> dict[bytes, range]:
    """Where each chunk stands, by its name."""
    found, at = {}, 8
    while at < len(png):
        (size,) = struct.unpack_from(">I", png, at)
        found[png[at + 4 : at + 8]] = range(at, at + 12 + size)
        at += 12 + size
    return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A palette with a transparent colour and EXIF."""
    image = Image.fromarray(colours(12, 20)).convert("P")
    image.save(tmp_path / "a.png", exif=exif_block(), transparency=3)
    return tmp_path / "a.png"


def test_any_changed_byte_of_the_pixels_is_noticed(path: Path) -> None:
    """Pillow reads many of them as another picture."""
    whole = path.read_bytes()
    expected, found = read(path).picture, places(whole)
    for name in (b"IHDR", b"PLTE", b"tRNS", b"IDAT"):
        assert name in found
        for at in found[name]:
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 4]) + whole[at + 1 :])
            try:
                photo = read(path)
            except PictureError:
                continue
            assert at - found[name].start < 4, "only a length beyond the end, behind all pixels"
            assert np.array_equal(photo.picture, expected)
    path.write_bytes(whole)
    assert np.array_equal(read(path).picture, expected)


def test_pillow_alone_would_be_silent(path: Path) -> None:
    """Once it checks the checksum of pixels, ours may go."""
    whole = bytearray(path.read_bytes())
    chunk = places(bytes(whole))[b"IDAT"]
    whole[chunk.stop - 1] ^= 1
    path.write_bytes(whole)
    Image.open(path).load()
    assert damage(bytes(whole)) == "IDAT"


def test_what_stands_behind_the_end_is_not_looked_at(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole + png_chunk(b"IDAT", b"more")[:-1] + b"?")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(path)
    assert damage(whole[: len(whole) - 14]) is None  # cut off: for the decoder
