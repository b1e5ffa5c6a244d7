"""Pictures per second and core of each pipeline, and BSR against a SciPy-only rendering.

    python benchmarks/degradations.py

The rendering applies the same records with the means of the published implementation:
``scipy.ndimage.convolve`` with kernels evaluated pixel by pixel by ``scipy.stats``, float64 noise
by ``numpy.random``. Both run in turns in one process on one thread; figures are medians.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from typing import Any

import cv2
import numpy as np
import torch
from scipy import interpolate, ndimage, stats
from skimage import data

from palette.degradations import build
from palette.degradations.catalogue import PIPELINES
from palette.degradations.resize_matrices import matrix
from palette.degradations.sensor import SOURCES, TAPS, bayer, camera_matrix
from palette.seeding import rng
from palette.types import Params, Picture, Spec

INTERPOLATION = {"linear": cv2.INTER_LINEAR, "cubic": cv2.INTER_CUBIC, "area": cv2.INTER_AREA}


def scipy_kernel(size: int, sigma_x: float, sigma_y: float, angle: float) -> np.ndarray:
    """A Gaussian density, one call of ``multivariate_normal`` per pixel."""
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    variances = np.diag(np.maximum([sigma_x, sigma_y], 1e-2) ** 2)
    covariance = turn @ variances @ turn.T
    density: Any = stats.multivariate_normal.pdf
    kernel = np.zeros((size, size))
    for row in range(size):
        for column in range(size):
            offset = [column - size // 2, row - size // 2]
            kernel[row, column] = density(offset, [0, 0], covariance)
    return kernel / kernel.sum()


def scipy_blur(picture: np.ndarray, params: Params) -> np.ndarray:
    """One ``ndimage.convolve`` over the three channels."""
    if params["sigma_x"] == params["sigma_y"]:
        offsets = np.arange(params["size"]) - params["size"] // 2
        line = np.exp(-0.5 * (offsets / max(params["sigma_x"], 1e-2)) ** 2)
        kernel = np.outer(line, line) / line.sum() ** 2
    else:
        kernel = scipy_kernel(*(params[key] for key in ("size", "sigma_x", "sigma_y", "angle")))
    return ndimage.convolve(picture, kernel[:, :, None], mode="mirror")


def scipy_gaussian_shrink(picture: np.ndarray, params: Params) -> np.ndarray:
    """An isotropic kernel, moved by half of the scale by interpolation, then every n-th pixel."""
    size, scale = params["size"], params["scale"]
    axis = np.arange(size) - size // 2
    kernel = np.exp(-0.5 * np.add.outer(axis**2, axis**2) / max(params["sigma"], 1e-2) ** 2)
    moved = np.clip(axis - (scale - 1) / 2, axis[0], axis[-1])
    kernel = interpolate.RegularGridInterpolator((axis, axis), kernel)(
        np.stack(np.meshgrid(moved, moved, indexing="ij"), axis=-1)
    )
    kernel = kernel / kernel.sum()
    blurred = ndimage.convolve(picture, kernel[::-1, ::-1, None], mode="mirror")
    return blurred[::scale, ::scale]


def scipy_noise(picture: np.ndarray, params: Params) -> np.ndarray:
    """float64 noise; correlated by ``multivariate_normal``."""
    generator = np.random.RandomState(params["seed"] % 2**32)
    deviation = params["level_255"] / 255
    if params["kind"] == "grey":
        noise = generator.normal(0, deviation, (*picture.shape[:2], 1))
    elif params["kind"] == "colour":
        noise = generator.normal(0, deviation, picture.shape)
    else:
        mixing = deviation * np.array(params["mixing"])
        noise = generator.multivariate_normal(np.zeros(3), mixing @ mixing.T, picture.shape[:2])
    return np.clip(picture + noise.astype(np.float32), 0, 1)


def scipy_jpeg(picture: np.ndarray, params: Params) -> np.ndarray:
    """The codec of OpenCV, with its conversions as published."""
    bytes_ = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    bgr = cv2.cvtColor(bytes_, cv2.COLOR_RGB2BGR)
    _, encoded = cv2.imencode(".jpg", bgr, [cv2.IMWRITE_JPEG_QUALITY, params["quality"]])
    decoded = cv2.imdecode(encoded, cv2.IMREAD_COLOR)
    assert decoded is not None
    return (cv2.cvtColor(decoded, cv2.COLOR_BGR2RGB) / 255.0).astype(np.float32)


def scipy_sensor(picture: np.ndarray, params: Params) -> np.ndarray:
    """The camera of the paper in plain NumPy, demosaicked by ``ndimage.convolve`` (Malvar)."""
    matrix = camera_matrix(params["camera"])
    gains = params["gain"] * np.array([params["red_gain"], 1, params["blue_gain"]])
    tone = 0.5 - np.sin(np.arcsin(1 - 2 * picture) / 3)
    camera = np.maximum(tone, 1e-8) ** 2.2 @ matrix.T
    bright = (np.maximum(camera.mean(axis=-1, keepdims=True) - 0.9, 0) / 0.1) ** 2
    raw = np.clip(camera * np.maximum(bright + (1 - bright) / gains, 1 / gains), 0, 1)

    pattern = bayer(*raw.shape[:2])
    mosaic = (raw * pattern).sum(axis=-1)
    deviation = np.sqrt(params["shot"] * mosaic + params["read"])
    generator = np.random.RandomState(params["seed"] % 2**32)
    mosaic = np.minimum(mosaic + generator.normal(0, 1, mosaic.shape) * deviation, 1)
    mosaic = np.minimum(mosaic * (gains * pattern).sum(axis=-1), 1)
    made = np.stack([mosaic, *(ndimage.convolve(mosaic, taps, mode="mirror") for taps in TAPS)])
    rows, columns = np.indices(mosaic.shape)
    sources = SOURCES[:, rows % 2, columns % 2]
    camera = np.clip(np.take_along_axis(made, sources, axis=0).transpose(1, 2, 0), 0, 1)
    display = np.clip(camera @ np.linalg.inv(matrix).T, 0, 1) ** (1 / 2.2)
    return 3 * display**2 - 2 * display**3


def scipy_resize(picture: np.ndarray, height: int, width: int, method: str) -> np.ndarray:
    """OpenCV's; MATLAB's bicubic as two products, as the published ``imresize``."""
    if method == "matlab":
        rows = matrix(method, picture.shape[0], height)
        columns = matrix(method, picture.shape[1], width)
        return np.clip(np.einsum("hi,iwc,vw->hvc", rows, picture, columns, optimize=True), 0, 1)
    result = cv2.resize(picture, (width, height), interpolation=INTERPOLATION[method])
    return np.clip(result, 0, 1)


def scipy_render(picture: np.ndarray, params: Params) -> np.ndarray:
    """A record of bsr or bsr_light, step by step; the keys of its params show which it is."""
    picture = np.asarray(picture, dtype=np.float32)
    if params.get("on") is False:
        return picture
    if "steps" in params:
        for step in params["steps"]:
            picture = scipy_render(picture, step["params"])
        return picture
    if "params" in params:
        return scipy_render(picture, params["params"])
    if "factor" in params:
        sides = [max(1, int(side * params["factor"])) for side in picture.shape[:2]]
        return scipy_resize(picture, sides[0], sides[1], params["method"])
    if "method" in params:
        return scipy_resize(picture, params["height"], params["width"], params["method"])
    for key, render in RENDERERS.items():
        if key in params:
            return render(picture, params)
    raise AssertionError(params)


RENDERERS: dict[str, Callable[[np.ndarray, Params], np.ndarray]] = {
    "sigma_x": scipy_blur,
    "sigma": scipy_gaussian_shrink,
    "level_255": scipy_noise,
    "quality": scipy_jpeg,
    "camera": scipy_sensor,
}
"""A key which only the params of that operator have."""


def photograph(side: int) -> Picture:
    """scikit-image's astronaut."""
    picture = cv2.resize(data.astronaut(), (side, side), interpolation=cv2.INTER_AREA)
    return picture.astype(np.float32) / np.float32(255)


