"""PSNR and SSIM against closed forms, scikit-image and values worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from skimage import data
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from palette.errors import UserError
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.distortion import luma, psnr, ssim
from palette.eval.metrics.pixels import to_uint8


def photograph() -> np.ndarray:
    return (data.astronaut()[100:196, 150:280] / 255).astype(np.float32)


def noisy(picture: np.ndarray, sigma: float = 0.05) -> np.ndarray:
    noise = np.random.default_rng(0).normal(0, sigma, picture.shape)
    return np.clip(picture + noise, 0, 1).astype(np.float32)


@given(st.integers(1, 255))
def test_psnr_of_a_constant_offset_is_the_closed_form(stored: int) -> None:
    black = np.zeros((8, 9, 3), np.float32)
    grey = np.full((8, 9, 3), stored / 255, np.float32)
    assert psnr(black, grey) == pytest.approx(20 * math.log10(255 / stored), abs=1e-12)


def test_psnr_equals_scikit_image_on_rounded_pictures() -> None:
    a, b = photograph(), noisy(photograph())
    by_hand = peak_signal_noise_ratio(to_uint8(a), to_uint8(b), data_range=255)
    assert psnr(a, b) == pytest.approx(by_hand, abs=1e-10)
    assert psnr(to_uint8(a), to_uint8(b)) == psnr(a, b)


def test_identical_pictures_are_infinitely_near_and_fully_similar() -> None:
    a = photograph()
    assert psnr(a, a) == math.inf
    assert ssim(a, a) == pytest.approx(1.0)
    assert psnr(a, a + 0.4 / 255) == math.inf  # the same file once rounded


def test_ssim_equals_scikit_image_channel_by_channel() -> None:
    a, b = photograph(), noisy(photograph())
    channels = [
        structural_similarity(
            to_uint8(a)[..., c],
            to_uint8(b)[..., c],
            gaussian_weights=True,
            sigma=1.5,
            use_sample_covariance=False,
            data_range=255,
        )
        for c in range(3)
    ]
    assert ssim(a, b) == pytest.approx(np.mean(channels), abs=1e-10)


def test_ssim_of_two_constants_is_the_luminance_term() -> None:
    a, b = np.full((16, 16, 3), 100 / 255), np.full((16, 16, 3), 120 / 255)
    c1 = (0.01 * 255) ** 2
    expected = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ssim(a, b) == pytest.approx(expected, abs=1e-10)


def test_luma_of_black_white_and_grey_is_studio_range() -> None:
    assert luma(np.zeros((1, 1, 3)))[0, 0] == pytest.approx(16)
    assert luma(np.ones((1, 1, 3)))[0, 0] == pytest.approx(235)
    assert luma(np.full((1, 1, 3), 51 / 255))[0, 0] == pytest.approx(16 + 219 / 5)


def test_luma_and_border_are_the_super_resolution_convention() -> None:
    a, b = photograph(), noisy(photograph())
    y_a, y_b = luma(a)[4:-4, 4:-4], luma(b)[4:-4, 4:-4]
    by_hand = 10 * math.log10(255**2 / np.mean((y_a - y_b) ** 2))
    assert psnr(a, b, luma=True, border=4) == pytest.approx(by_hand, abs=1e-10)
    similar = structural_similarity(
        y_a, y_b, gaussian_weights=True, sigma=1.5, use_sample_covariance=False, data_range=255
    )
    assert ssim(a, b, luma=True, border=4) == pytest.approx(similar, abs=1e-10)


def test_border_hides_the_border_only() -> None:
    a = photograph()
    b = a.copy()
    b[:3] = 0
    assert psnr(a, b, border=3) == math.inf
    assert psnr(a, b, border=2) < math.inf


def test_a_mask_counts_its_pixels_only() -> None:
    a = photograph()
    b = a.copy()
    mask = np.zeros(a.shape[:2], bool)
    mask[20:60, 30:70] = True
    b[mask] = np.clip(b[mask], 0, 0.5) + 10 / 255
    everywhere, inside = psnr(a, b), psnr(a, b, mask=mask)
    share = mask.mean()
    assert everywhere - inside == pytest.approx(-10 * math.log10(share), abs=1e-9)
    assert psnr(a, b, mask=~mask) == math.inf
    assert ssim(a, b, mask=mask) < ssim(a, b)
    for metric in (psnr, ssim):
        with pytest.raises(Undefined, match="empty"):
            metric(a, b, mask=np.zeros_like(mask))


def test_golden_values() -> None:
    """Worked out once with scikit-image and NumPy alone, outside of this package."""
    a, b = photograph(), noisy(photograph())
    assert psnr(a, b) == pytest.approx(26.363701, abs=1e-5)
    assert ssim(a, b) == pytest.approx(0.6632986, abs=1e-6)
    assert psnr(a, b, luma=True, border=4) == pytest.approx(31.115620, abs=1e-5)
    assert ssim(a, b, luma=True, border=4) == pytest.approx(0.8172423, abs=1e-6)


def test_errors_say_what_is_wrong() -> None:
    a = photograph()
    with pytest.raises(ValueError, match="of one size"):
        psnr(a, a[1:])
    with pytest.raises(Undefined, match=r"border 48 leaves nothing of 130×96"):
        psnr(a, a, border=48)
    with pytest.raises(UserError, match="border -1"):
        psnr(a, a, border=-1)
    with pytest.raises(ValueError, match="mask of shape"):
        psnr(a, a, mask=np.ones((3, 3), bool))
    with pytest.raises(Undefined, match="11 pixels"):
        ssim(a[:8], a[:8])
    with pytest.raises(ValueError, match="NaN"):
        psnr(np.full((4, 4, 3), np.nan), np.zeros((4, 4, 3)))
