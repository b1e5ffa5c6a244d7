"""Each of sixty files keeps what its format can hold, and the document says what."""

from __future__ import annotations

from pathlib import Path

import pytest
from PIL import Image, features
from round_trips import CASES, Case, line, outcome, photographs

TABLE = (Path(__file__).parents[2] / "docs" / "reliability.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def photos_of_cases() -> list[Image.Image]:
    return photographs()


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.suffix[1:]}: {case.name}")
def test_a_file_keeps_what_its_format_holds(
    case: Case, photos_of_cases: list[Image.Image], tmp_path: Path
) -> None:
    if case.suffix == ".heic":
        pytest.importorskip("pillow_heif")
    if case.suffix == ".avif" and not features.check("avif"):
        pytest.skip("a Pillow without AVIF")
    done = outcome(case, photos_of_cases[CASES.index(case) % 5], tmp_path)
    assert done.pixels == case.pixels
    assert {done.exif, done.xmp, done.profile} <= {"kept", "none", "of inks: left out"}
    assert (done.exif, done.xmp) == tuple(
        "kept" if f(case) else "none" for f in (has_exif, has_xmp)
    )
    assert [text.startswith(case.says) for text in done.said] == ([True] if case.says else [])
    assert line(case, done) in TABLE


def has_exif(case: Case) -> bool:
    return any(word in case.name for word in ("EXIF", "camera", "orientation"))


def has_xmp(case: Case) -> bool:
    return any(word in case.name for word in ("XMP", "camera"))


def test_there_are_fifty_and_no_two_alike() -> None:
    assert len({(case.suffix, case.name) for case in CASES}) == len(CASES) >= 50
