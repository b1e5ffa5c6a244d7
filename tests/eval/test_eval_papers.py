"""The rows of the papers, figure by figure. Palette is Saharia et al. 2022."""

from __future__ import annotations

import numpy as np
import pytest

from palette.errors import UserError
from palette.eval.pictures import Plan, prepared
from palette.eval.protocols import find_protocol
from palette.eval.report import papers
from palette.eval.report.papers import PaperRow
from palette.seeding import rng
from palette.types import Spec

ORIGINALS = {
    "tables 2 and 9": (papers.INPAINTING_FREEFORM, (5.1, 231.6, 74.6, 0), 10_000),
    "table 9, centre": (papers.INPAINTING_CENTER, (5.1, 231.6, 74.6, 0), 10_000),
    "table 1": (papers.COLORIZATION_5K, (14.68, 229.6, 75.6, 0), 5_000),
    "table 8": (papers.COLORIZATION, (2.7, 250.1, 76.0, 0), 10_000),
    "table 3": (papers.UNCROPPING, (2.7, 250.1, 76.0, 0), 10_000),
    "table 4": (papers.JPEG_Q5, (2.7, 250.1, 76.0, 0), 10_000),
}


@pytest.mark.parametrize("table", ORIGINALS)
def test_the_originals_are_those_of_their_own_table(table: str) -> None:
    rows, figures, count = ORIGINALS[table]
    row = rows[-1]
    assert (row.title, row.count) == ("originals", count)
    assert tuple(row.figures[name] for name in ("fid", "is", "ca", "pd")) == figures


PALETTE = [
    (papers.JPEG_Q5, "Palette", (8.3, 133.6, 64.2, 95.5)),
    (papers.JPEG_Q5, "Palette, one model for all tasks", (7.0, 137.8, 64.7, 92.4)),
    (papers.JPEG_Q10, "Palette", (5.4, 180.5, 70.7, 58.3)),
    (papers.JPEG_Q20, "Palette", (4.3, 208.7, 73.5, 37.1)),
    (papers.COLORIZATION_5K, "Palette", (15.78, 200.8, 72.5, 46.2)),
    (papers.COLORIZATION, "Palette, L2", (3.4, 212.9, 72.0, 48.0)),
    (papers.COLORIZATION, "Palette, L1", (3.4, 215.8, 71.9, 45.8)),
    (papers.INPAINTING_FREEFORM, "Palette", (5.2, 205.5, 72.3, 27.6)),
    (papers.INPAINTING_CENTER, "Palette", (6.6, 173.9, 69.3, 59.5)),
    (papers.UNCROPPING, "Palette", (5.8, 138.1, 63.4, 85.9)),
]


def test_palettes_rows() -> None:
    for rows, title, figures in PALETTE:
        (row,) = (row for row in rows if row.title == title)
        assert tuple(row.figures.values()) == figures


SR3 = [
    (papers.SR3_16_128, "SR3", {"psnr": 23.04, "ssim": 0.65, "consistency": 2.68}),
    (papers.SR3_16_128, "regression", {"psnr": 23.96, "ssim": 0.69, "consistency": 2.71}),
    (papers.SR3_16_128, "PULSE", {"psnr": 16.88, "ssim": 0.44, "consistency": 161.1}),
    (papers.SR3_16_128, "FSRGAN", {"psnr": 23.01, "ssim": 0.62, "consistency": 33.8}),
    (papers.SR3_64_256, "reference", {"fid": 1.9, "is": 240.8}),
    (papers.SR3_64_256, "SR3", {"fid": 5.2, "is": 180.1, "psnr": 26.4, "ssim": 0.762}),
    (papers.SR3_64_256, "regression", {"fid": 15.2, "is": 121.1, "psnr": 27.9, "ssim": 0.801}),
]


def test_sr3s_rows() -> None:
    """SR3 (Saharia et al. 2021), tables 1 and 2."""
    for rows, title, figures in SR3:
        (row,) = (row for row in rows if row.title == title)
        assert row.figures == figures


def test_five_thousand_pictures_and_ten_thousand_are_other_protocols() -> None:
    five, ten = (find_protocol(f"palette-colorization{end}") for end in ("-5k", ""))
    assert {row.count for row in five.paper} == {5_000}
    assert {row.count for row in ten.paper} == {10_000}
    assert five.dataset == "imagenet-validation-first-5k"
    assert ten.dataset == "imagenet-ctest10k"


def test_uncropping_is_judged_on_the_right_half() -> None:
    """Palette, appendix C.3."""
    operator = find_protocol("palette-uncropping").operator
    assert operator is not None
    for seed in range(8):
        mask = operator.mask(operator.draw(Spec(256, 256), rng(seed)))
        assert mask is not None
        assert mask[:, 128:].all()
        assert not mask[:, :128].any()


def plan(name: str) -> Plan:
    protocol = find_protocol(name)
    operator, side, resize = protocol.operator, protocol.side, protocol.resize
    return Plan([], [], (), 1, 0, operator, side, resize)


def test_sr3_takes_the_largest_central_square_by_area_and_no_smaller_picture() -> None:
    draws = np.random.default_rng(0)
    picture = draws.integers(0, 256, (512, 640, 3)).astype(np.float32) / np.float32(255)
    means = picture[:, 64:576].reshape(256, 2, 256, 2, 3).mean((1, 3))
    made = prepared(picture, plan("sr3-64-256"), 4, "a.png")
    assert made.shape == (256, 256, 3)
    assert np.abs(made - means).max() <= 0.5 / 255 + 1e-6
    with pytest.raises(UserError, match=r"b.png has 300×200 pixels, .* leave out pictures below"):
        prepared(np.zeros((200, 300, 3), np.float32), plan("sr3-64-256"), 4, "b.png")


def test_rows_have_titles_of_their_own() -> None:
    every = [value for value in vars(papers).values() if isinstance(value, tuple)]
    for rows in every:
        assert all(isinstance(row, PaperRow) for row in rows)
        assert len({row.title for row in rows}) == len(rows)
