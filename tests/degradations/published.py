"""What papers and their public code do, written as plainly as possible: a peer for statistics.

Nothing of the package is used, and nothing is fast: pixel by pixel densities, ``scipy.ndimage``,
torch's own interpolation. Two generators run through it: ``decide`` draws parameters, ``noise`` the
noise, so that two runs with one ``decide`` differ in their noise alone. Left out is what the
package documents as a difference: JPEG is libjpeg's at whole qualities, Poisson noise of
Real-ESRGAN counts 256 photons, the camera noise of BSR has no public code.
"""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.random import Generator
from scipy import ndimage, special

GREY = np.array([0.299, 0.587, 0.114])


@dataclass(frozen=True)
class Result:
    """The picture, and the side before its last resize over the final one."""

    picture: np.ndarray
    ratio: float


def jpeg(picture: np.ndarray, quality: int) -> np.ndarray:
    stored = (np.clip(picture, 0, 1) * 255).round().astype(np.uint8)
    _, code = cv2.imencode(".jpg", stored[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, quality])
    return np.asarray(cv2.imdecode(code, cv2.IMREAD_COLOR))[..., ::-1] / 255


def quadratic_form(size: int, sigma_x: float, sigma_y: float, angle: float) -> np.ndarray:
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    inverse = np.linalg.inv(turn @ np.diag([sigma_x**2, sigma_y**2]) @ turn.T)
    axis = np.arange(size) - (size - 1) / 2
    grid = np.stack(np.meshgrid(axis, axis), -1)
    return np.einsum("yxi,ij,yxj->yx", grid, inverse, grid)


def convolve(picture: np.ndarray, kernel: np.ndarray) -> np.ndarray:
    return ndimage.convolve(picture, (kernel / kernel.sum())[..., None], mode="mirror")


# Real-ESRGAN


def family_kernel(size: int, highest: float, decide: Generator) -> np.ndarray:
    names = ["iso", "aniso", "generalised iso", "generalised aniso", "plateau iso", "plateau aniso"]
    name = decide.choice(names, p=[0.45, 0.25, 0.12, 0.03, 0.12, 0.03])
    sigma_x, sigma_y = decide.uniform(0.2, highest, 2)
    angle = decide.uniform(-math.pi, math.pi)
    if name.endswith(" iso") or name == "iso":
        sigma_y, angle = sigma_x, 0.0
    form = quadratic_form(size, sigma_x, sigma_y, angle)
    low, high = {"g": (0.5, 4), "p": (1, 2)}.get(name[0], (1, 1))
    beta = decide.uniform(low, 1) if decide.random() < 0.5 else decide.uniform(1, high)
    return 1 / (1 + form**beta) if name[0] == "p" else np.exp(-0.5 * form**beta)