def seconds(function: Callable[[], object]) -> float:
    start = time.perf_counter()
    function()
    return time.perf_counter() - start


def against_scipy(name: str, side: int, records: int, rounds: int) -> tuple[float, float]:
    """Seconds a picture, ours and SciPy's: medians over rounds of the mean over the records."""
    picture, degradation = photograph(side), build(name)
    drawn = [degradation.draw(Spec(side, side), rng(0, name, i)) for i in range(records)]
    ours, theirs = [], []
    for _ in range(rounds + 1):
        ours.append(seconds(lambda: [degradation.apply(picture, params) for params in drawn]))
        theirs.append(seconds(lambda: [scipy_render(picture, params) for params in drawn]))
    # The first round warms up caches.
    return statistics.median(ours[1:]) / records, statistics.median(theirs[1:]) / records


def alone(name: str, side: int, records: int, rounds: int) -> float:
    """Seconds a picture, drawing included: the median over rounds of the mean over records."""
    picture, degradation, spec = photograph(side), build(name), Spec(side, side)

    def work() -> None:
        for i in range(records):
            degradation.apply(picture, degradation.draw(spec, rng(0, name, i)))

    work()
    return statistics.median(seconds(work) for _ in range(rounds)) / records


def on_device(name: str, side: int, batch: int, rounds: int) -> float:
    """Pictures per second of the batched form on the GPU."""
    pictures = torch.from_numpy(photograph(side)).permute(2, 0, 1).repeat(batch, 1, 1, 1).cuda()
    degradation = build(name)

    def work(first: int) -> None:
        drawn = [degradation.draw(Spec(side, side), rng(first + i)) for i in range(batch)]
        degradation.apply_batch(pictures, drawn)
        torch.cuda.synchronize()

    work(0)
    times = [seconds(lambda k=k: work(k * batch)) for k in range(1, rounds + 1)]
    return batch / statistics.median(times)


def main() -> None:
    parser = argparse.ArgumentParser(description="Pictures per second and core")
    parser.add_argument("--records", type=int, default=32, help="draws of each pipeline")
    parser.add_argument("--rounds", type=int, default=5, help="interleaved repetitions")
    args = parser.parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)  # neither side uses NumPy's threaded products
    print(f"{platform.processor() or platform.machine()}, one thread; OpenCV {cv2.__version__}")

    print("\npipeline            side   pictures/s     SciPy/s    ratio")
    for name in ("bsr", "bsr_light"):
        for side in (256, 512):
            ours, theirs = against_scipy(name, side, args.records, args.rounds)
            print(
                f"{name:<18} {side:>5} {1 / ours:>12.1f} {1 / theirs:>11.2f} {theirs / ours:>7.1f}×"
            )

    print("\npipeline            side   pictures/s  (drawing included)")
    for name in PIPELINES:
        for side in (256, 512):
            print(f"{name:<18} {side:>5} {1 / alone(name, side, args.records, args.rounds):>12.1f}")

    if torch.cuda.is_available():
        print(f"\nbatched on {torch.cuda.get_device_name()}, 64 pictures of 256 × 256:")
        for name in ("bsr", "bsr_light", "real_esrgan", "palette_jpeg"):
            print(f"{name:<18} {on_device(name, 256, 64, args.rounds):>12.1f} pictures/s")


if __name__ == "__main__":
    main()
