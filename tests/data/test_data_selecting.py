"""Cutting and judging: pieces cover a picture, hashes know a picture again, faults are told."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageFilter

from palette.data.opening import open_source
from palette.data.selecting import (
    Hashes,
    Piece,
    Selection,
    perceptual_hash,
    piece_name,
    whole_name,
)
from palette.errors import UserError


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 200), st.integers(1, 200), st.integers(8, 100), st.integers(0, 99))
def test_pieces_cover_a_picture(height: int, width: int, cut: int, overlap: int) -> None:
    overlap = min(overlap, cut - 1)
    pieces = Selection(cut=cut, overlap=overlap).pieces(height, width)
    seen = np.zeros((height, width), int)
    for piece in pieces:
        assert (piece.height, piece.width) == (min(height, cut), min(width, cut))
        inside = piece.of(seen)
        assert inside.shape == (piece.height, piece.width)
        inside += 1
    assert seen.min() >= 1
    assert len(set(pieces)) == len(pieces)
    for side, edges in ((height, {p.top for p in pieces}), (width, {p.left for p in pieces})):
        steps = np.diff(sorted(edges))
        assert all(steps <= cut - overlap)
        assert len(edges) == 1 or steps.max() - steps.min() <= 1
        # one fewer would not do
        assert (len(edges) - 1) * (cut - overlap) + overlap < side or len(edges) == 1


def test_by_default_a_picture_stays_whole() -> None:
    assert Selection().pieces(3000, 7) == [Piece(0, 0, 3000, 7)]
    assert Selection(cut=480).pieces(480, 481) == [Piece(0, 0, 480, 480), Piece(0, 1, 480, 480)]


def test_names_of_pieces() -> None:
    piece = Piece(240, 0, 8, 8)
    for name in ("a/b.c/photo.png", "photo.tar.png", "photo", "a b/größe@3.png"):
        assert whole_name(piece_name(name, piece)) == name
        assert whole_name(name) == name
    assert piece_name("a/photo.png", piece) == "a/photo@240,0.png"


def photographs() -> list[np.ndarray]:
    sources = [open_source("bundled"), open_source("bundled", "held_out")]
    # the two of the motorcycle are one scene
    return [np.rint(s.read(i) * 255).astype(np.uint8) for s in sources for i in range(len(s))
            if s.ids[i] != "motorcycle_right"]  # fmt: skip


def test_hashes_tell_other_codings_from_other_pictures() -> None:
    pictures, known = photographs(), Hashes()
    for i, picture in enumerate(pictures):
        assert known.alike(perceptual_hash(picture)) is None
        known.add(str(i), perceptual_hash(picture))
    for i, picture in enumerate(pictures):
        file = io.BytesIO()
        Image.fromarray(picture).reduce(2).save(file, "JPEG", quality=40)
        coded = np.asarray(Image.open(file))
        assert known.alike(perceptual_hash(coded)) == str(i)


def test_pictures_that_show_nothing_are_not_compared() -> None:
    known = Hashes()
    for value in (0, 99, 255):
        nothing = np.full((64, 64, 3), value, np.uint8)
        assert perceptual_hash(nothing) is None
        assert known.alike(None) is None
        known.add(str(value), None)


def test_many_hashes() -> None:
    known, rng = Hashes(), np.random.default_rng(0)
    bits = [int(value) for value in rng.integers(0, 2**64, 3000, dtype=np.uint64)]
    for i, value in enumerate(bits):
        known.add(str(i), value)
    assert known.alike(bits[2999] ^ 0b111111) == "2999"
    assert known.alike(bits[7] ^ (0b111111 << 50)) == "7"
    assert known.alike(bits[7] ^ (0b1111111 << 50)) is None


def test_faults() -> None:
    picture = photographs()[0][:128, :128]
    chosen = Selection(min_contrast=8, min_sharpness=50)
    assert chosen.fault(picture) is None
    blurred = np.asarray(Image.fromarray(picture).filter(ImageFilter.GaussianBlur(6)))
    assert chosen.fault(blurred) == "blurred"
    assert chosen.fault(np.full_like(picture, 99)) == "flat"
    assert Selection().fault(np.full_like(picture, 99)) is None
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY).astype(float)
    kernel = np.array([[0, 1, 0], [1, -4, 1], [0, 1, 0]])
    wide = np.pad(grey, 1, mode="reflect")
    laplacian = sum(
        kernel[i, j] * wide[i : i + 128, j : j + 128] for i in range(3) for j in range(3)
    )
    sharpness = float(np.var(laplacian))
    assert Selection(min_sharpness=sharpness * 0.999).fault(picture) is None
    assert Selection(min_sharpness=sharpness * 1.001).fault(picture) == "blurred"
    assert Selection(min_contrast=grey.std() * 1.001).fault(picture) == "flat"


@pytest.mark.parametrize("bad", [
    {"cut": 7}, {"cut": 16, "overlap": 16}, {"overlap": 1}, {"min_side": -1},
    {"min_contrast": float("nan")}, {"min_sharpness": float("inf")},
])  # fmt: skip
def test_bad_choices(bad: dict) -> None:
    with pytest.raises(UserError, match=next(iter(set(bad) - {"cut"}), "cut")):
        Selection(**bad)
