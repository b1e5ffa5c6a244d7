"""Signs that the pixels of a JPEG file are damaged: the format has no checksum.

Two signs, both without an alarm on sound files. libjpeg-turbo warns where codes and data do not
fit, but Pillow and OpenCV pass its warnings on to nobody; kornia's decoder takes them for errors.
And the mean colour of a block, which is stored as such, is a mean of colours of an RGB picture:
as these fill a cube, which is convex, no rounding but damage alone can lead far out of it.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, JpegImagePlugin

_SLACK = 8
"""Of 255, beyond the cube and the rounding of the file."""

_FEW = 1 / 500
"""Of the blocks. A camera may store a few colours of lamps that no RGB has."""


def damage(path: Path) -> str | None:
    """What is wrong with a file that was decoded; None for a sound one and other formats."""
    data = path.read_bytes()
    if not data.startswith(b"\xff\xd8"):
        return None
    with Image.open(path, formats=["JPEG"]) as image:
        assert isinstance(image, JpegImagePlugin.JpegImageFile)
        samplings = [(h, v) for _, h, v, _ in image.layer]
        if image.mode not in ("L", "RGB") or not _usual(samplings):
            return None
        if not _decodes(data):
            return "its data do not fit their codes"
        if image.mode == "RGB" and _impossible(image) > _FEW:
            return "some blocks have colours that no picture has"
    return None


def _usual(samplings: list[tuple[int, int]]) -> bool:
    """One channel; or three, of which the first has up to two pixels each way to one of others."""
    first, *others = samplings
    return not others or (max(first) <= 2 and others == [(1, 1), (1, 1)])


def _decodes(data: bytes) -> bool:
    from kornia_rs.io import decode_image_jpegturbo

    try:
        decode_image_jpegturbo(data, "rgb")
    except Exception:  # of no class of its own
        return False
    return True


def _impossible(image: JpegImagePlugin.JpegImageFile) -> float:
    """The share of the blocks whose mean colour lies outside of the cube."""
    width, height = image.size
    as_rgb = image.info.get("adobe_transform") == 0 or image.layer[0][0] == ord("R")
    if as_rgb or min(width, height) < 16:
        return 0
    rounding = [image.quantization[table][0] / 16 for *_, table in image.layer]
    image.draft("YCbCr", (width // 8, height // 8))  # a pixel for the mean of each block
    try:
        means = np.asarray(image, np.float32)
    except OSError:  # it breaks off
        return 1
    means = _halved(means[: height // 16 * 2, : width // 16 * 2])  # chroma has half the pixels
    y, cb, cr = np.moveaxis(means - np.array([0, 128, 128], np.float32), -1, 0)
    # JFIF 1.02: YCbCr to RGB
    rgb = np.stack([y + 1.402 * cr, y - 0.344136 * cb - 0.714136 * cr, y + 1.772 * cb])
    outside = np.maximum(-rgb, rgb - 255).max(axis=0)
    return float((outside > _SLACK + rounding[0] + 1.772 * max(rounding[1:])).mean())


def _halved(means: NDArray[np.float32]) -> NDArray[np.float32]:
    height, width, channels = means.shape
    return means.reshape(height // 2, 2, width // 2, 2, channels).mean(axis=(1, 3))
