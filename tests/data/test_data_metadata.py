"""EXIF, XMP and profiles: what describes the new picture is right, all else is untouched."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from handmade import XMP, colours, exif_block, unit
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import ExifTags, Image, ImageCms

from palette.data.images import read, write
from palette.data.metadata import Metadata
from palette.data.stored import BitDepth

THUMBNAIL = b"\xff\xd8 a small picture \xff\xd9"
CAMERA, GPS, SECOND = ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo, ExifTags.IFD.IFD1


def tags(exif: bytes) -> tuple[dict, dict, dict]:
    """By Pillow: the main directory, that of the camera, and that of the thumbnail."""
    found = Image.Exif()
    found.load(exif)
    return dict(found), dict(found.get_ifd(CAMERA)), dict(found.get_ifd(SECOND))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("width", [300, 70000])
def test_exif_is_of_the_new_picture(order: str, width: int) -> None:
    before = exif_block(order, THUMBNAIL)
    assert tags(before)[2] != {}
    after = Metadata(exif=before).of_size(width, 200).exif
    main, camera, second = tags(after)
    assert (main[0x0100], main[0x0101], main[0x0112], main[0x010F]) == (width, 200, 1, "Palette")
    assert (camera[0xA002], camera[0xA003]) == (width, 200)
    assert second == {}
    assert b"small picture" not in after
    at = after.index(b"NOTE")
    assert at == before.index(b"NOTE")  # the offset that the note holds is still its own
    assert after[at : at + 8] == before[at : at + 8]


def test_what_is_right_already_stays_to_the_byte() -> None:
    right = Metadata(exif_block(), XMP).of_size(31, 17)
    assert right.of_size(31, 17) == right


def test_a_thumbnail_in_the_middle_is_blanked() -> None:
    block = exif_block("<", THUMBNAIL) + b"behind it"
    after = Metadata(exif=block).of_size(31, 17).exif
    assert len(after) == len(block)
    assert b"small picture" not in after


def test_xmp_is_of_the_new_picture() -> None:
    after = Metadata(xmp=XMP).of_size(300, 200).xmp
    ET.fromstring(after)
    text = after.decode()
    assert 'tiff:Orientation="1"' in text
    assert "exif:PixelXDimension='300'" in text
    assert "<exif:PixelYDimension>200</exif:PixelYDimension>" in text
    assert "<tiff:ImageWidth>300</tiff:ImageWidth><" in text.replace("\n", "")
    assert "<tiff:ImageLength>200</tiff:ImageLength>" in text
    assert "Thumbnails" not in text
    assert "größer" in text


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_damaged_blocks_cost_nothing_else(data: st.DataObject) -> None:
    block = bytearray(exif_block(data.draw(st.sampled_from("<>")), THUMBNAIL))
    for _ in range(data.draw(st.integers(1, 6))):
        block[data.draw(st.integers(6, len(block) - 1))] = data.draw(st.integers(0, 255))
    kept = data.draw(st.integers(0, len(block)))
    after = Metadata(exif=bytes(block[:kept])).of_size(300, 200)
    assert len(after.exif) <= max(kept, len(b"Exif\0\0"))


FORMATS = ["png", "jpg", "webp", "tif"]


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("bits", [8, 16])
def test_every_format_keeps_all_three(tmp_path: Path, kind: str, bits: BitDepth) -> None:
    if bits == 16 and kind in ("jpg", "webp"):
        pytest.skip("of 8 bits")
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    block = Image.Exif()
    block.load(exif_block())
    block[GPS] = {1: "N", 2: (48.0, 8.0, 0.5)}
    given = Metadata(block.tobytes(), XMP, profile)
    write(tmp_path / f"a.{kind}", unit(colours()), bit_depth=bits, metadata=given)
    with Image.open(tmp_path / f"a.{kind}") as image:
        image.load()
        found = image.getexif()
        assert image.size == (56, 40)
        assert (found[0x010F], found[0x0112]) == ("Palette", 1)
        camera = found.get_ifd(CAMERA)
        assert (camera[0xA002], camera[0xA003], camera[0x927C][:4]) == (56, 40, b"NOTE")
        assert found.get_ifd(GPS)[2] == (48.0, 8.0, 0.5)
        assert image.info["xmp"] == given.of_size(56, 40).xmp
        assert image.info["icc_profile"] == profile
    again = read(tmp_path / f"a.{kind}")
    if kind != "jpg":
        np.testing.assert_array_equal(np.rint(again.picture * 255), colours())
    assert (again.metadata.xmp, again.metadata.icc) == (given.of_size(56, 40).xmp, profile)
    assert tags(again.metadata.exif)[1][0xA002] == 56


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("made", ["jpg", "png", "tif", "bmp"])
def test_a_scan_keeps_its_dots_per_inch(tmp_path: Path, made: str, bits: BitDepth) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # turned: what was across is down
    turned: dict[str, Any] = {"exif": exif} if made in ("jpg", "png") else {}
    Image.fromarray(colours()).save(tmp_path / f"scan.{made}", dpi=(600, 300), **turned)
    photo = read(tmp_path / f"scan.{made}")
    for kind in ("png", "tif", "jpg")[: 2 if bits == 16 else 3]:
        path = tmp_path / f"a.{kind}"
        write(path, photo.picture, bit_depth=bits, metadata=photo.metadata)
        with Image.open(path) as image:
            found = image.info["dpi"]
        assert found == pytest.approx((300, 600) if turned else (600, 300), abs=0.1)


@pytest.mark.parametrize("kind", FORMATS)
def test_no_dots_per_inch_are_made_up(tmp_path: Path, kind: str) -> None:
    Image.fromarray(colours()).save(tmp_path / f"a.{kind}")
    write(tmp_path / f"b.{kind}", unit(colours()), metadata=Metadata())
    for name in "ab":
        assert read(tmp_path / f"{name}.{kind}").metadata.dpi is None


def test_what_exif_says_itself_is_not_said_twice(tmp_path: Path) -> None:
    camera = Image.Exif()
    camera[0x011A], camera[0x011B], camera[0x0128] = 240, 240, 2
    Image.fromarray(colours()).save(tmp_path / "a.jpg", exif=camera)
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "b.jpg").write_bytes(data[:2] + data[20:])  # a camera's: without JFIF
    for name, jfif in (("a", True), ("b", False)):
        with Image.open(tmp_path / f"{name}.jpg") as image:
            assert ("jfif" in image.info, image.info["dpi"]) == (jfif, (240, 240))
        assert read(tmp_path / f"{name}.jpg").metadata.dpi is None


def test_tags_that_say_how_pixels_are_stored_do_not_reach_a_tiff(tmp_path: Path) -> None:
    block = Image.Exif()
    block.load(exif_block())
    block[0x0106], block[0x0102], block[0x0115] = 6, (8, 8, 8), 3  # a JPEG's YCbCr
    write(tmp_path / "a.tif", unit(colours()), bit_depth=16, metadata=Metadata(block.tobytes()))
    np.testing.assert_array_equal(np.rint(read(tmp_path / "a.tif").picture * 255), colours())


def test_blocks_too_long_for_jpeg_are_left_out_with_a_warning(tmp_path: Path) -> None:
    long = Metadata(exif_block() + bytes(70000), XMP + b" " * 70000)
    with pytest.warns(UserWarning, match="too long for JPEG") as caught:
        write(tmp_path / "a.jpg", unit(colours()), metadata=long)
    assert [str(w.message).split(": ")[1].split()[0] for w in caught] == ["exif", "xmp"]
    with Image.open(tmp_path / "a.jpg") as image:
        assert not {"exif", "xmp"} & set(image.info)


def test_exif_that_imagemagick_wrote_as_text_is_found(tmp_path: Path) -> None:
    from PIL.PngImagePlugin import PngInfo

    text = PngInfo()
    block = exif_block()
    text.add_text("Raw profile type exif", f"\nexif\n{len(block):8}\n{block.hex()}\n")
    Image.fromarray(colours()).save(tmp_path / "a.png", pnginfo=text)
    photo = read(tmp_path / "a.png")
    assert photo.picture.shape == (56, 40, 3)  # on its side
    assert tags(photo.metadata.exif)[0][0x010F] == "Palette"


def test_without_metadata_none_is_written(tmp_path: Path) -> None:
    for kind in FORMATS:
        write(tmp_path / f"a.{kind}", unit(colours()))
        with Image.open(io.BytesIO((tmp_path / f"a.{kind}").read_bytes())) as image:
            assert not {"exif", "xmp", "icc_profile"} & set(image.info)
