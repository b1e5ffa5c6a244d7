"""Records, files of 16 bits or with transparency, and contact sheets."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from palette.degradations import DEGRADATIONS, build
from palette.degradations.bit_depth import carry_alpha, for_bit_depth
from palette.degradations.contact_sheet import CELL, GAP, cell, contact_sheet, summary
from palette.degradations.records import Record, digest, draw, parse, read, versions
from palette.degradations.wrappers import Albumentations, Kornia
from palette.seeding import rng
from palette.types import Picture, Spec


def noise_picture(height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


# Records


def record_of(name: str, picture: Picture, **changes: Any) -> Record:
    degradation = build(name)
    params = draw(degradation, picture, seed=3, index=5, view=1)
    fields: dict[str, Any] = {
        "name": name,
        "scale": None,
        "params": params,
        "seed": 3,
        "index": 5,
        "view": 1,
        "severity": None,
        "pins": {},
        "source": "ä.png",
        "output": "ä.png",
        "source_digest": digest(picture),
        "digest": digest(degradation.apply(picture, params)),
    }
    return Record(**{**fields, **changes})


@pytest.mark.parametrize("name", DEGRADATIONS)
def test_records_replay_bit_for_bit(name: str, tmp_path: Path) -> None:
    picture = noise_picture(41, 53)
    record = record_of(name, picture)
    (tmp_path / "records.jsonl").write_text(record.line() + "\n", encoding="utf-8")
    (again,) = read(tmp_path / "records.jsonl")
    assert again == record
    assert digest(again.replay(picture)) == record.digest


def test_a_record_says_what_it_depends_on() -> None:
    record = json.loads(record_of("bsr", noise_picture()).line())
    assert record["versions"] == versions()
    assert {"palette-diffusion", "numpy", "opencv-python-headless", "torch"} <= set(versions())
    assert "seed" in json.dumps(record["params"])


def test_bad_records_and_other_pictures_are_refused(tmp_path: Path) -> None:
    picture = noise_picture()
    record = record_of("jpeg", picture)
    with pytest.raises(ValueError, match="not the picture that was recorded"):
        record.replay(picture[::-1])
    with pytest.raises(ValueError, match="not a record"):
        parse("{}")
    with pytest.raises(ValueError, match="not a record, but 'hello'"):
        parse("hello")
    other = json.dumps(dataclasses.asdict(record) | {"schema": 99})
    path = tmp_path / "records.jsonl"
    path.write_text(record.line() + "\n" + other + "\n", encoding="utf-8")
    with pytest.raises(ValueError, match=r"records.jsonl, line 2: record of schema 99"):
        list(read(path))


def test_the_digest_sees_every_bit_and_the_shape() -> None:
    picture = noise_picture()
    changed = picture.copy()
    changed[3, 4, 1] = np.nextafter(changed[3, 4, 1], np.float32(1))
    assert len({digest(picture), digest(changed), digest(picture.reshape(64, 48, 3))}) == 3
    assert digest(picture) == digest(np.asfortranarray(picture))


# Files


def test_sixteen_bits_are_kept_or_refused() -> None:
    assert for_bit_depth(build("bsr"), 8) == build("bsr")
    rounded = "sr_bicubic:1,shrink:1"  # which of them is known only when it is drawn
    for name in ("bsr", "jpeg", "webp", "real_esrgan", "imagenet_c_jpeg_compression", rounded):
        with pytest.raises(ValueError, match="holds 8 bits, the file has 16"):
            for_bit_depth(build(name), 16)
    picture = noise_picture()
    for name in ("sr_bicubic", "quantise", "gaussian_noise", "grayscale", "palette_inpainting"):
        degradation = for_bit_depth(build(name), 16)
        result = degradation.apply(picture, degradation.draw(Spec(48, 64), rng(0)))
        eighths = result * 255
        assert np.abs(eighths - np.rint(eighths)).max() > 0.1, name


def test_alpha_follows_the_size_and_is_refused_where_pixels_may_move() -> None:
    alpha = np.zeros((48, 64), np.float32)
    alpha[:24] = 1
    assert carry_alpha(build("jpeg"), alpha, 48, 64) is alpha
    small = carry_alpha(build("sr_bicubic"), alpha, 12, 16)
    assert small.shape == (12, 16)
    assert small[:6].min() == 1
    assert small[6:].max() == 0
    for wrapped in (Albumentations("HorizontalFlip"), Kornia("RandomHorizontalFlip")):
        with pytest.raises(ValueError, match="may move pixels"):
            carry_alpha(wrapped, alpha, 48, 64)


# Contact sheets


def test_a_contact_sheet_has_a_cell_for_each_picture() -> None:
    cells = [cell(noise_picture(30, 60), "one"), cell(noise_picture(7, 7), "two " * 60)]
    sheet = contact_sheet([cells, cells[:1]])
    assert sheet.shape[1] == 2 * (CELL + GAP) + GAP
    assert sheet.dtype == np.float32
    assert (sheet[-100:, -CELL:] == 1).all(), "the cell without a picture is paper"


def test_a_label_tells_what_was_applied() -> None:
    params = {
        "steps": [
            {"name": "noise", "params": {"kind": "grey", "level_255": 7, "seed": 12345}},
            {"name": "sensor", "params": {"on": False, "params": {"shot": 0.1}}},
            {"name": "down", "params": {"name": "resize", "params": {"factor": 0.31234}}},
        ]
    }
    assert summary("bsr", params) == "noise grey 7 › resize 0.31"
    assert summary("jpeg", {"quality": 40, "subsampling": "4:2:0"}) == "jpeg 40"
