"""Resizing and blurring: nothing shifts, and independent implementations agree."""

from __future__ import annotations

import math
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage
from scipy.special import j1

from palette.degradations import build, kernels
from palette.degradations.blur import Blur, UnsharpMask, convolve, convolve_separable
from palette.degradations.pins import pin
from palette.degradations.resize import METHODS, GaussianShrink, Rescale, Shrink, resize
from palette.degradations.resize_matrices import gaussian_matrix, matrix, nearest_indices
from palette.seeding import rng
from palette.types import Picture, Spec

SIZES = [(64, 64), (61, 83), (97, 40)]


def blob(height: int, width: int, row: float, column: float, sigma: float = 6.0) -> Picture:
    """A Gaussian spot at (row, column), pixel centres at integers."""
    y, x = np.mgrid[:height, :width]
    spot = np.exp(-0.5 * ((y - row) ** 2 + (x - column) ** 2) / sigma**2)
    return np.repeat(spot[..., None], 3, axis=2).astype(np.float32)


def centroid(picture: Picture) -> tuple[float, float]:
    """The centre of mass in units of the picture's sides, (0.5, 0.5) in the middle."""
    weights = picture.mean(axis=2).astype(np.float64)
    height, width = weights.shape
    row = (weights.sum(1) * (np.arange(height) + 0.5)).sum() / weights.sum() / height
    column = (weights.sum(0) * (np.arange(width) + 0.5)).sum() / weights.sum() / width
    return float(row), float(column)


def shift(before: Picture, after: Picture) -> float:
    """How far the centroid moved, in pixels of the larger picture."""
    sides = np.maximum(before.shape[:2], after.shape[:2])
    return float(np.abs((np.subtract(centroid(before), centroid(after))) * sides).max())


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("new", [(32, 32), (25, 47), (128, 90), (30, 97), (90, 29), (64, 20)])
def test_no_method_of_resizing_shifts(method: str, new: tuple[int, int]) -> None:
    picture = blob(64, 64, 30.3, 33.8)
    # At even ratios the centre falls between two pixels, and the nearest has to be one of them.
    # A pool weighs pixels that two new ones touch twice, and so keeps no exact centre of mass.
    tolerance = {"nearest": 0.501, "pool": 0.1}.get(method, 0.05)
    assert shift(picture, resize(picture, *new, method)) < tolerance


