"""Damaged and dangerous files: each is refused by a PictureError that names it."""

from __future__ import annotations

import os
import pickle
import warnings
from pathlib import Path

import numpy as np
import pytest
from handmade import colours, png
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from palette.data.images import read
from palette.errors import PictureError


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, I am a text\n", b"\x89PNG\r\n\x1a\n", b"%!PS-Adobe-3.0", b"PK\x03\x04\x14\0"],
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