def sinc_kernel(size: int, cutoff: float) -> np.ndarray:
    axis = np.arange(size) - (size - 1) / 2
    radius = np.hypot(*np.meshgrid(axis, axis))
    with np.errstate(invalid="ignore", divide="ignore"):
        kernel = cutoff * special.j1(cutoff * radius) / (2 * math.pi * radius)
    kernel[size // 2, size // 2] = cutoff**2 / (4 * math.pi)
    return kernel


def esrgan_kernel(highest: float, decide: Generator) -> np.ndarray:
    size = int(decide.choice([7, 9, 11, 13, 15, 17, 19, 21]))
    if decide.random() < 0.1:
        lowest = math.pi / 3 if size < 13 else math.pi / 5
        return sinc_kernel(size, decide.uniform(lowest, math.pi))
    return family_kernel(size, highest, decide)


def esrgan_factor(shares: tuple[float, ...], low: float, high: float, decide: Generator) -> float:
    kind = decide.choice(["up", "down", "keep"], p=shares)
    return {"up": decide.uniform(1, high), "down": decide.uniform(low, 1), "keep": 1.0}[str(kind)]


def esrgan_resize(
    picture: np.ndarray, height: float, width: float, decide: Generator
) -> np.ndarray:
    mode = str(decide.choice(["area", "bilinear", "bicubic"]))
    batch = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    batch = torch.nn.functional.interpolate(batch, (int(height), int(width)), mode=mode)
    return batch[0].permute(1, 2, 0).numpy()


def esrgan_noise(
    picture: np.ndarray, deviation: float, strength: float, decide: Generator, noise: Generator
) -> np.ndarray:
    gaussian, grey = decide.random() < 0.5, decide.random() < 0.4
    channels = 1 if grey else 3
    if gaussian:
        sigma = decide.uniform(1, deviation) / 255
        field = noise.normal(0, sigma, (*picture.shape[:2], channels))
    else:
        light = np.clip(picture, 0, 1)
        light = (light @ GREY)[..., None] if grey else light
        light = (light * 255).round() / 255
        field = (noise.poisson(light * 256) / 256 - light) * decide.uniform(0.05, strength)
    return np.clip(picture + field, 0, 1)


def real_esrgan(picture: np.ndarray, scale: int, decide: Generator, noise: Generator) -> Result:
    height, width = picture.shape[:2]

    def coded(now: np.ndarray) -> np.ndarray:
        return jpeg(now, int(decide.integers(30, 96)))

    now = convolve(picture.astype(np.float64), esrgan_kernel(3.0, decide))
    factor = esrgan_factor((0.2, 0.7, 0.1), 0.15, 1.5, decide)
    now = esrgan_resize(now, height * factor, width * factor, decide)
    now = coded(esrgan_noise(now, 30, 3.0, decide, noise))

    if decide.random() < 0.8:
        now = convolve(now, esrgan_kernel(1.5, decide))
    factor = esrgan_factor((0.3, 0.4, 0.3), 0.3, 1.2, decide)
    now = esrgan_resize(now, height / scale * factor, width / scale * factor, decide)
    ratio = now.shape[0] / (height // scale)
    now = esrgan_noise(now, 25, 2.5, decide, noise)

    def final(now: np.ndarray) -> np.ndarray:
        now = esrgan_resize(now, height // scale, width // scale, decide)
        if decide.random() < 0.8:
            size = int(decide.choice([7, 9, 11, 13, 15, 17, 19, 21]))
            now = convolve(now, sinc_kernel(size, decide.uniform(math.pi / 3, math.pi)))
        return now

    now = coded(final(now)) if decide.random() < 0.5 else final(coded(now))
    return Result((np.clip(now, 0, 1) * 255).round() / 255, ratio)


# BSR


def opencv_resize(
    picture: np.ndarray, height: float, width: float, decide: Generator
) -> np.ndarray:
    method = int(decide.choice([cv2.INTER_LINEAR, cv2.INTER_CUBIC, cv2.INTER_AREA]))
    return np.clip(cv2.resize(picture, (int(width), int(height)), interpolation=method), 0, 1)


def bsr_blur(picture: np.ndarray, scale: int, light: bool, decide: Generator) -> np.ndarray:
    weaker = 4 if light else 1
    if decide.random() < 0.5:
        variances = decide.uniform(0, (4 + scale) / weaker, 2)
        size = int(decide.integers(5, 15)) if light else 2 * int(decide.integers(2, 12)) + 3
        deviations = np.maximum(np.sqrt(variances), 0.1)
        form = quadratic_form(size, deviations[0], deviations[1], decide.uniform(0, math.pi))
    else:
        sigma = max(decide.uniform(0, (2 + 0.2 * scale) / weaker), 0.1)
        size = int(decide.integers(5, 8)) if light else 2 * int(decide.integers(2, 12)) + 3
        form = quadratic_form(size, sigma, sigma, 0)
    return convolve(picture, np.exp(-0.5 * form))


def bsr_noise_field(
    shape: tuple[int, ...], low: int, high: int, decide: Generator, noise: Generator
) -> np.ndarray:
    sigma, kind = int(decide.integers(low, high + 1)) / 255, decide.random()
    if kind > 0.6:
        return noise.normal(0, sigma, shape)
    if kind < 0.4:
        return noise.normal(0, sigma, (*shape[:2], 1))
    rotation = np.linalg.qr(decide.random((3, 3)))[0]
    covariance = np.abs((high / 255) ** 2 * rotation.T @ np.diag(decide.random(3)) @ rotation)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the absolute values are no covariance
        return noise.multivariate_normal([0, 0, 0], covariance, shape[:2])


def down_by_gaussian(picture: np.ndarray, scale: int, decide: Generator) -> np.ndarray:
    """A kernel shifted by (scale − 1) / 2, then the first of every ``scale`` pixels."""
    sigma, axis = decide.uniform(0.1, 0.6 * scale), np.arange(25) - 12.0
    line = np.exp(-0.5 * (axis / sigma) ** 2)
    moved = np.interp(np.clip(axis + (scale - 1) / 2, -12, 12), axis, line)
    return convolve(picture, np.outer(moved, moved))[::scale, ::scale]


def bsr(
    picture: np.ndarray, scale: int, decide: Generator, noise: Generator, light: bool = False
) -> Result:
    final, now = [side // scale for side in picture.shape[:2]], picture.astype(np.float64)
    best, worst, low, high = (95, 80, 1, 2) if light else (95, 30, 2, 25)
    if scale == 4 and decide.random() < 0.25:
        if decide.random() < 0.5:
            now = opencv_resize(now, now.shape[0] / 2, now.shape[1] / 2, decide)
        else:
            now = np.clip(matlab_halved(matlab_halved(now).transpose(1, 0, 2)), 0, 1)
            now = now.transpose(1, 0, 2)
        scale = 2
    order = [int(i) for i in decide.permutation(7)]
    first, last = sorted([order.index(2), order.index(3)])
    order[first], order[last] = 2, 3
    ratio = 1.0
    for step in order:
        if step == 0 or (step == 1 and not light):
            now = bsr_blur(now, scale, light, decide)
        elif step == 2 and decide.random() < (0.8 if light else 0.75):
            divisor = decide.uniform(1, 2 * scale)
            now = opencv_resize(now, now.shape[0] / divisor, now.shape[1] / divisor, decide)
        elif step == 2:
            now = np.clip(down_by_gaussian(now, scale, decide), 0, 1)
        elif step == 3:
            ratio = now.shape[0] / final[0]
            now = opencv_resize(now, final[0], final[1], decide)
        elif step == 4:
            now = np.clip(now + bsr_noise_field(now.shape, low, high, decide, noise), 0, 1)
        elif step == 5 and decide.random() < 0.9:
            now = jpeg(now, int(decide.integers(worst, best + 1)))
    return Result(jpeg(now, int(decide.integers(worst, best + 1))), ratio)


def matlab_halved(picture: np.ndarray) -> np.ndarray:
    """Rows halved: the eight weights of a cubic twice as wide, mirrored at the edges."""
    weights = np.array([-3, -9, 29, 111, 111, 29, -9, -3]) / 256
    padded = np.concatenate([picture[2::-1], picture, picture[:-4:-1]])
    rows = 2 * np.arange(len(picture) // 2)
    return sum(weight * padded[rows + i] for i, weight in enumerate(weights))  # type: ignore


def bsr_plus(picture: np.ndarray, scale: int, decide: Generator, noise: Generator) -> Result:
    final, now = [side // scale for side in picture.shape[:2]], picture.astype(np.float64)
    order = list(range(13))
    if decide.random() < 0.5:
        order = [int(i) for i in decide.permutation(13)]
    else:
        for first in (2, 9):
            order[first : first + 4] = [first + int(i) for i in decide.permutation(4)]
    for step in order:
        if step in (0, 7):
            now = bsr_blur(now, scale, False, decide)
        elif step in (1, 8):
            kind, factor = decide.random(), 1.0
            factor = decide.uniform(1, 2) if kind > 0.8 else factor
            factor = decide.uniform(0.5 / scale, 1) if kind < 0.7 else factor
            now = opencv_resize(now, now.shape[0] * factor, now.shape[1] * factor, decide)
        elif step in (2, 9):
            now = now + bsr_noise_field(now.shape, 2, 25, decide, noise)
        elif step in (3, 10) and decide.random() < 0.1:
            now = bsr_poisson(now, decide, noise)
        elif step in (4, 11) and decide.random() < 0.1:
            now = now * (1 + bsr_noise_field(now.shape, 2, 25, decide, noise))
        elif step == 6:
            now = jpeg(now, int(decide.integers(30, 96)))
        now = np.clip(now, 0, 1)
    ratio = now.shape[0] / final[0]
    return Result(
        jpeg(opencv_resize(now, final[0], final[1], decide), int(decide.integers(30, 96))), ratio
    )


def bsr_poisson(picture: np.ndarray, decide: Generator, noise: Generator) -> np.ndarray:
    peak, light = 10 ** decide.uniform(2, 4), (picture * 255).round() / 255
    if decide.random() < 0.5:
        return noise.poisson(light * peak) / peak
    grey = ((light @ GREY) * 255).round() / 255
    return light + (noise.poisson(grey * peak) / peak - grey)[..., None]


# Masks: the mask (H, W), and the numbers of its strokes, of their segments and of its boxes


@dataclass(frozen=True)
class Drawn:
    mask: np.ndarray
    strokes: int
    segments: int
    boxes: int


def deepfill(side: int, decide: Generator) -> Drawn:
    mask, radius, segments = np.zeros((side, side), np.uint8), math.hypot(side, side) / 8, 0
    strokes = int(decide.integers(1, 4))
    for _ in range(strokes):
        count, width = int(decide.integers(4, 12)), int(decide.uniform(12, 40))
        low = 2 * math.pi / 5 - decide.uniform(0, 2 * math.pi / 15)
        high = 2 * math.pi / 5 + decide.uniform(0, 2 * math.pi / 15)
        points = [(int(decide.integers(side)), int(decide.integers(side)))]
        for i in range(count):
            angle = decide.uniform(low, high) * (1 if i % 2 else -1)
            length = np.clip(decide.normal(radius, radius // 2), 0, 2 * radius)
            x = np.clip(points[-1][0] + length * math.cos(angle), 0, side)
            y = np.clip(points[-1][1] + length * math.sin(angle), 0, side)
            points.append((int(x), int(y)))
        for a, b in itertools.pairwise(points):
            cv2.line(mask, a, b, 1, width)
        for point in points:
            cv2.circle(mask, point, width // 2, 1, -1)
        segments += count
    return Drawn(mask > 0, strokes, segments, 0)


@dataclass(frozen=True)
class LamaFile:
    """A published settings file: irregular_kwargs, and box_kwargs where it has boxes."""

    min_times: int
    max_times: int
    max_width: int
    max_len: int
    boxes: tuple[int, int, int, int, int] | None = None
    """margin, bbox_min_size, bbox_max_size, min_times, max_times."""


LAMA_FILES = {
    ("thin", 256): LamaFile(4, 50, 10, 40),
    ("thin", 512): LamaFile(4, 70, 20, 100),
    ("medium", 256): LamaFile(4, 5, 50, 100, (0, 10, 50, 1, 5)),
    ("medium", 512): LamaFile(4, 10, 100, 200, (0, 30, 150, 1, 5)),
    ("thick", 256): LamaFile(1, 5, 100, 200, (10, 30, 150, 1, 3)),
    ("thick", 512): LamaFile(1, 5, 250, 450, (10, 30, 300, 1, 4)),
}


def lama(kind: str, side: int, decide: Generator) -> Drawn:
    """Drawn again until it covers half of the picture or less."""
    file = LAMA_FILES[kind, side]
    while True:
        strokes = file.boxes is None or decide.random() < 1 / 1.3
        drawn = lama_strokes(file, side, decide) if strokes else lama_boxes(file, side, decide)
        if drawn.mask.mean() <= 0.5:
            return drawn


def lama_strokes(file: LamaFile, side: int, decide: Generator) -> Drawn:
    mask, segments = np.zeros((side, side), np.uint8), 0
    times = int(decide.integers(file.min_times, file.max_times + 1 + 1))
    for i in range(times):
        x, y = int(decide.integers(side)), int(decide.integers(side))
        count = 1 + int(decide.integers(5))
        for _ in range(count):
            angle = (0.01 + int(decide.integers(4))) * (1 if i % 2 else -1)
            length, width = 10 + decide.integers(file.max_len), 5 + decide.integers(file.max_width)
            end_x = int(np.clip(int(x + length * math.sin(angle)), 0, side))
            end_y = int(np.clip(int(y + length * math.cos(angle)), 0, side))
            cv2.line(mask, (x, y), (end_x, end_y), 1, int(width))
            x, y = end_x, end_y
        segments += count
    return Drawn(mask > 0, times, segments, 0)


def lama_boxes(file: LamaFile, side: int, decide: Generator) -> Drawn:
    assert file.boxes is not None
    margin, smallest, largest, fewest, most = file.boxes
    mask, times = np.zeros((side, side), bool), int(decide.integers(fewest, most + 1))
    for _ in range(times):
        width, height = decide.integers(smallest, largest + 1, 2)
        left = int(decide.integers(margin, side - margin - width + 1))
        top = int(decide.integers(margin, side - margin - height + 1))
        mask[top : top + height, left : left + width] = True
    return Drawn(mask, 0, 0, times)


Pipeline = Callable[[np.ndarray, int, Generator, Generator], Result]
PIPELINES: dict[str, Pipeline] = {
    "real_esrgan": real_esrgan,
    "bsr": bsr,
    "bsr_light": lambda picture, scale, *both: bsr(picture, scale, *both, light=True),
    "bsr_plus": bsr_plus,
}
