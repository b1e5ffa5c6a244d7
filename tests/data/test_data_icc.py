"""Colours: an embedded profile is applied, and sRGB stays untouched."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import cv2
import numpy as np
import pytest
import tifffile
from handmade import colours, icc_profile, unit
from PIL import Image, ImageCms

from palette.data.images import read, read_stored, write
from palette.data.metadata import Metadata
from palette.data.stored import BitDepth, from_stored

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
