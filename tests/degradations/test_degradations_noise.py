"""Noise has the variance that its params say; the camera is undone by its inverse."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from palette.degradations import Degradation, build
from palette.degradations.conditioning import BlurConditioning, NoiseConditioning
from palette.degradations.corruptions import ImpulseNoise, Pixelate
from palette.degradations.grayscale import WEIGHTS, Grayscale
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.sensor import (
    SensorNoise,
    bayer,
    camera_matrix,
    demosaic,
    developed,
    gains,
    mosaic_of,
    to_raw,
)
from palette.seeding import rng
from palette.types import Params, Picture, Spec

SIDE = 256


def flat(value: float) -> Picture:
    return np.full((SIDE, SIDE, 3), value, np.float32)


def noise_of(degradation: Degradation, picture: Picture, params: Params) -> np.ndarray:
    return (degradation.apply(picture, params) - picture).astype(np.float64)


@pytest.mark.parametrize("deviation", [2, 10, 25])
def test_gaussian_noise_has_its_deviation_and_kind(deviation: int) -> None:
    params = {"kind": "colour", "level_255": deviation, "seed": 1}
    noise = noise_of(GaussianNoise(), flat(0.5), params)
    assert noise.std() * 255 == pytest.approx(deviation, rel=0.02)
    assert abs(noise.mean()) * 255 < 0.02 * deviation
    correlation = np.corrcoef(noise.reshape(-1, 3).T)
    assert np.abs(correlation - np.eye(3)).max() < 0.02
    grey = noise_of(GaussianNoise(), flat(0.5), params | {"kind": "grey"})
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert grey.std() * 255 == pytest.approx(deviation, rel=0.02)
    # Neighbours do not know of one another.
    assert abs(np.mean(noise[1:] * noise[:-1])) < 0.02 * noise.var()


def test_correlated_noise_has_its_covariance() -> None:
    degradation = GaussianNoise(kinds={"correlated": 1.0})
    params = degradation.draw(Spec(SIDE, SIDE), rng(3))
    noise = noise_of(degradation, flat(0.5), params) * 255
    mixing = np.array(params["mixing"]) * 25
    measured = np.cov(noise.reshape(-1, 3).T)
    assert np.abs(measured - mixing @ mixing.T).max() < 0.03 * np.trace(measured)
    assert params["level_255"] == 25
    eigenvalues = np.linalg.eigvalsh(mixing @ mixing.T) / 25**2
    assert eigenvalues.min() >= 0
    assert eigenvalues.max() <= 1


def test_speckle_grows_with_the_picture() -> None:
    params = {"kind": "colour", "level_255": 20, "seed": 1}
    for value in (0.1, 0.4, 0.6):
        noise = noise_of(SpeckleNoise(), flat(value), params)
        assert noise.std() * 255 == pytest.approx(20 * value, rel=0.02)


def test_poisson_noise_is_photons() -> None:
    for value in (0.02, 0.3, 0.6):
        for peak in (50.0, 1000.0):
            params = {"peak": peak, "strength": 1.0, "grey": False, "seed": 5}
            result = PoissonNoise().apply(flat(value), params)
            counts = result.astype(np.float64) * peak
            assert np.abs(counts - np.rint(counts)).max() < 1e-2
            assert counts.mean() == pytest.approx(value * peak, rel=0.02)
            if value * peak < 0.7 * peak:
                assert counts.var() == pytest.approx(value * peak, rel=0.03)
    grey = {"peak": 100.0, "strength": 1.0, "grey": True, "seed": 5}
    noise = noise_of(PoissonNoise(), flat(0.5), grey)
    assert np.abs(noise[..., 0] - noise[..., 1]).max() < 1e-6


def test_poisson_strength_scales_the_deviation() -> None:
    params = {"peak": 256.0, "strength": 0.5, "grey": False, "seed": 5}
    noise = noise_of(PoissonNoise(), flat(0.4), params)
    assert noise.std() == pytest.approx(0.5 * np.sqrt(0.4 / 256), rel=0.02)


def test_impulses_hit_their_share() -> None:
    result = ImpulseNoise(0.2).apply(flat(0.5), {"share": 0.2, "seed": 2})
    assert (result == 0).mean() == pytest.approx(0.1, abs=0.005)
    assert (result == 1).mean() == pytest.approx(0.1, abs=0.005)
    assert (result == 0.5).mean() == pytest.approx(0.8, abs=0.005)


def test_conditioning_has_the_strength_that_the_network_is_shown() -> None:
    noise = noise_of(NoiseConditioning(), flat(0.5), {"level": 0.1, "seed": 3})
    assert noise.std() == pytest.approx(0.1, rel=0.02)
    draws = [BlurConditioning().draw(Spec(9, 9), rng(i)) for i in range(400)]
    sigmas = np.array([one["level"] for one in draws])
    assert (sigmas == 0).mean() == pytest.approx(0.5, abs=0.08)
    assert sigmas[sigmas > 0].min() >= 0.4
    assert sigmas.max() <= 0.6
    picture = np.random.default_rng(0).random((20, 20, 3), dtype=np.float32)
    assert np.array_equal(BlurConditioning().apply(picture, {"level": 0.0}), picture)


def camera(seed: int, **changes: float) -> Params:
    return SensorNoise().draw(Spec(64, 64), rng(seed)) | changes


def there_and_back(picture: Picture, params: Params) -> Picture:
    return developed(to_raw(picture, params) * gains(params), params)


@pytest.mark.parametrize("seed", range(5))
def test_the_camera_and_its_inverse_cancel(seed: int) -> None:
    """Where nothing saturates; the inverse must not go through negative numbers (NaN at black)."""
    picture = 0.25 + 0.3 * np.random.default_rng(0).random((40, 40, 3), dtype=np.float32)
    params = camera(seed)
    assert np.abs(there_and_back(picture, params) - picture).max() < 1e-3
    for value in (0.0, 1.0):
        extreme = np.full((4, 4, 3), value, np.float32)
        assert np.abs(there_and_back(extreme, params) - value).max() < 1e-3


def test_the_mosaic_is_rggb_and_demosaicking_linear() -> None:
    pattern = bayer(4, 4)
    assert pattern[0, 0].tolist() == [1, 0, 0]
    assert pattern[0, 1].tolist() == pattern[1, 0].tolist() == [0, 1, 0]
    assert pattern[1, 1].tolist() == [0, 0, 1]
    y, x = np.mgrid[:20, :24].astype(np.float32)
    ramps = np.stack([x / 30, y / 30, (x + y) / 60], axis=-1)
    assert np.array_equal(mosaic_of(ramps), (ramps * bayer(20, 24)).sum(axis=2))
    result = demosaic(mosaic_of(ramps))
    assert np.abs(result - ramps)[2:-2, 2:-2].max() < 1e-6  # interpolation is exact on ramps


def malvar(mosaic: np.ndarray, y: int, x: int) -> list[float]:
    """Red, green and blue of one pixel of an RGGB mosaic, by the words of Malvar et al. 2004:
    a bilinear mean plus a gain times the Laplacian of the channel that the pixel has."""

    def mean(*offsets: tuple[int, int]) -> float:
        return float(np.mean([mosaic[y + dy, x + dx] for dy, dx in offsets]))

    here, far = mosaic[y, x], mean((-2, 0), (2, 0), (0, -2), (0, 2))
    corners, cross = ((-1, -1), (-1, 1), (1, -1), (1, 1)), ((-1, 0), (1, 0), (0, -1), (0, 1))
    if (y + x) % 2 == 0:  # a red or a blue pixel
        own, green = here, mean(*cross) + 1 / 2 * (here - far)
        other = mean(*corners) + 3 / 4 * (here - far)
        return [own, green, other] if y % 2 == 0 else [other, green, own]
    beside, above = ((0, -1), (0, 1)), ((-1, 0), (1, 0))
    values = []
    for near, along, across in ((beside, "x", "y"), (above, "y", "x")):
        ends = {"x": ((0, -2), (0, 2)), "y": ((-2, 0), (2, 0))}
        around = (4 * mean(*corners) + 2 * mean(*ends[along]) - mean(*ends[across])) / 5
        values.append(mean(*near) + 5 / 8 * (here - around))
    red, blue = values if y % 2 == 0 else values[::-1]
    return [red, here, blue]


def test_demosaicking_is_malvars() -> None:
    mosaic = np.random.default_rng(0).random((13, 12)).astype(np.float32)
    result = demosaic(mosaic)
    for y in range(2, 11):
        for x in range(2, 10):
            assert result[y, x].tolist() == pytest.approx(malvar(mosaic, y, x), abs=1e-5)


def test_sensor_noise_without_noise_is_the_picture_on_smooth_parts() -> None:
    y, x = np.mgrid[:61, :47] / 100
    picture = np.stack([0.3 + 0.3 * x, 0.4 + 0.2 * y, 0.35 + 0.1 * (x + y)], -1).astype(np.float32)
    params = camera(1, shot=0.0, read=0.0)
    assert np.abs(SensorNoise().apply(picture, params) - picture).max() < 0.01


def test_raw_noise_has_the_variance_of_shot_and_read() -> None:
    """Measured at the green pixels of the mosaic, where demosaicking keeps the value, before the
    forward camera: the scene is grey, its gains and colours are undone."""
    params = camera(4, shot=0.004, read=0.0001, gain=1.0, red_gain=1.0, blue_gain=1.0)
    picture = flat(0.5)
    raw = float(to_raw(picture, params)[0, 0, 1])
    expected = np.sqrt(0.004 * raw + 0.0001)
    low, high = raw - 2 * expected, raw + 2 * expected
    curve = [
        float(developed(np.full((1, 1, 3), v, np.float32), params)[0, 0, 1]) for v in (low, high)
    ]
    slope = (curve[1] - curve[0]) / (high - low)
    noise = SensorNoise().apply(picture, params).mean(axis=2) - 0.5
    # A mean over many pixels weighs each raw value by how many pixels it stands for, 4 for red and
    # blue, 2 for green, whatever way it is spread over its neighbours, and by the colour matrix.
    red, green, blue = np.linalg.inv(camera_matrix(params["camera"])).mean(axis=0)
    weight = np.sqrt(((4 * red) ** 2 + 2 * (2 * green) ** 2 + (4 * blue) ** 2) / 4)
    blocks = noise.reshape(SIDE // 16, 16, SIDE // 16, 16).mean(axis=(1, 3))
    assert blocks.std() == pytest.approx(expected * slope * weight / 16, rel=0.15)


def test_grayscale_formulas() -> None:
    picture = np.random.default_rng(0).random((10, 12, 3), dtype=np.float32)
    for formula, weights in WEIGHTS.items():
        assert sum(weights) == pytest.approx(1)
        result = Grayscale(formula).apply(picture, {"formula": formula})
        expected = picture @ np.array(weights)
        assert np.abs(result - expected[..., None]).max() < 1e-6
    with pytest.raises(ValueError, match="'luma' is not one of rec601"):
        Grayscale().apply(picture, {"formula": "luma"})


def test_pixelate_makes_blocks() -> None:
    picture = np.random.default_rng(0).random((20, 20, 3), dtype=np.float32)
    result = Pixelate(0.25).apply(picture, {"factor": 0.25})
    blocks = result.reshape(5, 4, 5, 4, 3)
    assert np.ptp(blocks, axis=(1, 3)).max() < 1e-6
    assert np.abs(blocks[:, 0, :, 0] - picture.reshape(5, 4, 5, 4, 3).mean((1, 3))).max() < 1e-6


def test_noise_of_a_batch_is_that_of_its_seeds() -> None:
    """The batched form on the CPU makes the numbers of the NumPy form."""
    degradation = build("gaussian_noise")
    pictures = torch.full((6, 3, 40, 30), 0.5)
    params = [degradation.draw(Spec(40, 30), rng(i)) for i in range(6)]
    results = degradation.apply_batch(pictures, params)
    for one, result in zip(params, results, strict=True):
        expected = degradation.apply(np.full((40, 30, 3), 0.5, np.float32), one)
        assert np.abs(result.permute(1, 2, 0).numpy() - expected).max() < 1e-6
