"""What a file holds is read in full: bits, transparency, orientation, frames."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from handmade import EXACT, colours, deep_colours, png, png_chunk, unit
from PIL import Image, ImageOps

from palette.data.images import read, read_stored
from palette.errors import PictureError


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_content_decides_and_lossless_pixels_are_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wrong.jpg"
    pixels = colours() // 64 * 64 if kind == "GIF" else colours()
    Image.fromarray(pixels).save(path, kind, **EXACT.get(kind, {}))
    photo = read(path)
    np.testing.assert_array_equal(np.rint(photo.picture * 255), pixels)
    assert read_stored(path).dtype == np.uint8
    np.testing.assert_array_equal(read_stored(path), pixels)
    assert (photo.bit_depth, photo.grey, photo.alpha) == (8, False, None)


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_is_applied_once(tmp_path: Path, kind: str, orientation: int) -> None:
    path = tmp_path / "turned"
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(colours())
    image.save(path, kind, exif=exif, **EXACT.get(kind, {}))
    turned = Image.new("RGB", (56, 40))
    turned.paste(image)
    turned.getexif()[0x0112] = orientation
    expected = unit(np.asarray(ImageOps.exif_transpose(turned)))
    assert np.abs(read(path).picture - expected).mean() < (0.02 if kind == "JPEG" else 1e-6)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_orientation_of_16_bit_tiff(tmp_path: Path, orientation: int) -> None:
    path = tmp_path / "turned.tif"
    deep = deep_colours()
    tag = (274, "H", 1, orientation, True)
    tifffile.imwrite(path, deep, photometric="rgb", extratags=[tag])
    image = Image.fromarray((deep // 256).astype(np.uint8))
    image.getexif()[0x0112] = orientation
    photo = read(path)
    assert photo.bit_depth == 16
    upper = np.rint(photo.picture * 65535) // 256
    np.testing.assert_array_equal(upper, np.asarray(ImageOps.exif_transpose(image)))


@pytest.mark.parametrize("suffix", [".png", ".tif"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_16_bits_are_kept(tmp_path: Path, suffix: str, channels: int) -> None:
    path = tmp_path / f"deep{suffix}"
    deep = deep_colours(channels)
    if suffix == ".png":
        order = [2, 1, 0, 3][:channels] if channels > 1 else [0]
        cv2.imwrite(str(path), deep[..., order])
    else:
        alpha: dict[str, Any] = {"extrasamples": ["unassalpha"]} if channels == 4 else {}
        photometric = "minisblack" if channels == 1 else "rgb"
        tifffile.imwrite(path, deep.squeeze(), photometric=photometric, compression="zlib", **alpha)
    photo = read(path)
    assert (photo.bit_depth, photo.grey) == (16, channels == 1)
    expected = np.repeat(deep, 3, -1) if channels == 1 else deep[..., :3]
    np.testing.assert_array_equal(np.rint(photo.picture * 65535), expected)
    assert read_stored(path).dtype == np.uint16
    np.testing.assert_array_equal(read_stored(path), expected)
    if channels == 4:
        assert photo.alpha is not None
        np.testing.assert_array_equal(np.rint(photo.alpha * 65535), deep[..., 3])
    else:
        assert photo.alpha is None


def test_16_bit_grey_with_alpha(tmp_path: Path) -> None:
    both = deep_colours(2)
    grey, alpha = both[..., 0], both[..., 1]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in both)
    path = tmp_path / "la.png"
    path.write_bytes(png(34, 21, 16, 4, rows))
    photo = read(path)
    assert photo.alpha is not None
    np.testing.assert_array_equal(np.rint(photo.picture[..., 1] * 65535), grey)
    np.testing.assert_array_equal(np.rint(photo.alpha * 65535), alpha)


def test_inverted_16_bit_grey_is_not_misread(tmp_path: Path) -> None:
    path = tmp_path / "white-is-zero.tif"
    deep = deep_colours(1)[..., 0]
    tifffile.imwrite(path, 65535 - deep, photometric="miniswhite")
    np.testing.assert_array_equal(np.rint(read(path).picture[..., 0] * 65535), deep)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("kind", ["float16", "float32", "float64", "uint32", "int8", "int16"])
def test_other_depths_are_refused(tmp_path: Path, kind: str, channels: int) -> None:
    path = tmp_path / "other.tif"
    photometric = "rgb" if channels == 3 else "minisblack"
    tifffile.imwrite(path, np.ones((8, 9, channels), kind).squeeze(), photometric=photometric)
    with pytest.raises(PictureError, match=r"other\.tif: .*8 or 16 bits"):
        read(path)


def test_premultiplied_16_bit_alpha_is_refused_rather_than_misread(tmp_path: Path) -> None:
    path = tmp_path / "associated.tif"
    tifffile.imwrite(path, deep_colours(4), photometric="rgb", extrasamples=["assocalpha"])
    with pytest.raises(PictureError, match="16-bit"):
        read(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "PA"])
def test_alpha_is_split(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "transparent.png"
    alpha = np.where(np.mgrid[:40, :56][1] > 20, 255, 0).astype(np.uint8)
    if mode in ("P", "PA"):
        image = Image.fromarray(colours() // 128 * 128 + 64).quantize(16)
        kept = np.asarray(image) != 0
        image.save(path, transparency=0)
        expected = kept.astype(np.float32)
        pixels = np.asarray(image.convert("RGB"))
    else:
        pixels = colours() if mode == "RGBA" else np.repeat(colours()[..., :1], 3, -1)
        Image.fromarray(np.dstack([pixels, alpha])).convert(mode).save(path)
        expected = unit(alpha)
    photo = read(path)
    assert photo.alpha is not None
    np.testing.assert_array_equal(photo.alpha, expected)
    visible = photo.alpha > 0
    if mode != "LA":
        np.testing.assert_array_equal(np.rint(photo.picture * 255)[visible], pixels[visible])
    assert photo.grey == (mode == "LA")


def test_a_16_bit_transparent_colour_is_alpha(tmp_path: Path) -> None:
    path = tmp_path / "key.png"
    deep = deep_colours()
    deep[3:9, 4:8] = (1000, 2000, 3000)
    deep[3, 4] = (1001, 2000, 3000)  # the same upper bytes: still opaque
    cv2.imwrite(str(path), deep[..., ::-1])
    content = path.read_bytes()
    at = content.index(b"IDAT") - 4
    key = png_chunk(b"tRNS", struct.pack(">3H", 1000, 2000, 3000))
    path.write_bytes(content[:at] + key + content[at:])
    photo = read(path)
    assert photo.alpha is not None
    visible = (deep != (1000, 2000, 3000)).any(-1)
    np.testing.assert_array_equal(photo.alpha, visible)
    np.testing.assert_array_equal(np.rint(photo.picture * 65535)[visible], deep[visible])


def test_where_nothing_is_visible_the_nearest_visible_colour_is_read(tmp_path: Path) -> None:
    y, x = np.mgrid[:40, :56]
    inside = (y - 20) ** 2 + (x - 25) ** 2 < 200
    colour = np.where(x[..., None] < 25, [200, 10, 10], [10, 20, 200])
    layers = np.dstack([np.where(inside[..., None], colour, [0, 255, 0]), inside * 255])
    Image.fromarray(layers.astype(np.uint8)).save(tmp_path / "disc.png")
    photo = read(tmp_path / "disc.png")
    outside = ~inside & (np.abs(x - 25) > 1)  # nearest of which colour is plain there
    expected = np.where(x[..., None] < 25, [200, 10, 10], [10, 20, 200])
    np.testing.assert_array_equal(np.rint(photo.picture * 255)[outside], expected[outside])
    with pytest.warns(UserWarning, match="nearest visible"):
        stored = read_stored(tmp_path / "disc.png")
    np.testing.assert_array_equal(stored[outside], expected[outside])
    layers[..., 3] = 0  # nothing is visible: nothing to take colours from
    Image.fromarray(layers.astype(np.uint8)).save(tmp_path / "none.png")
    unseen = np.rint(read(tmp_path / "none.png").picture * 255)
    np.testing.assert_array_equal(unseen, layers[..., :3])


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP", "TIFF"])
def test_of_several_frames_the_first_is_read_with_a_warning(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "moving"
    first = Image.new("RGB", (9, 7), (255, 0, 0))
    first.save(path, kind, save_all=True, append_images=[Image.new("RGB", (9, 7), (0, 0, 255))])
    with pytest.warns(UserWarning, match="first"):
        photo = read(path)
    np.testing.assert_allclose(photo.picture, np.broadcast_to([1, 0, 0], (7, 9, 3)), atol=0.02)


@pytest.mark.parametrize("size", [(1, 1), (1, 5000), (5000, 1)])
def test_extreme_shapes_are_read(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "thin.png"
    Image.new("RGB", size, (10, 20, 30)).save(path)
    assert read(path).picture.shape == (size[1], size[0], 3)