@pytest.mark.parametrize("ratio", [3, 5])
def test_nearest_does_not_shift_at_odd_ratios(ratio: int) -> None:
    picture = blob(90, 90, 43.3, 47.8)
    assert shift(picture, resize(picture, 90 // ratio, 90 // ratio, "nearest")) < 0.05
    assert shift(picture, resize(picture, 90 * ratio, 90 * ratio, "nearest")) < 0.05


@pytest.mark.parametrize("scale", [2, 3, 4])
@pytest.mark.parametrize("size", [(96, 96), (97, 95)])
def test_gaussian_decimation_does_not_shift(scale: int, size: tuple[int, int]) -> None:
    picture = blob(*size, 46.2, 49.1)
    shrink = GaussianShrink(scale)
    for sigma in (0.1, 0.6 * scale):
        params = {"scale": scale, "sigma": sigma, "size": 25}
        assert shift(picture, shrink.apply(picture, params)) < 0.05


@pytest.mark.parametrize("name", ["gaussian_shrink", "shrink", "sr_bicubic", "rescale"])
def test_odd_sizes_keep_their_registration(name: str) -> None:
    picture = blob(91, 77, 40.0, 41.5)
    for i in range(5):
        degradation = build(name)
        result = degradation.apply(picture, degradation.draw(Spec(91, 77), rng(i)))
        assert shift(picture, result) < 0.2 if name == "sr_bicubic" else 0.05


@pytest.mark.parametrize(
    "name",
    [
        *("gaussian_blur", "anisotropic_blur", "generalised_blur", "plateau_blur", "sinc_blur"),
        *("motion_blur", "defocus_blur", "blur_conditioning", "imagenet_c_gaussian_blur"),
    ],
)
def test_no_blur_shifts(name: str) -> None:
    picture = 0.1 + 0.8 * blob(95, 101, 46.3, 50.7)
    degradation = build(name)
    for i in range(12):
        result = degradation.apply(picture, degradation.draw(Spec(95, 101), rng(i)))
        assert shift(picture - 0.1, result - 0.1) < 0.05


@pytest.mark.parametrize("name", ["bsr", "bsr_light", "bsr_plus", "real_esrgan"])
@pytest.mark.parametrize("scale", [1, 2, 4])
def test_whole_pipelines_do_not_shift(name: str, scale: int) -> None:
    """With noise and codecs pinned to almost nothing: registration is within .3 pixels."""
    picture = blob(128, 120, 60.4, 63.2, sigma=12)
    degradation = build(name, scale)
    quiet = {"level_255": 0, "quality": 100, "strength": 0.0, "subsampling": "4:4:4", "peak": 1e8}
    off = {"sensor.on": False, "sensor_again.on": False}
    for i in range(8):
        params = degradation.draw(Spec(128, 120), rng(i))
        result = degradation.apply(picture, pin(params, {**quiet, **off}))
        # Enlarged to the size of the clean picture, so that .3 are pixels of that.
        assert shift(picture, result) < 0.3


@pytest.mark.parametrize("new", [(20, 31), (64, 90), (61, 20)])
def test_antialiased_methods_equal_pillow_and_torch(new: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((61, 83, 3), dtype=np.float32)
    pillow = {
        "linear_aa": Image.Resampling.BILINEAR,
        "cubic_aa": Image.Resampling.BICUBIC,
        "lanczos_aa": Image.Resampling.LANCZOS,
    }
    for method, resampling in pillow.items():
        planes = [
            np.asarray(Image.fromarray(picture[..., c]).resize((new[1], new[0]), resampling))
            for c in range(3)
        ]
        expected = np.clip(np.stack(planes, axis=-1), 0, 1)
        assert np.abs(resize(picture, *new, method) - expected).max() < 1e-4
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None]
    for method, mode in {"linear_aa": "bilinear", "cubic_aa": "bicubic"}.items():
        result = torch.nn.functional.interpolate(batch, size=new, mode=mode, antialias=True)
        expected = result[0].permute(1, 2, 0).clamp(0, 1).numpy()
        assert np.abs(resize(picture, *new, method) - expected).max() < 1e-4


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("new", [(20, 31), (64, 90), (122, 166), (30, 20), (90, 30)])
def test_matrices_define_what_opencv_does(size: tuple[int, int], new: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((*size, 3), dtype=np.float32)
    for method in METHODS:
        rows, columns = matrix(method, size[0], new[0]), matrix(method, size[1], new[1])
        expected = np.stack([rows @ picture[..., c] @ columns.T for c in range(3)], axis=-1)
        result = resize(picture, *new, method)
        assert np.abs(result - np.clip(expected, 0, 1)).max() < 2e-5, method
        assert np.allclose(rows.sum(axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("new", [(20, 31), (64, 90), (61, 20), (61, 83)])
def test_pool_is_torchs_area(new: tuple[int, int]) -> None:
    picture = np.random.default_rng(0).random((61, 83, 3), dtype=np.float32)
    batch = torch.from_numpy(picture).permute(2, 0, 1)[None]
    expected = torch.nn.functional.interpolate(batch, size=new, mode="area")[0].permute(1, 2, 0)
    assert np.abs(resize(picture, *new, "pool") - expected.numpy()).max() < 1e-6


def test_nearest_is_exact_in_integers() -> None:
    for n_in in range(1, 40):
        for n_out in range(1, 40):
            expected = [math.floor(((2 * i + 1) * n_in) / (2 * n_out)) for i in range(n_out)]
            assert nearest_indices(n_in, n_out).tolist() == expected


def test_area_is_the_mean_for_whole_ratios() -> None:
    picture = np.random.default_rng(0).random((24, 36, 3), dtype=np.float32)
    expected = picture.reshape(8, 3, 9, 4, 3).mean(axis=(1, 3))
    assert np.abs(resize(picture, 8, 9, "area") - expected).max() < 1e-6


@pytest.mark.parametrize("scale", [1, 3, 5])
def test_gaussian_decimation_is_convolution_then_every_nth_pixel(scale: int) -> None:
    """At odd scales the new centres are pixels of the old picture, and SciPy can say it."""
    line = np.random.default_rng(0).random(14 * scale)
    blurred = ndimage.gaussian_filter1d(line, 1.5, mode="mirror", radius=12)
    rows = gaussian_matrix(1.5, 25, 14 * scale, 14)
    assert np.abs(rows @ line - blurred[scale // 2 :: scale]).max() < 1e-6


def test_size_is_that_of_the_draw() -> None:
    rescale = Rescale((2.0, 2.0))
    params = rescale.draw(Spec(7, 9, 0.5), rng(0))
    assert rescale.resized(Spec(7, 9, 0.5), params) == Spec(14, 18, 0.5)
    assert Shrink(4).resized(Spec(7, 9), Shrink(4).draw(Spec(7, 9), rng(0))) == Spec(1, 2)


def test_convolution_is_scipys_and_turns_the_kernel() -> None:
    picture = np.random.default_rng(0).random((31, 44, 3), dtype=np.float32)
    for size in (3, 9, 15, 25):
        kernel = np.random.default_rng(size).random((size, size)).astype(np.float32)
        kernel /= kernel.sum()
        expected = ndimage.convolve(picture.astype(np.float64), kernel[..., None], mode="mirror")
        assert np.abs(convolve(picture, kernel) - expected).max() < 1e-5


@pytest.mark.parametrize("index", range(8))
def test_sums_of_separable_filters_are_the_kernel(index: int) -> None:
    picture = np.random.default_rng(0).random((40, 50, 3), dtype=np.float32)
    blur = Blur("gaussian", False, (0.0, math.sqrt(8)), (7, 25), power=2)
    kernel = kernels.elliptic(**blur.draw(Spec(9, 9), rng(index)))
    expected = ndimage.convolve(picture.astype(np.float64), kernel[..., None], mode="mirror")
    assert np.abs(convolve(picture, kernel) - expected).max() < kernels.UNSEPARATED
    pairs = kernels.separated(kernel, len(kernel))
    rebuilt = sum(np.outer(column, row) for row, column in pairs)
    assert np.abs(rebuilt - kernel).sum() < 2 * kernels.UNSEPARATED


def test_isotropic_blur_is_scipys_gaussian_filter() -> None:
    picture = np.random.default_rng(0).random((60, 50, 3), dtype=np.float32)
    for sigma in (0.4, 1.0, 2.5):
        line = kernels.gaussian_line(31, sigma)
        expected = ndimage.gaussian_filter(picture, (sigma, sigma, 0), mode="mirror", truncate=6)
        assert np.abs(convolve_separable(picture, line) - expected).max() < 2e-4


@pytest.mark.parametrize(("sigma_x", "sigma_y", "angle"), [(2.0, 0.7, 0.0), (2.0, 0.8, 0.6)])
def test_kernels_have_the_moments_of_their_covariance(
    sigma_x: float, sigma_y: float, angle: float
) -> None:
    kernel = kernels.elliptic("gaussian", 25, sigma_x, sigma_y, angle).astype(np.float64)
    half = len(kernel) // 2
    y, x = np.mgrid[-half : half + 1, -half : half + 1]
    turn = np.array([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    expected = turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T
    measured = [[(kernel * a * b).sum() for b in (x, y)] for a in (x, y)]
    assert np.allclose(measured, expected, rtol=0.01, atol=0.02)


def test_kernel_formulas() -> None:
    """Generalised and plateau kernels at β = 1 and by hand; sinc by its definition."""
    ordinary = kernels.elliptic("gaussian", 11, 1.3, 1.3, 0.0)
    assert np.allclose(kernels.elliptic("generalised", 11, 1.3, 1.3, 0.0, 1.0), ordinary)
    plateau: Any = kernels.elliptic("plateau", 7, 2.0, 1.0, 0.0, 1.5)
    assert plateau[3, 5] / plateau[3, 3] == pytest.approx(1 / (1 + 1.0**1.5), rel=1e-5)
    assert plateau[5, 3] / plateau[3, 3] == pytest.approx(1 / (1 + 4.0**1.5), rel=1e-5)
    generalised: Any = kernels.elliptic("generalised", 7, 2.0, 1.0, 0.0, 0.7)
    assert generalised[5, 3] / generalised[3, 3] == pytest.approx(math.exp(-(4**0.7) / 2), rel=1e-5)
    ideal: Any = kernels.sinc(13, math.pi / 2)
    ratio = (math.pi / 2) * j1(math.pi) / (2 * math.pi * 2) / ((math.pi / 2) ** 2 / (4 * math.pi))
    assert ideal[6, 8] / ideal[6, 6] == pytest.approx(ratio, rel=1e-5)


@pytest.mark.parametrize("radius", [0.0, 0.7, 3.0, 5.5])
def test_a_disk_has_its_area(radius: float) -> None:
    kernel = kernels.disk(radius)
    assert kernel.sum() == pytest.approx(1)
    if radius >= 3:
        assert 1 / kernel.max() == pytest.approx(math.pi * radius**2, rel=0.03)


def test_a_motion_kernel_is_a_line_of_its_length() -> None:
    kernel = kernels.motion(8.0, math.pi / 2).astype(np.float64)
    assert kernel.sum(axis=0).argmax() == kernel.shape[1] // 2
    offsets = np.arange(len(kernel)) - len(kernel) // 2
    spread = (kernel.sum(axis=1) * offsets**2).sum()
    assert spread == pytest.approx(8.0**2 / 12, rel=0.1)  # a uniform line's variance


def test_even_kernels_are_refused() -> None:
    with pytest.raises(ValueError, match="kernel size 8 is not odd"):
        kernels.elliptic("gaussian", 8, 1, 1, 0)


def test_unsharp_sharpens_edges_and_leaves_flat_parts() -> None:
    edge = np.full((64, 64, 3), 0.3, np.float32)
    edge[:, 32:] = 0.7
    sharp = UnsharpMask().apply(edge, {"weight": 0.5, "size": 15, "threshold_255": 10.0})
    assert sharp[32, 30, 0] < 0.28
    assert sharp[32, 33, 0] > 0.72
    assert np.abs(sharp[:, :8] - 0.3).max() < 1e-3
    flat = np.full((30, 30, 3), 0.4, np.float32)
    params = {"weight": 0.5, "size": 51, "threshold_255": 10.0}
    assert np.abs(UnsharpMask().apply(flat, params) - flat).max() < 1e-6


def test_opencv_needs_no_threads_to_agree() -> None:
    picture = np.random.default_rng(0).random((256, 256, 3), dtype=np.float32)
    degradation = build("bsr", 2)
    params = [degradation.draw(Spec(256, 256), rng(i)) for i in range(4)]
    before, before_torch = cv2.getNumThreads(), torch.get_num_threads()
    results = []
    for threads in (1, 4):
        cv2.setNumThreads(threads)
        torch.set_num_threads(threads)
        results.append([degradation.apply(picture, one) for one in params])
    cv2.setNumThreads(before)
    torch.set_num_threads(before_torch)
    assert all(np.array_equal(one, other) for one, other in zip(*results, strict=True))
