"""Writing: what is written is read back, and what cannot be written is refused."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import tifffile
from handmade import colours, deep_colours, unit
from PIL import Image

from palette.data.images import read, write
from palette.data.stored import BitDepth


@pytest.mark.parametrize("name", ["a.png", "a.TIF", "a.webp", "a.jpg"])
def test_what_is_written_is_read_back(tmp_path: Path, name: str) -> None:
    picture = unit(colours())
    write(tmp_path / name, picture)
    difference = np.abs(read(tmp_path / name).picture - picture).max()
    assert difference < 0.15 if name == "a.jpg" else difference == 0
    assert os.listdir(tmp_path) == [name]


@pytest.mark.parametrize(
    ("name", "bits"), [("a.png", 8), ("a.png", 16), ("a.webp", 8), ("a.tif", 8), ("a.tif", 16)]
)
def test_alpha_is_written(tmp_path: Path, name: str, bits: BitDepth) -> None:
    highest = 2**bits - 1
    deep = (deep_colours(4) if bits == 16 else deep_colours(4) // 257).astype(np.float32)
    deep[..., 3] = deep[..., 3].clip(min=1)  # colours where it is 0 are not kept
    pixels = unit(deep, highest)
    write(tmp_path / name, pixels[..., :3].copy(), pixels[..., 3].copy(), bits)
    photo = read(tmp_path / name)
    assert photo.alpha is not None
    assert photo.bit_depth == bits
    both = np.dstack([photo.picture, photo.alpha])
    np.testing.assert_array_equal(np.rint(both * highest), deep)


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize("layers", ["grey", "grey and alpha", "colour", "colour and alpha"])
def test_a_tiff_is_what_other_readers_read(tmp_path: Path, bits: BitDepth, layers: str) -> None:
    deep = np.random.default_rng(0).integers(1, 2**bits, (300, 334, 4))
    grey = "grey" in layers
    deep[..., :3] = deep[..., :1] if grey else deep[..., :3]
    pixels = unit(deep, 2**bits - 1)
    alpha = pixels[..., 3].copy() if "alpha" in layers else None
    write(tmp_path / "a.tif", pixels[..., :3].copy(), alpha, bits, grey=grey)
    expected = deep[..., [*([0] if grey else [0, 1, 2]), *([] if alpha is None else [3])]]
    read_by_other = tifffile.imread(tmp_path / "a.tif")
    assert read_by_other.dtype == (np.uint8 if bits == 8 else np.uint16)
    np.testing.assert_array_equal(read_by_other, expected.squeeze())
    if bits == 8:
        np.testing.assert_array_equal(
            np.asarray(Image.open(tmp_path / "a.tif")), expected.squeeze()
        )
    if layers == "grey and alpha" and bits == 16:  # which Pillow cannot open
        return
    photo = read(tmp_path / "a.tif")
    assert (photo.bit_depth, photo.grey) == (bits, grey)
    np.testing.assert_array_equal(np.rint(photo.picture * (2**bits - 1)), deep[..., :3])


@pytest.mark.parametrize("name", ["a.png", "a.jpg", "a.tif"])
def test_grey_is_one_channel_the_mean_of_three(tmp_path: Path, name: str) -> None:
    picture = unit(colours())
    write(tmp_path / name, picture, grey=True)
    image = Image.open(tmp_path / name)
    assert image.mode == "L"
    difference = np.abs(np.asarray(image) - picture.mean(axis=-1) * 255).max()
    assert difference < (12 if name == "a.jpg" else 0.51)


@pytest.mark.parametrize("name", ["a.jpg", "a.webp"])
def test_quality_decides_between_size_and_loss(tmp_path: Path, name: str) -> None:
    picture = unit(colours())
    sizes, errors = [], []
    for quality in (5, 50, 100):
        write(tmp_path / name, picture, quality=quality)
        sizes.append((tmp_path / name).stat().st_size)
        errors.append(np.abs(read(tmp_path / name).picture - picture).mean())
    assert sizes == sorted(sizes)
    assert errors == sorted(errors, reverse=True)
    for bad, reason in ((0, "1 to 100"), (101, "1 to 100")):
        with pytest.raises(ValueError, match=reason):
            write(tmp_path / name, picture, quality=bad)
    with pytest.raises(ValueError, match="loses nothing"):
        write(tmp_path / "a.png", picture, quality=90)


def test_values_are_rounded_to_the_nearest(tmp_path: Path) -> None:
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
        ("a.webp", GOOD, None, 16, "16 bits"),
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
