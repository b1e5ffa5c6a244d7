"""JPEG and WebP: the real codecs bit for bit, and JPEG as tensors within a stated distance."""

from __future__ import annotations

import io

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from skimage import data

from palette.degradations import build, jpeg_tensors
from palette.degradations.jpeg import Quantise, jpeg_round_trip, to_bytes, webp_round_trip
from palette.seeding import rng
from palette.types import Picture, Spec

PILLOW = {"4:4:4": 0, "4:2:2": 1, "4:2:0": 2}


def photograph(height: int = 101, width: int = 135) -> Picture:
    """Sharp and colourful, of odd size."""
    part = cv2.resize(data.coffee(), (width, height), interpolation=cv2.INTER_AREA)
    return part.astype(np.float32) / np.float32(255)


def pillow_round_trip(picture: Picture, format: str, **options: int) -> Picture:
    buffer = io.BytesIO()
    Image.fromarray(to_bytes(picture)).save(buffer, format, **options)
    decoded = np.asarray(Image.open(buffer).convert("RGB"))
    return decoded.astype(np.float32) / np.float32(255)


def psnr(one: np.ndarray, other: np.ndarray) -> float:
    return float(-10 * np.log10(max(np.mean((one - other) ** 2), 1e-12)))


@pytest.mark.parametrize("subsampling", PILLOW)
@pytest.mark.parametrize("size", [(101, 135), (64, 64), (1, 1), (1, 17), (9, 2)])
def test_jpeg_equals_pillow_bit_for_bit(subsampling: str, size: tuple[int, int]) -> None:
    picture = photograph(*size)
    for quality in (1, 5, 10, 30, 50, 75, 95, 100):
        expected = pillow_round_trip(
            picture, "JPEG", quality=quality, subsampling=PILLOW[subsampling]
        )
        assert np.array_equal(jpeg_round_trip(picture, quality, subsampling), expected)


def test_jpeg_keeps_red_red() -> None:
    """Swapped channels would cost 30 dB of chroma at low quality."""
    red = np.zeros((32, 32, 3), np.float32)
    red[..., 0] = 1
    result = jpeg_round_trip(red, 10)
    assert result[..., 0].min() > 0.9
    assert result[..., 1:].max() < 0.1


def test_webp_equals_pillow() -> None:
    picture = photograph()
    for quality in (5, 50, 95):
        result = webp_round_trip(picture, quality)
        assert psnr(result, pillow_round_trip(picture, "WEBP", quality=quality)) > 40
        assert result[..., 0].mean() > result[..., 2].mean() + 0.1, "red and blue exchanged"


def test_bad_settings_are_refused() -> None:
    picture = photograph(8, 8)
    with pytest.raises(ValueError, match="JPEG quality 0 is not in 1–100"):
        jpeg_round_trip(picture, 0)
    with pytest.raises(ValueError, match=r"'4:1:1' is not one of 4:2:0, 4:2:2, 4:4:4"):
        jpeg_round_trip(picture, 50, "4:1:1")
    with pytest.raises(ValueError, match="WebP quality 101 is not in 1–100"):
        webp_round_trip(picture, 101)
    tensor = torch.zeros(1, 3, 8, 8)
    with pytest.raises(ValueError, match="JPEG quality 0 is not in 1–100"):
        jpeg_tensors.round_trip(tensor, [0])
    with pytest.raises(ValueError, match=r"'4:1:1' is not one of"):
        jpeg_tensors.round_trip(tensor, [50], "4:1:1")


@pytest.mark.parametrize("subsampling", PILLOW)
@pytest.mark.parametrize("size", [(101, 135), (16, 16), (17, 34), (1, 1), (3, 5), (9, 2), (40, 7)])
@pytest.mark.parametrize("kind", ["astronaut", "cat", "noise", "black and white"])
def test_jpeg_as_tensors_equals_the_codec_bit_for_bit(
    kind: str, size: tuple[int, int], subsampling: str
) -> None:
    """Every quality from 1 to 100, in one batch."""
    generator = np.random.default_rng(0)
    sources = {
        "astronaut": data.astronaut(),
        "cat": data.cat()[60:, 100:],
        "noise": generator.integers(0, 256, (101, 135, 3)),
        "black and white": generator.integers(0, 2, (101, 135, 3)) * 255,
    }
    picture = sources[kind][: size[0], : size[1]].astype(np.float32) / np.float32(255)
    qualities = list(range(1, 101))
    batch = torch.from_numpy(picture).permute(2, 0, 1).expand(100, -1, -1, -1)
    before = batch.clone()
    results = jpeg_tensors.round_trip(batch, qualities, subsampling)
    assert torch.equal(batch, before)
    for quality, result in zip(qualities, results, strict=True):
        expected = jpeg_round_trip(picture, quality, subsampling)
        assert np.array_equal(result.permute(1, 2, 0).numpy(), expected), quality


def test_the_integer_dct_is_the_dct() -> None:
    """The constants are √8 times those of the orthonormal transform, to 2 in ten thousand."""
    n, k = np.arange(4)[None, :], np.arange(8)[:, None]
    cosines = np.sqrt(2) * np.cos((2 * n + 1) * k * np.pi / 16)
    cosines[0] = 1
    assert np.abs(np.array(jpeg_tensors.COSINES) / 2**13 - cosines).max() < 2e-4


def test_sr_bicubic_is_what_a_file_holds() -> None:
    degradation = build("sr_bicubic", scale=4)
    picture = photograph(100, 136)
    result = degradation.apply(picture, degradation.draw(Spec(100, 136), rng(0)))
    stored = result * 255
    assert np.abs(stored - np.rint(stored)).max() < 1e-4
    planes = [
        np.asarray(Image.fromarray(picture[..., c]).resize((34, 25), Image.Resampling.BICUBIC))
        for c in range(3)
    ]
    assert np.abs(result - np.clip(np.stack(planes, -1), 0, 1)).max() < 0.51 / 255 + 1e-4


def test_quantise_rounds_to_the_nearest_stored_value() -> None:
    picture = np.random.default_rng(0).random((20, 20, 3), dtype=np.float32)
    for bits in (1, 8, 16):
        result = Quantise(bits).apply(picture, {"bits": bits})
        assert np.abs(result - picture).max() <= 0.5 / (2**bits - 1) + 1e-6
        assert len(np.unique(result)) <= 2**bits
