"""PSNR-B by hand, and the figures of the literature where its pictures are at hand."""

from __future__ import annotations

import io
import math
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.degradations.matlab import imresize
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.distortion import blocking_effect, luma, psnr, psnr_b, psnr_b_colour, ssim

SETS = Path(os.environ.get("PALETTE_TEST_DATA") or "nowhere") / "test"
"""Test sets of the literature, a folder each, where there are any."""


def grey(values: np.ndarray) -> np.ndarray:
    return np.repeat(values[..., None], 3, axis=2).astype(np.uint8)


def test_a_step_between_blocks_by_hand() -> None:
    """16 × 16, left half 100, right half 110: the one edge of columns differs by 10 in 16 rows."""
    answer = grey(np.where(np.arange(16) < 8, 100, 110)[None].repeat(16, 0))
    edges, others = 16 + 16, 2 * 16 * 15 - 32
    assert others == 448
    expected = 3 / 4 * (16 * 100 / edges)  # log2 8 / log2 16, and nothing differs elsewhere
    assert blocking_effect(answer.astype(float)).tolist() == pytest.approx([expected] * 3)
    error = np.square(answer.astype(float) - 105).mean() + expected
    value = psnr_b(answer, np.full_like(answer, 105))
    assert value == pytest.approx(10 * math.log10(255**2 / error))
    assert psnr_b(answer, answer) == pytest.approx(10 * math.log10(255**2 / expected))


def test_a_step_within_a_block_is_no_blocking() -> None:
    answer = grey(np.where(np.arange(16) < 6, 100, 110)[None].repeat(16, 0))
    target = np.full_like(answer, 105)
    assert not blocking_effect(answer.astype(float)).any()
    assert psnr_b(answer, target) == psnr(answer, target)


def test_a_border_leaves_the_blocks_where_they_were() -> None:
    answer = grey(100 + 10 * (np.arange(48) // 8 % 2)[None].repeat(40, 0))
    target = np.full_like(answer, 105)
    assert blocking_effect(answer[3:-3, 3:-3].astype(float), border=3).all()
    assert not blocking_effect(answer[3:-3, 3:-3].astype(float)).any()
    assert psnr_b(answer, target, border=3) < psnr(answer, target, border=3)


def test_colour_tables_count_the_steps_of_the_luma() -> None:
    """A step of 10 of all channels is one of 10 · 219/255 of luma."""
    answer = grey(np.where(np.arange(16) < 8, 100, 110)[None].repeat(16, 0))
    target = np.full_like(answer, 105)
    step = 10 * 219 / 255
    error = 25 + 3 / 4 * (16 * step**2 / 32)
    assert psnr_b_colour(answer, target) == pytest.approx(10 * math.log10(255**2 / error))
    assert psnr_b_colour(target, target) == math.inf
    with pytest.raises(Undefined, match="16 pixels or more"):
        psnr_b_colour(answer[:15, :15], target[:15, :15])


def test_small_pictures_have_none() -> None:
    small = np.zeros((15, 15, 3), np.uint8)
    with pytest.raises(Undefined, match="16 pixels or more"):
        psnr_b(small, small)
    assert psnr_b(np.zeros((3, 40, 3), np.uint8), np.zeros((3, 40, 3), np.uint8)) == math.inf


# Figures of the literature


def read(name: str) -> list[tuple[np.ndarray, bool]]:
    """uint8 (H, W, 3), and whether the file is grey: MATLAB's scripts take no luma of these."""
    files = [Image.open(path) for path in sorted((SETS / name).glob("*.png"))]
    return [(np.array(file.convert("RGB")), file.mode == "L") for file in files]


at_hand = pytest.mark.skipif(not SETS.is_dir(), reason="PALETTE_TEST_DATA has no test sets")


@at_hand
@pytest.mark.parametrize(
    ("name", "scale", "published"),
    [("Set5", 4, 28.42), ("Set14", 3, 27.54), ("Set14", 4, 26.00)],
)
def test_bicubic_has_its_published_figure(name: str, scale: int, published: float) -> None:
    """RGB shrunk and enlarged by MATLAB's bicubic, 8 bits at each step; luma, border = scale."""
    values = []
    for picture, is_grey in read(name):
        height, width = (side // scale for side in picture.shape[:2])
        clean = picture[: height * scale, : width * scale]
        small = imresize(clean, height, width)
        back = imresize(small, *clean.shape[:2]).astype(np.uint8)
        values.append(psnr(back, clean, luma=not is_grey, border=scale))
    assert np.mean(values) == pytest.approx(published, abs=0.01)


@at_hand
def test_grey_jpeg_has_its_published_figures() -> None:
    """LIVE1 at quality 10: the 8-bit luma of the pictures, coded and decoded."""
    values = []
    for picture, _ in read("LIVE1"):
        clean = np.floor(luma(picture) + 0.5).astype(np.uint8)
        buffer = io.BytesIO()
        Image.fromarray(clean).save(buffer, "JPEG", quality=10)
        pair = grey(np.array(Image.open(buffer))), grey(clean)
        values.append([measure(*pair) for measure in (psnr, ssim, psnr_b)])
    found = np.mean(values, axis=0)
    assert found[0] == pytest.approx(27.77, abs=0.01)
    assert found[1] == pytest.approx(0.773, abs=0.001)
    assert found[2] == pytest.approx(25.33, abs=0.02)
