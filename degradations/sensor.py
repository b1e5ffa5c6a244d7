"""Camera sensor noise: back to raw, Bayer mosaic, shot and read noise, demosaic, forward again.

The camera model and all ranges are those of Brooks et al. 2019, "Unprocessing Images for Learned
Raw Denoising" (sections 3.1–3.2), the demosaicking is that of Malvar, He and Cutler 2004,
"High-quality linear interpolation for demosaicing of Bayer-patterned color images" (figure 2). BSR
names this step; its released code leaves it out.
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
"""Mirrored pixels around the mosaic: enough for the taps, and even, so that the pattern stays."""

_GREEN = [[0, 0, -2, 0, 0], [0, 0, 4, 0, 0], [-2, 4, 8, 4, -2], [0, 0, 4, 0, 0], [0, 0, -2, 0, 0]]
_ACROSS = [
    [0, 0, 1, 0, 0],
    [0, -2, 0, -2, 0],
    [-2, 8, 10, 8, -2],
    [0, -2, 0, -2, 0],
    [0, 0, 1, 0, 0],
]
_OPPOSITE = [
    [0, 0, -3, 0, 0],
    [0, 4, 0, 4, 0],
    [-3, 0, 12, 0, -3],
    [0, 4, 0, 4, 0],
    [0, 0, -3, 0, 0],
]
TAPS = np.array([_GREEN, _ACROSS, np.transpose(_ACROSS), _OPPOSITE], np.float32) / 16
"""Bilinear means of a missing channel, corrected by the Laplacian of the channel that is there:
green at red and blue; red or blue at green, from the sides, from above and below; red at blue."""
KEPT, GREEN, ACROSS, ALONG, OPPOSITE = range(5)
"""The value of the mosaic itself, and those that the four taps make of it."""
SOURCES = np.array(
    [
        [[KEPT, ACROSS], [ALONG, OPPOSITE]],
        [[GREEN, KEPT], [KEPT, GREEN]],
        [[OPPOSITE, ALONG], [ACROSS, KEPT]],
    ]
)
"""Of R, G and B: which of the five it is at even and odd rows and columns of the mosaic."""


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


def developed(camera: np.ndarray, params: Params) -> Picture:
    """White-balanced linear camera RGB to sRGB: colour matrix, gamma, smoothstep tone curve."""
    matrix = np.linalg.inv(camera_matrix(params["camera"]))
    linear = _mixed(np.clip(camera, 0, 1), matrix)
    display = np.power(np.clip(linear, 0, 1, out=linear), 1 / GAMMA, out=linear)
    return clipped((3 - 2 * display) * display * display)


def gains(params: Params) -> np.ndarray:
    """Brightening times white balance, (3,), which white-balances raw: green is the reference."""
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
    """White-balanced ``mosaic`` (H, W) to (H, W, 3); the two outermost pixels lack neighbours."""
    made = [mosaic, *(cv2.filter2D(mosaic, -1, taps) for taps in TAPS)]
    picture = np.empty((*mosaic.shape, 3), np.float32)
    for (channel, y, x), source in np.ndenumerate(SOURCES):
        picture[y::2, x::2, channel] = made[source][y::2, x::2]
    return picture


def _demosaic_batch(mosaic: Tensor) -> Tensor:
    """``demosaic`` of (B, 1, H, W)."""
    taps = torch.from_numpy(TAPS).to(mosaic)[:, None]
    made = torch.cat([mosaic, functional.conv2d(mosaic, taps, padding=2)], 1)
    picture = mosaic.expand(-1, 3, -1, -1).clone()
    for (channel, y, x), source in np.ndenumerate(SOURCES):
        picture[:, channel, y::2, x::2] = made[:, source, y::2, x::2]
    return picture


def _mixed_batch(pictures: Tensor, matrices: np.ndarray) -> Tensor:
    """Each picture's own matrix (B, 3, 3) times each of its pixels."""
    return torch.einsum("bij,bjhw->bihw", torch.from_numpy(matrices).to(pictures), pictures)


def _to_raw_batch(pictures: Tensor, matrices: np.ndarray, brightening: Tensor) -> Tensor:
    linear = (0.5 - torch.sin(torch.asin(1 - 2 * pictures.clamp(0, 1)) / 3)).clamp(min=0) ** GAMMA
    camera = _mixed_batch(linear, matrices)
    bright = ((camera.mean(1, keepdim=True) - HIGHLIGHT).clamp(min=0) / (1 - HIGHLIGHT)) ** 2
    raw = camera * torch.maximum(bright + (1 - bright) / brightening, 1 / brightening)
    return raw.clamp(0, 1)


def _developed_batch(camera: Tensor, matrices: np.ndarray) -> Tensor:
    linear = _mixed_batch(camera.clamp(0, 1), np.linalg.inv(matrices))
    display = linear.clamp(0, 1) ** (1 / GAMMA)
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
        mosaic *= mosaic_of(np.broadcast_to(gains(params), raw.shape))
        camera = demosaic(np.minimum(mosaic, 1))[PAD:-PAD, PAD:-PAD]
        return developed(np.ascontiguousarray(camera), params)

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
        mosaic = mosaic * (brightening * pattern).sum(1, keepdim=True)
        camera = _demosaic_batch(mosaic.clamp(max=1))
        return _developed_batch(camera[..., PAD:-PAD, PAD:-PAD], matrices)
