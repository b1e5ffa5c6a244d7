"""Camera sensor noise: back to raw, Bayer mosaic, shot and read noise, demosaic, forward again.

The camera model and all ranges are those of Brooks et al. 2019, "Unprocessing Images for Learned
Raw Denoising" (sections 3.1–3.2). BSR names this step; its released code leaves it out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palette.degradations.base import Degradation, between, check, clipped, quantile
from palette.degradations.batches import Batch, by_size, column, mirrored, normal_batch
from palette.degradations.noise import normal
from palette.seeding import draw_seed
from palette.types import Params, Picture, Spec

XYZ_TO_CAMERA = np.array(
    [
        [[1.0234, -0.2969, -0.2266], [-0.5625, 1.6328, -0.0469], [-0.0703, 0.2188, 0.6406]],
        [[0.4913, -0.0541, -0.0202], [-0.6130, 1.3513, 0.2906], [-0.1564, 0.2151, 0.7183]],
        [[0.8380, -0.2630, -0.0639], [-0.2887, 1.0725, 0.2496], [-0.0627, 0.1427, 0.5438]],
        [[0.6596, -0.2079, -0.0562], [-0.4782, 1.3016, 0.1933], [-0.0970, 0.1581, 0.5181]],
    ]
)
"""Four cameras of the Darmstadt data set; a random convex combination is a camera."""

RGB_TO_XYZ = np.array(
    [
        [0.4124564, 0.3575761, 0.1804375],
        [0.2126729, 0.7151522, 0.0721750],
        [0.0193339, 0.1191920, 0.9503041],
    ]
)

GAMMA = 2.2
HIGHLIGHT = 0.9
"""Above this mean brightness gains fade to 1, so that saturated pixels stay saturated."""

PAD = 2
"""Mirrored pixels around the mosaic: enough to interpolate, and even, so that the pattern stays."""

GREEN_TAPS = np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]], np.float32) / 4
RED_BLUE_TAPS = np.array([[1, 2, 1], [2, 4, 2], [1, 2, 1]], np.float32) / 4
TAPS = np.stack([RED_BLUE_TAPS, GREEN_TAPS, RED_BLUE_TAPS])
"""What fills in the missing values of R, G and B."""


def camera_matrix(weights: list[float]) -> np.ndarray:
    """Linear sRGB to camera RGB (3, 3), rows summing to 1 (white stays white)."""
    mixed = np.tensordot(np.asarray(weights) / np.sum(weights), XYZ_TO_CAMERA, axes=1)
    matrix = mixed @ RGB_TO_XYZ
    return matrix / matrix.sum(axis=1, keepdims=True)


def _mixed(values: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    """``matrix`` times each pixel; NumPy is ten times slower along a short last axis."""
    return np.asarray(cv2.transform(values, matrix.astype(np.float32)), np.float32)


def to_raw(picture: Picture, params: Params) -> np.ndarray:
    """sRGB (H, W, 3) to linear camera RGB in [0, 1]: each step of the forward camera undone."""
    tone = 1 - 2 * np.clip(picture, 0, 1)  # then in place: fresh memory costs as much as a sine
    np.arcsin(tone, out=tone)
    tone /= 3
    np.sin(tone, out=tone)
    np.subtract(0.5, tone, out=tone)
    linear = np.power(np.maximum(tone, 0, out=tone), GAMMA, out=tone)
    camera = _mixed(linear, camera_matrix(params["camera"]))
    brightness = _mixed(camera, np.full((1, 3), 1 / 3))
    bright = (np.clip(brightness - HIGHLIGHT, 0, None) / (1 - HIGHLIGHT)) ** 2
    dim = 1 / gains(params)
    # max(bright + (1 − bright) dim, dim) = bright · max(1 − dim, 0) + dim, as a matrix.
    camera *= _mixed(bright, np.stack([np.maximum(1 - dim, 0), dim], axis=1))
    return np.clip(camera, 0, 1, out=camera)


def from_raw(raw: np.ndarray, params: Params) -> Picture:
    """Linear camera RGB to sRGB: gains, colour matrix, gamma, smoothstep tone curve."""
    camera = _mixed(raw, np.diag(gains(params)))
    np.clip(camera, 0, 1, out=camera)
    linear = _mixed(camera, np.linalg.inv(camera_matrix(params["camera"])))
    display = np.power(np.clip(linear, 0, 1, out=linear), 1 / GAMMA, out=linear)
    return clipped((3 - 2 * display) * display * display)


def gains(params: Params) -> np.ndarray:
    """Brightening times white balance, (3,): green is the reference."""
    balance = np.array([params["red_gain"], 1, params["blue_gain"]])
    return (balance * params["gain"]).astype(np.float32)


def bayer(height: int, width: int) -> np.ndarray:
    """``(height, width, 3)`` float32: 1 where the RGGB mosaic keeps that channel."""
    even_row = (np.arange(height) % 2 == 0)[:, None]
    even_column = (np.arange(width) % 2 == 0)[None, :]
    red, blue = even_row & even_column, ~even_row & ~even_column
    return np.stack([red, ~(red | blue), blue], axis=-1).astype(np.float32)


def mosaic_of(raw: np.ndarray) -> np.ndarray:
    """The mosaic (H, W) of ``raw`` (H, W, 3): what :func:`bayer` keeps."""
    mosaic = raw[..., 1].copy()
    mosaic[::2, ::2] = raw[::2, ::2, 0]
    mosaic[1::2, 1::2] = raw[1::2, 1::2, 2]
    return mosaic


def demosaic(mosaic: np.ndarray) -> np.ndarray:
    """Bilinear: ``mosaic`` (H, W) to (H, W, 3)."""
    pattern = bayer(*mosaic.shape)
    planes = [cv2.filter2D(mosaic * pattern[..., c], -1, TAPS[c]) for c in range(3)]
    return np.asarray(cv2.merge(planes), np.float32)


def _mixed_batch(pictures: Tensor, matrices: np.ndarray) -> Tensor:
    """Each picture's own matrix (B, 3, 3) times each of its pixels."""
    return torch.einsum("bij,bjhw->bihw", torch.from_numpy(matrices).to(pictures), pictures)


