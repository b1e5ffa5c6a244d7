"""PNG and TIFF files around pixels of 8 or 16 bits, with metadata; Pillow writes 8 bits only."""

from __future__ import annotations

import io
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from PIL import TiffImagePlugin as Tiff

from palette.data.metadata import Metadata, descriptive

_STRIP_BYTES = 2**18
_ADOBE_DEFLATE, _HORIZONTAL_DIFFERENCES, _STRAIGHT_ALPHA = 8, 2, 2
_GREY, _RGB = 1, 2
_INCH = 2
METRES_PER_INCH = 0.0254


def png_16(pixels: NDArray[np.uint16]) -> bytes:
    """A PNG file of (H, W) grey, (H, W, 3) RGB or (H, W, 4) RGBA. Grey with alpha becomes RGBA."""
    import cv2

    if pixels.ndim == 3 and pixels.shape[2] == 2:
        pixels = pixels[..., [0, 0, 0, 1]]
    done, encoded = cv2.imencode(
        ".png", pixels if pixels.ndim == 2 else pixels[..., [2, 1, 0, 3][: pixels.shape[2]]]
    )
    assert done, pixels.shape
    return encoded.tobytes()


def with_chunks(png: bytes, metadata: Metadata) -> bytes:
    """A PNG file with the blocks that there are (PNG 3, sections 11.3.2 to 11.3.4)."""
    chunks = b""
    if metadata.icc:
        chunks += _chunk(b"iCCP", b"ICC profile\0\0" + zlib.compress(metadata.icc))
    if metadata.dpi:
        across, down = (round(value / METRES_PER_INCH) for value in metadata.dpi)
        chunks += _chunk(b"pHYs", struct.pack(">IIB", across, down, 1))
    if metadata.exif:
        chunks += _chunk(b"eXIf", metadata.exif[6:])
    if metadata.xmp:
        chunks += _chunk(b"iTXt", b"XML:com.adobe.xmp\0\0\0\0\0" + metadata.xmp)
    header = 8 + 25  # the signature and the chunk IHDR
    return png[:header] + chunks + png[header:]


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def tiff(pixels: NDArray, metadata: Metadata) -> bytes:
    """A TIFF file of (H, W) grey, (H, W, 2) with alpha, RGB or RGBA, uint8 or uint16; deflated."""
    pixels = pixels.reshape(*pixels.shape[:2], -1)
    height, width, channels = pixels.shape
    # TIFF 6.0, section 14: each value but the first of a row as its difference to the one before
    differences = np.diff(pixels, axis=1, prepend=np.zeros_like(pixels[:, :1]))
    little_endian = differences.astype(pixels.dtype.newbyteorder("<"))
    rows = max(1, _STRIP_BYTES // (width * channels * pixels.itemsize))
    strips = [
        zlib.compress(little_endian[start : start + rows].tobytes())
        for start in range(0, height, rows)
    ]
    directory = Tiff.ImageFileDirectory_v2()
    if metadata.dpi:  # that of an EXIF block, below, takes its place
        directory[Tiff.X_RESOLUTION], directory[Tiff.Y_RESOLUTION] = metadata.dpi
        directory[Tiff.RESOLUTION_UNIT] = _INCH
    if metadata.exif:
        tags = descriptive(metadata.exif)
        for tag in tags:
            directory[tag] = tags.get_ifd(tag) if tag in _SUBDIRECTORIES else tags[tag]
    directory[Tiff.IMAGEWIDTH], directory[Tiff.IMAGELENGTH] = width, height
    directory[Tiff.BITSPERSAMPLE] = (pixels.itemsize * 8,) * channels
    directory[Tiff.COMPRESSION], directory[Tiff.PREDICTOR] = _ADOBE_DEFLATE, _HORIZONTAL_DIFFERENCES
    directory[Tiff.PHOTOMETRIC_INTERPRETATION] = _RGB if channels > 2 else _GREY
    directory[Tiff.SAMPLESPERPIXEL] = channels
    if channels in (2, 4):
        directory[Tiff.EXTRASAMPLES] = _STRAIGHT_ALPHA
    if metadata.icc:
        directory[Tiff.ICCPROFILE] = metadata.icc
    if metadata.xmp:
        directory[Tiff.XMP] = metadata.xmp
    directory[Tiff.ROWSPERSTRIP] = rows
    sizes = [len(strip) for strip in strips]
    directory[Tiff.STRIPBYTECOUNTS] = tuple(sizes)
    directory[Tiff.STRIPOFFSETS] = tuple(np.cumsum([0, *sizes[:-1]]).tolist())  # behind it
    file = io.BytesIO()
    directory.save(file)
    return file.getvalue() + b"".join(strips)


_SUBDIRECTORIES = (0x8769, 0x8825)
"""Of the camera (Exif) and of the place (GPS)."""
