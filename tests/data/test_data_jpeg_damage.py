"""Damaged scans of JPEG files are noticed more often than not, sound ones never are."""

from __future__ import annotations

import io
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import PHOTOS
from handmade import exif_block
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from palette.data import jpeg_damage
from palette.data.images import list_pictures, read, read_stored
from palette.data.jpeg_damage import damage
from palette.data.sources import BundledSource
from palette.data.stored import to_stored
from palette.errors import PictureError


def jpeg(pixels: np.ndarray, mode: str = "RGB", **options: Any) -> bytes:
    data = io.BytesIO()
    Image.fromarray(pixels).convert(mode).save(data, "JPEG", **options)
    return data.getvalue()


def photograph() -> np.ndarray:
    return to_stored(BundledSource("held_out").read(1)[:256, :384], 8)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_sound_files_give_no_alarm(tmp_path_factory, data: st.DataObject) -> None:
    """Saturated stripes and checks of any size at any quality are the worst case."""
    draw = data.draw
    side = draw(st.integers(1, 9))
    rng = np.random.default_rng(draw(st.integers(0, 2**16)))
    height, width = draw(st.integers(1, 80)), draw(st.integers(1, 80))
    cells = rng.choice(np.array([0, 255], np.uint8), (80 // side + 1, 80 // side + 1, 3))
    pixels = cells.repeat(side, axis=0).repeat(side, axis=1)[:height, :width]
    path = tmp_path_factory.mktemp("sound") / "a.jpg"
    options: dict[str, Any] = {
        "quality": draw(st.integers(1, 100)),
        "subsampling": draw(st.integers(0, 2)),
        "progressive": draw(st.booleans()),
        "restart_marker_blocks": draw(st.integers(0, 3)),
    }
    path.write_bytes(jpeg(pixels, **options) + draw(st.sampled_from([b"", b"behind the end"])))
    assert damage(path) is None


@pytest.mark.parametrize("mode", ["L", "CMYK", "RGB"])
def test_other_kinds_give_no_alarm(tmp_path: Path, mode: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(jpeg(photograph(), mode, keep_rgb=True, exif=exif_block()))
    assert damage(path) is None
    Image.fromarray(photograph()).save(path, "PNG")
    assert damage(path) is None


def test_photographs_give_no_alarm() -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photographs here")
    assert [p for p in list_pictures(PHOTOS / "val") if damage(p)] == []


def damaged(sound: bytes, rng: np.random.Generator) -> bytes:
    """With a sector of the disk, 512 bytes of the scan, set to zero."""
    at = int(rng.integers(sound.rindex(b"\xff\xda") + 20, len(sound) - 520))
    return sound[:at] + bytes(512) + sound[at + 512 :]


def test_most_damage_that_shows_is_noticed(tmp_path: Path) -> None:
    path, rng = tmp_path / "a.jpg", np.random.default_rng(0)
    sound = jpeg(photograph(), quality=85)
    path.write_bytes(sound)
    whole = read_stored(path).astype(float)
    reasons = []
    for _ in range(60):
        path.write_bytes(damaged(sound, rng))
        try:
            shown = np.abs(read_stored(path) - whole).mean() > 5
        except PictureError:
            continue
        if shown:
            reasons.append(damage(path))
    assert len(reasons) > 20
    assert sum(reason is not None for reason in reasons) > 0.8 * len(reasons)


def test_reading_warns_and_goes_on(tmp_path: Path) -> None:
    sound = jpeg(photograph())
    path = tmp_path / "rotten.jpg"
    path.write_bytes(sound[:4000] + sound[4100:])
    with pytest.warns(UserWarning, match=r"rotten\.jpg: seems damaged, .* do not fit"):
        photo = read(path)
    assert photo.picture.shape == (256, 384, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read_stored(path)


@pytest.mark.parametrize("other", ["_decodes", "_impossible"])
def test_each_sign_finds_damage_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, other: str
) -> None:
    monkeypatch.setattr(jpeg_damage, other, lambda given: other == "_decodes")
    path, rng = tmp_path / "a.jpg", np.random.default_rng(0)
    sound, found = jpeg(photograph(), quality=85), 0
    for _ in range(40):
        path.write_bytes(damaged(sound, rng))
        found += damage(path) is not None
    assert found > (25 if other == "_impossible" else 8)