def _to_raw_batch(pictures: Tensor, matrices: np.ndarray, brightening: Tensor) -> Tensor:
    linear = (0.5 - torch.sin(torch.asin(1 - 2 * pictures.clamp(0, 1)) / 3)).clamp(min=0) ** GAMMA
    camera = _mixed_batch(linear, matrices)
    bright = ((camera.mean(1, keepdim=True) - HIGHLIGHT).clamp(min=0) / (1 - HIGHLIGHT)) ** 2
    raw = camera * torch.maximum(bright + (1 - bright) / brightening, 1 / brightening)
    return raw.clamp(0, 1)


def _from_raw_batch(raw: Tensor, matrices: np.ndarray, brightening: Tensor) -> Tensor:
    camera = (raw * brightening).clamp(0, 1)
    display = _mixed_batch(camera, np.linalg.inv(matrices)).clamp(0, 1) ** (1 / GAMMA)
    return (3 * display**2 - 2 * display**3).clamp(0, 1)


@dataclass(frozen=True)
class SensorNoise(Degradation):
    """Camera noise: back to raw, Bayer mosaic, shot and read noise, and forward again.

    Params: camera (weights of the four matrices); gain, red_gain, blue_gain; shot, read (the
    variance of a raw value x in [0, 1] is shot · x + read); seed.
    """

    shot: tuple[float, float] = (1e-4, 1.2e-2)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        mild, harsh = (math.log(shot) for shot in self.shot)
        log_shot = between(mild, harsh, quantile(spec, rng))
        return {
            "camera": rng.random(4).tolist(),
            "gain": 1 / float(rng.normal(0.8, 0.1)),
            "red_gain": float(rng.uniform(1.9, 2.4)),
            "blue_gain": float(rng.uniform(1.5, 1.9)),
            "shot": math.exp(log_shot),
            "read": math.exp(2.18 * log_shot + 1.2 + float(rng.normal(0, 0.26))),
            "seed": draw_seed(rng),
        }

    def apply(self, picture: Picture, params: Params) -> Picture:
        padded = cv2.copyMakeBorder(check(picture), PAD, PAD, PAD, PAD, cv2.BORDER_REFLECT_101)
        raw = to_raw(np.asarray(padded, np.float32), params)
        mosaic = mosaic_of(raw)
        variance = np.float32(params["shot"]) * mosaic + np.float32(params["read"])
        noise = normal(mosaic.shape, params["seed"]) * np.sqrt(variance)
        mosaic = np.minimum(mosaic + noise, 1)  # negative values stay: black lies above raw zero
        raw = demosaic(mosaic)[PAD:-PAD, PAD:-PAD]
        return from_raw(np.ascontiguousarray(raw), params)

    @by_size
    def apply_batch(self, pictures: Tensor, params: Batch) -> Tensor:
        matrices = np.stack([camera_matrix(one["camera"]) for one in params])
        brightening = torch.from_numpy(np.stack([gains(one) for one in params])).to(pictures)
        brightening = brightening[:, :, None, None]
        raw = _to_raw_batch(mirrored(pictures, PAD), matrices, brightening)
        pattern = torch.from_numpy(bayer(*raw.shape[2:])).to(raw).permute(2, 0, 1)
        mosaic = (raw * pattern).sum(1, keepdim=True)
        variance = column(params, "shot", raw) * mosaic + column(params, "read", raw)
        mosaic = (mosaic + normal_batch(params, 1, mosaic) * torch.sqrt(variance)).clamp(max=1)
        taps = torch.from_numpy(TAPS).to(raw)[:, None]
        raw = functional.conv2d(mosaic * pattern, taps, padding=1, groups=3)
        return _from_raw_batch(raw[..., PAD:-PAD, PAD:-PAD], matrices, brightening)
