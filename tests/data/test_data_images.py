"""Reading and writing pictures: every fault of a file is an error that names it, or is mended."""

from __future__ import annotations

import io
import os
import pickle
import resource
import struct
import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import tifffile
from conftest import PHOTOS
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms, ImageOps

from palette.data import images
from palette.data.images import in_unit_range, list_pictures, read, read_levels, read_mask, write
from palette.errors import PictureError

EXACT: dict[str, dict[str, Any]] = {"WEBP": {"lossless": True}, "JPEG": {"quality": 100}}


def colours(height: int = 40, width: int = 56) -> np.ndarray:
    """Smooth 8-bit colours without any symmetry."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 // width, y * 255 // height, (x * 3 + y * 2) % 256], -1).astype(
        "uint8"
    )


def deep_colours(channels: int = 3) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 65536, (21, 34, channels), dtype=np.uint16)


def unit(levels: np.ndarray, highest: int = 255) -> np.ndarray:
    return np.divide(levels, np.float32(highest), dtype=np.float32)


def icc_profile(space: bytes, curve: bytes, matrix: np.ndarray | None) -> bytes:
    """A minimal ICC version 2 profile: one curve for all channels and, for RGB, a matrix to XYZ."""

    def xyz(values: np.ndarray) -> bytes:
        return b"XYZ \0\0\0\0" + struct.pack(
            ">3i", *np.rint(np.asarray(values) * 65536).astype(int)
        )

    text = b"made for a test\0"
    tags = {
        b"desc": b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78),
        b"cprt": b"text\0\0\0\0" + text,
        b"wtpt": xyz(np.array([0.9642, 1, 0.8249])),
    }
    if matrix is None:
        tags[b"kTRC"] = curve
    else:
        tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
        tags |= {n: xyz(matrix[:, i]) for i, n in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))}
    table, body = b"", b""
    for name, tag in tags.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(tags) + len(body), len(tag))
        body += tag + bytes(-len(tag) % 4)
    data = struct.pack(">I", len(tags)) + table + body
    header = bytearray(128)
    header[0:4] = struct.pack(">I", 128 + len(data))
    header[8:12] = b"\x02\x40\0\0"
    header[12:16], header[16:20], header[20:24] = b"mntr", space, b"XYZ "
    header[36:40] = b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + data


ADOBE = np.array(
    [[0.60974, 0.20528, 0.14919], [0.31111, 0.62567, 0.06322], [0.01947, 0.06087, 0.74457]]
)
GAMMA = b"curv\0\0\0\0" + struct.pack(">IH", 1, 563) + b"\0\0"
TABLE = b"curv\0\0\0\0" + struct.pack(">I9H", 9, *(int(65535 * (i / 8) ** 1.8) for i in range(9)))
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
PARA = b"para\0\0\0\0\0\3\0\0" + struct.pack(">5i", *(round(v * 65536) for v in SRGB_CURVE))
P3 = np.array(
    [[0.51512, 0.29198, 0.15710], [0.24120, 0.69225, 0.06657], [-0.00105, 0.04189, 0.78407]]
)
PROFILES = {"adobe": (ADOBE, GAMMA), "p3": (P3, PARA), "table": (ADOBE, TABLE)}


# Damaged and dangerous files


@pytest.mark.parametrize(
    "content", [b"", b"hello, I am a text\n", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0"]
)
def test_what_is_no_picture_is_refused_by_name(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "broken.png"
    path.write_bytes(content)
    with pytest.raises(PictureError, match=r"broken\.png: ") as caught:
        read(path)
    assert "\n" not in str(caught.value)


def test_missing_file_folder_and_pipe_are_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.png")
    (tmp_path / "loop.png").symlink_to("loop.png")
    for name, reason in [("none.png", "No such"), ("", "regular"), ("pipe.png", "regular")]:
        with pytest.raises(PictureError, match=reason):
            read(tmp_path / name)
    with pytest.raises(PictureError, match=r"loop\.png"):
        read(tmp_path / "loop.png")


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"])
@pytest.mark.parametrize("kept", [0.2, 0.5, 0.8, 0.95])
def test_truncated_files_raise(tmp_path: Path, kind: str, kept: float) -> None:
    path = tmp_path / "cut"
    noise = np.random.default_rng(1).integers(0, 256, (64, 80, 3), dtype=np.uint8)
    Image.fromarray(noise).save(path, kind)
    whole = path.read_bytes()
    read(path)
    path.write_bytes(whole[: int(kept * len(whole))])
    with pytest.raises(PictureError, match="cut: "):
        read(path)


@settings(max_examples=150, deadline=None)
@given(kind=st.sampled_from(["PNG", "JPEG", "WEBP", "TIFF", "BMP", "GIF"]), data=st.data())
def test_damage_gives_a_picture_or_a_picture_error(tmp_path_factory, kind: str, data) -> None:
    path = tmp_path_factory.mktemp("damage") / "damaged"
    Image.fromarray(colours(24, 24)).save(path, kind)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 8))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            photo = read(path)
        except PictureError:
            return
    assert photo.picture.dtype == np.float32
    assert photo.picture.shape[2] == 3
    assert 0 <= photo.picture.min() <= photo.picture.max() <= 1


def png(width: int, height: int, depth: int, colour_type: int, rows: bytes) -> bytes:
    header = struct.pack(">IIBBBBB", width, height, depth, colour_type, 0, 0, 0)
    chunks = {b"IHDR": header, b"IDAT": zlib.compress(rows), b"IEND": b""}
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks.items())


def png_chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def forged_png(width: int, height: int) -> bytes:
    return png(width, height, 8, 2, bytes(100))


@pytest.mark.parametrize("size", [(12000, 12000), (60000, 60000), (2**31 - 1, 2**31 - 1)])
def test_forged_headers_are_refused_before_decoding(tmp_path: Path, size: tuple[int, int]) -> None:
    path = tmp_path / "bomb.png"
    path.write_bytes(forged_png(*size))
    with pytest.raises(PictureError, match=r"bomb\.png: .*pixels"):
        read(path)


def test_a_header_within_the_cap_gives_no_false_alarm(tmp_path: Path) -> None:
    path = tmp_path / "large.png"
    path.write_bytes(forged_png(10000, 10000))  # Pillow alone would warn of a bomb
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(PictureError, match="truncated"):
            read(path)


def test_only_the_listed_parsers_open_a_file(tmp_path: Path) -> None:
    path = tmp_path / "hidden.png"
    Image.fromarray(colours()).save(path, "PPM")
    with pytest.raises(PictureError, match="no PNG, JPEG"):
        read(path)


def test_errors_travel_between_processes(tmp_path: Path) -> None:
    error = PictureError(f"{tmp_path}: reason")
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


# What a file holds


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "GIF", "WEBP"])
def test_content_decides_and_lossless_pixels_are_kept(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "wrong.jpg"
    pixels = colours() // 64 * 64 if kind == "GIF" else colours()
    Image.fromarray(pixels).save(path, kind, **EXACT.get(kind, {}))
    photo = read(path)
    np.testing.assert_array_equal(np.rint(photo.picture * 255), pixels)
    assert read_levels(path).dtype == np.uint8
    np.testing.assert_array_equal(read_levels(path), pixels)
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
    assert read_levels(path).dtype == np.uint16
    np.testing.assert_array_equal(read_levels(path), expected)
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


@pytest.mark.parametrize("kind", ["float32", "uint32", "int16"])
def test_other_depths_are_refused(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "other.tif"
    tifffile.imwrite(path, np.ones((8, 9), kind))
    with pytest.raises(PictureError, match=r"other\.tif"):
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
    if mode != "LA":
        np.testing.assert_array_equal(np.rint(photo.picture * 255), pixels)
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
    np.testing.assert_array_equal(photo.alpha == 0, (deep == (1000, 2000, 3000)).all(-1))
    np.testing.assert_array_equal(np.rint(photo.picture * 65535), deep)


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


# Colours


@pytest.mark.parametrize("name", PROFILES)
def test_profiles_are_converted_alike_with_8_and_16_bits(tmp_path: Path, name: str) -> None:
    matrix, curve = PROFILES[name]
    profile = icc_profile(b"RGB ", curve, matrix)
    image = Image.fromarray(colours())
    image.save(tmp_path / "8.png", icc_profile=profile)
    deep = colours().astype(np.uint16) * 257
    tifffile.imwrite(
        tmp_path / "16.tif",
        deep,
        photometric="rgb",
        extratags=[(34675, "B", len(profile), profile, True)],
    )
    shallow, exact = read(tmp_path / "8.png"), read(tmp_path / "16.tif")
    assert (shallow.bit_depth, exact.bit_depth) == (8, 16)
    untouched = unit(colours())
    assert np.abs(shallow.picture - untouched).max() > 0.05
    assert np.abs(shallow.picture - exact.picture).max() < 2.5 / 255
    for file, photo, kind in (("8.png", shallow, np.uint8), ("16.tif", exact, np.float32)):
        levels = read_levels(tmp_path / file)
        assert levels.dtype == kind
        np.testing.assert_array_equal(in_unit_range(levels), photo.picture)


def test_a_picture_in_srgb_with_its_profile_is_untouched(tmp_path: Path) -> None:
    # The primaries of the usual sRGB profile. Converted blindly, some levels would move by one.
    primaries = [
        [0.43607, 0.38515, 0.14307],
        [0.22249, 0.71687, 0.06061],
        [0.01392, 0.09708, 0.7141],
    ]
    profile = icc_profile(b"RGB ", PARA, np.array(primaries))
    transform = ImageCms.buildTransform(
        io.BytesIO(profile), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    moved = np.asarray(transform.apply(Image.fromarray(colours())))
    assert (moved != colours()).any()
    Image.fromarray(colours()).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(np.rint(read(tmp_path / "a.png").picture * 255), colours())


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_profiles_are_converted(tmp_path: Path, depth: int) -> None:
    linear = b"curv\0\0\0\0" + struct.pack(">I", 0)
    profile = icc_profile(b"GRAY", linear, None)
    grey = np.arange(0, 256, dtype=np.uint8).reshape(16, 16)
    path = tmp_path / "grey.png"
    image = Image.fromarray(grey if depth == 8 else grey.astype(np.uint16) * 257)
    image.save(path, icc_profile=profile)
    v = grey / 255
    expected = np.where(v <= 0.0031308, 12.92 * v, 1.055 * v ** (1 / 2.4) - 0.055)
    photo = read(path)
    assert (photo.bit_depth, photo.grey) == (depth, True)
    assert np.abs(photo.picture - expected[..., None]).max() < (1.5 / 255 if depth == 8 else 1e-4)


@pytest.mark.parametrize("profile", [b"no profile at all", icc_profile(b"GRAY", GAMMA, None)])
def test_a_broken_or_foreign_profile_warns(tmp_path: Path, profile: bytes) -> None:
    Image.fromarray(colours()).save(tmp_path / "a.png", icc_profile=profile)
    with pytest.warns(UserWarning, match=r"a\.png: ICC profile ignored"):
        photo = read(tmp_path / "a.png")
    np.testing.assert_array_equal(np.rint(photo.picture * 255), colours())


def test_cmyk_becomes_rgb_with_a_warning_where_it_has_no_profile(tmp_path: Path) -> None:
    image = Image.fromarray(colours()).convert("CMYK")
    image.save(tmp_path / "cmyk.jpg", quality=100, subsampling=0)
    with pytest.warns(UserWarning, match="CMYK"):
        photo = read(tmp_path / "cmyk.jpg")
    assert np.abs(photo.picture - colours() / 255).max() < 0.05


# Masks and listings


def test_masks_are_true_where_white(tmp_path: Path) -> None:
    mask = np.mgrid[:40, :56][1] > 20
    Image.fromarray(mask).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", (40, 56)), mask)
    with pytest.raises(PictureError, match=r"mask\.png.*56×40.*40×56"):
        read_mask(tmp_path / "mask.png", (56, 40))


def test_listing(tmp_path: Path) -> None:
    names = [
        "b.JPEG",
        "a.png",
        "c.TIF",
        "deep/d.webp",
        "deep/e.txt",
        ".hidden.png",
        ".git/f.png",
        "noise",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")

    def listed(recursive: bool) -> list[str]:
        return [p.relative_to(tmp_path).as_posix() for p in list_pictures(tmp_path, recursive)]

    assert listed(True) == ["a.png", "b.JPEG", "c.TIF", "deep/d.webp"]
    assert listed(False) == ["a.png", "b.JPEG", "c.TIF"]
    assert list_pictures(tmp_path / "a.png") == [tmp_path / "a.png"]
    with pytest.raises(ValueError, match=r"nowhere.*existing"):
        list_pictures(tmp_path / "nowhere")


def test_listing_follows_a_linked_folder_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    for name in ("one", "two"):
        (root / name).symlink_to(tmp_path / "real", target_is_directory=True)
    assert list_pictures(root) == [root / "one" / "a.png"]


# Writing


@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.webp", "a.jpg"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    picture = unit(colours())
    write(tmp_path / name, picture)
    difference = np.abs(read(tmp_path / name).picture - picture).max()
    assert difference < 0.15 if name == "a.jpg" else difference == 0
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "bits"), [("a.png", 8), ("a.png", 16), ("a.webp", 8), ("a.tif", 8)]
)
def test_alpha_is_written(tmp_path: Path, name: str, bits: int) -> None:
    levels = 2**bits - 1
    deep = (deep_colours(4) if bits == 16 else deep_colours(4) // 257).astype(np.float32)
    pixels = unit(deep, levels)
    write(tmp_path / name, pixels[..., :3].copy(), pixels[..., 3].copy(), bits)
    photo = read(tmp_path / name)
    assert photo.alpha is not None
    assert photo.bit_depth == bits
    both = np.dstack([photo.picture, photo.alpha])
    np.testing.assert_array_equal(np.rint(both * levels), deep)


def test_16_bit_tiff_is_written(tmp_path: Path) -> None:
    write(tmp_path / "a.tif", unit(deep_colours(), 65535), bit_depth=16)
    photo = read(tmp_path / "a.tif")
    assert photo.bit_depth == 16
    np.testing.assert_array_equal(np.rint(photo.picture * 65535), deep_colours())


def test_levels_are_rounded_to_the_nearest(tmp_path: Path) -> None:
    picture = np.full((2, 3, 3), 0.999 * 200 / 255 + 0.001 * 201 / 255, np.float32)
    picture[1] = 200.6 / 255
    write(tmp_path / "a.png", picture)
    assert np.asarray(Image.open(tmp_path / "a.png"))[:, 0, 0].tolist() == [200, 201]


GOOD = np.zeros((4, 5, 3), np.float32)


@pytest.mark.parametrize(
    ("name", "picture", "alpha", "bits", "reason"),
    [
        ("a.xyz", GOOD, None, 8, r"'\.xyz'.*\.png"),
        ("a.jpg", GOOD, GOOD[..., 0], 8, "transparency"),
        ("a.jpg", GOOD, None, 16, "16 bits"),
        ("a.png", GOOD, None, 12, "12"),
        ("a.png", GOOD.astype(np.float64), None, 8, "float64"),
        ("a.png", GOOD[..., :1], None, 8, r"\(4, 5, 1\)"),
        ("a.png", GOOD.transpose(2, 0, 1), None, 8, r"\(3, 4, 5\)"),
        ("a.png", GOOD[:0], None, 8, "empty"),
        ("a.png", GOOD + 255, None, 8, "255"),
        ("a.png", GOOD - 1, None, 8, "-1"),
        ("a.png", GOOD * np.nan, None, 8, "nan"),
        ("a.png", GOOD, GOOD[:2, :, 0], 8, "alpha"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, name, picture, alpha, bits, reason) -> None:
    with pytest.raises(ValueError, match=reason):
        write(tmp_path / name, picture, alpha, bits)
    assert os.listdir(tmp_path) == []


def test_a_full_disk_keeps_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    write(path, GOOD)
    old = path.read_bytes()
    script = f"""
import numpy as np
from palette.data.images import write
write({str(path)!r}, np.random.default_rng(0).random((99, 99, 3), dtype=np.float32))
"""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))

    done = subprocess.run(
        [sys.executable, "-B", "-c", script], preexec_fn=limit, capture_output=True
    )
    assert done.returncode != 0
    assert b"OSError" in done.stderr
    assert path.read_bytes() == old
    assert os.listdir(tmp_path) == ["a.png"]


def test_real_photographs_equal_pillow() -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photographs here")
    paths = list_pictures(PHOTOS / "val")[:5]
    assert len(paths) == 5
    for path in paths:
        expected = unit(np.asarray(Image.open(path)))
        np.testing.assert_array_equal(read(path).picture, expected)


def test_importing_loads_no_opencv() -> None:
    script = "import sys, palette.data.images; assert not {'cv2', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_list_of_suffixes_covers_the_formats() -> None:
    Image.init()
    kinds = {Image.EXTENSION[suffix] for suffix in images.SUFFIXES}
    assert kinds == set(images.FORMATS)
