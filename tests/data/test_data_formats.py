"""Formats that need a plug-in of Pillow, and what is said where it is missing."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from handmade import XMP, colours, deep_colours, exif_block
from PIL import Image, features

from palette.data import formats
from palette.data.images import read
from palette.errors import PictureError


def saved(path: Path, kind: str) -> np.ndarray:
    """A file on its side with everything; the pixels that it shows."""
    if kind == "HEIF":
        pytest.importorskip("pillow_heif").register_heif_opener()
    elif not features.check("avif"):
        pytest.skip("a Pillow without AVIF")
    pixels = np.full((40, 56, 4), 200, np.uint8)
    pixels[..., :3] = colours()
    pixels[:8, :, 3] = 0
    Image.fromarray(pixels).save(path, kind, exif=exif_block(), xmp=XMP, quality=95)
    return np.rot90(pixels, -1)  # as orientation 6 asks


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_files_of_phones_and_of_the_web_are_read_in_full(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "a.jpg"  # content decides
    shown = saved(path, kind)
    photo = read(path)
    assert photo.alpha is not None
    assert photo.picture.shape == (56, 40, 3)
    np.testing.assert_allclose(photo.alpha, shown[..., 3] / 255, atol=0.01)
    visible = photo.alpha > 0
    assert np.abs(photo.picture - shown[..., :3] / 255)[visible].mean() < 0.03
    after = photo.metadata.of_size(40, 56)
    tags = Image.Exif()
    tags.load(after.exif)
    assert (tags[0x010F], tags[0x0112], tags.get_ifd(0x8769)[0xA002]) == ("Palette", 1, 40)
    assert after.xmp


@pytest.mark.parametrize("kind", ["AVIF", "HEIF"])
def test_cut_and_damaged_ones_are_named(tmp_path: Path, kind: str) -> None:
    saved(tmp_path / "a", kind)
    whole = (tmp_path / "a").read_bytes()
    for kept in (0.02, 0.2, 0.6, 0.95):
        (tmp_path / "a").write_bytes(whole[: max(12, int(kept * len(whole)))])
        with pytest.raises(PictureError, match="a: "):
            read(tmp_path / "a")


def test_ten_bits_are_read_as_eight_with_a_warning(tmp_path: Path) -> None:
    heif = pytest.importorskip("pillow_heif")
    deep = deep_colours()
    data = heif.from_bytes(mode="RGB;16", size=(34, 21), data=deep.tobytes())
    data.save(tmp_path / "a.heic", quality=-1)
    with pytest.warns(UserWarning, match=r"a\.heic: 10 bits, of which 8 are read"):
        assert read(tmp_path / "a.heic").bit_depth == 8


@pytest.mark.parametrize(
    ("brand", "cure"), [("heic", "palette-diffusion[heic]"), ("avif", "Pillow"), ("mif1", "heic")]
)
def test_a_missing_plug_in_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, brand: str, cure: str
) -> None:
    monkeypatch.setattr(formats, "is_there", lambda name: False)
    monkeypatch.setattr(formats.features, "check", lambda name: False)
    (tmp_path / "a").write_bytes(b"\0\0\0\x18ftyp" + brand.encode() + bytes(100))
    with pytest.raises(PictureError, match=f"{brand.upper()} files: .*{re.escape(cure)}"):
        read(tmp_path / "a")


def test_a_film_is_no_picture(tmp_path: Path) -> None:
    (tmp_path / "a.heic").write_bytes(b"\0\0\0\x18ftypisom" + bytes(100))
    with pytest.raises(PictureError, match="no PNG, JPEG"):
        read(tmp_path / "a.heic")
