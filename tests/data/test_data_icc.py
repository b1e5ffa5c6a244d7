"""Colours: an embedded profile is applied, and sRGB stays untouched."""

from __future__ import annotations

import io
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from handmade import colours, unit
from handmade_profiles import (
    ADOBE,
    GAMMA,
    LINEAR,
    P3,
    PARAMETRIC,
    TABLE,
    icc_profile,
    table_profile,
)
from PIL import Image, ImageCms

from palette.data.images import read, read_stored, write
from palette.data.metadata import Metadata
from palette.data.stored import BitDepth, from_stored

PROFILES = {"adobe": (ADOBE, GAMMA), "p3": (P3, PARAMETRIC), "table": (ADOBE, TABLE)}


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
    assert np.abs(shallow.picture - exact.picture).max() < 1e-6
    transform = ImageCms.buildTransform(
        io.BytesIO(profile), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    by_little_cms = unit(np.asarray(transform.apply(image)))
    assert np.abs(shallow.picture - by_little_cms).max() < 2.5 / 255
    for file, photo in (("8.png", shallow), ("16.tif", exact)):
        stored = read_stored(tmp_path / file)
        assert stored.dtype == np.float32
        np.testing.assert_array_equal(from_stored(stored), photo.picture)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("name", [*PROFILES, "grey"])
def test_written_in_its_profile_a_picture_is_what_it_was(
    tmp_path: Path, name: str, bits: BitDepth
) -> None:
    """All of it, the colours that sRGB lacks too."""
    space, matrix, curve = (b"GRAY", None, GAMMA) if name == "grey" else (b"RGB ", *PROFILES[name])
    profile = icc_profile(space, curve, matrix)
    stored = np.random.default_rng(1).integers(0, 2**bits, (40, 56, 3))
    stored = stored[..., 0] if name == "grey" else stored
    tag = (34675, "B", len(profile), profile, True)
    kind = "minisblack" if name == "grey" else "rgb"
    dtype = np.uint8 if bits == 8 else np.uint16
    tifffile.imwrite(tmp_path / "a.tif", stored.astype(dtype), photometric=kind, extratags=[tag])
    photo = read(tmp_path / "a.tif")
    assert (photo.beyond is None) == (name == "grey")
    for suffix in (".png", ".tif"):
        path = tmp_path / f"b{suffix}"
        write(
            path,
            photo.picture,
            bit_depth=photo.bit_depth,
            grey=photo.grey,
            metadata=photo.metadata,
            beyond=photo.beyond,
        )
        raw = cv2.imread(str(path), cv2.IMREAD_UNCHANGED | cv2.IMREAD_IGNORE_ORIENTATION)
        assert raw is not None
        written = raw if raw.ndim == 2 else raw[..., ::-1]
        assert written.dtype == dtype
        difference = np.abs(written.astype(int) - stored)
        assert difference.max() <= (0 if bits == 8 else 8)  # float32 where a gamma is steep
        with Image.open(path) as image:
            assert image.info["icc_profile"] == profile


@pytest.mark.parametrize("depth", [8, 16])
def test_profiles_of_tables_go_both_ways_with_8_bits(tmp_path: Path, depth: int) -> None:
    profile = table_profile(b"RGB ")
    pixels = colours()
    if depth == 8:
        Image.fromarray(pixels).save(tmp_path / "a.tif", icc_profile=profile)
        photo = read(tmp_path / "a.tif")
    else:
        tag = (34675, "B", len(profile), profile, True)
        deep = pixels.astype(np.uint16) * 257
        tifffile.imwrite(tmp_path / "a.tif", deep, photometric="rgb", extratags=[tag])
        with pytest.warns(
            UserWarning, match=r"a\.tif: read as 8 bits for its ICC profile: .*tables"
        ):
            photo = read(tmp_path / "a.tif")
    assert photo.bit_depth == 8
    assert np.abs(photo.picture - unit(pixels)).max() > 0.05
    write(tmp_path / "b.png", photo.picture, metadata=photo.metadata)
    image = Image.open(tmp_path / "b.png")
    assert image.info["icc_profile"] == profile
    back = read(tmp_path / "b.png").picture
    assert np.abs(back - photo.picture).mean() < 1.5 / 255
    inside = np.ptp(pixels.astype(int), axis=-1) < 90  # pale enough for sRGB
    difference = np.abs(np.asarray(image).astype(int) - pixels)[inside]
    assert inside.mean() > 0.1
    assert difference.mean() < 2


def test_inks_become_lights(tmp_path: Path) -> None:
    profile = table_profile(b"CMYK")
    inks = np.zeros((16, 16, 4), np.uint8)
    inks[:8, :, 0] = 255
    Image.fromarray(inks, "CMYK").save(tmp_path / "a.tif", icc_profile=profile)
    photo = read(tmp_path / "a.tif")
    assert photo.metadata.icc == b""
    cyan, white = photo.picture[0, 0], photo.picture[15, 0]
    assert cyan[0] < 0.2
    assert cyan[1:].min() > 0.8
    assert white.min() > 0.97


def test_a_profile_that_does_not_fit_the_written_picture_is_left_out(tmp_path: Path) -> None:
    profile = icc_profile(b"GRAY", GAMMA, None)
    picture = unit(colours())
    with pytest.warns(UserWarning, match=r"a\.png: in sRGB, without its ICC profile: .*GRAY"):
        write(tmp_path / "a.png", picture, metadata=Metadata(icc=profile))
    np.testing.assert_array_equal(read(tmp_path / "a.png").picture, picture)
    assert "icc_profile" not in Image.open(tmp_path / "a.png").info


def test_a_picture_in_srgb_with_its_profile_is_untouched(tmp_path: Path) -> None:
    # The primaries of the usual sRGB profile. Converted blindly, some stored would move by one.
    primaries = [
        [0.43607, 0.38515, 0.14307],
        [0.22249, 0.71687, 0.06061],
        [0.01392, 0.09708, 0.7141],
    ]
    profile = icc_profile(b"RGB ", PARAMETRIC, np.array(primaries))
    transform = ImageCms.buildTransform(
        io.BytesIO(profile), ImageCms.createProfile("sRGB"), "RGB", "RGB"
    )
    moved = np.asarray(transform.apply(Image.fromarray(colours())))
    assert (moved != colours()).any()
    Image.fromarray(colours()).save(tmp_path / "a.png", icc_profile=profile)
    np.testing.assert_array_equal(np.rint(read(tmp_path / "a.png").picture * 255), colours())


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_profiles_are_converted(tmp_path: Path, depth: int) -> None:
    profile = icc_profile(b"GRAY", LINEAR, None)
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
