"""The batched form of each operator: ``(B, 3, H, W)`` in [0, 1] and the params of each picture.

They agree with their NumPy form (the tests state how well). Noise is made on the device from the
same seeds: on the CPU the same numbers, on a GPU others of the same distribution.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from palette.degradations import kernels, sensor, torch_jpeg
from palette.degradations.blur import Blur, DefocusBlur, MotionBlur, SincBlur, UnsharpMask
from palette.degradations.conditioning import BlurConditioning, NoiseConditioning
from palette.degradations.corruptions import ImpulseNoise, Pixelate
from palette.degradations.grayscale import WEIGHTS, Grayscale
from palette.degradations.jpeg import Jpeg, Quantise
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.palette_paper import SrBicubic
from palette.degradations.resize import GaussianShrink, Rescale, ResizeTo, Shrink
from palette.degradations.resize_matrices import Matrix, gaussian_matrix, matrix, shrunk
from palette.degradations.sensor import SensorNoise
from palette.types import Params

Batch = Sequence[Params]
Form = Callable[[Tensor, Batch], Tensor]


def _column(values: Sequence[float], like: Tensor) -> Tensor:
    """One number a picture, ``(B, 1, 1, 1)``."""
    return torch.tensor(values, device=like.device, dtype=like.dtype)[:, None, None, None]


def _each(params: Batch, key: str, like: Tensor) -> Tensor:
    return _column([one[key] for one in params], like)


def _generators(params: Batch, like: Tensor) -> list[torch.Generator]:
    return [torch.Generator(like.device).manual_seed(one["seed"]) for one in params]


def _normal(params: Batch, channels: int, like: Tensor) -> Tensor:
    """``(B, channels, H, W)``: picture i depends on its own seed only."""
    shape = *like.shape[2:], channels  # drawn in the order of a NumPy picture
    fields = [
        torch.randn(shape, generator=generator, device=like.device, dtype=like.dtype)
        for generator in _generators(params, like)
    ]
    return torch.stack(fields).permute(0, 3, 1, 2)


def _mirrored(length: int, pad: int, device: torch.device) -> Tensor:
    """Indices of a line padded by reflection at the centre of its outermost pixel, any ``pad``."""
    period = max(2 * length - 2, 1)
    indices = torch.arange(-pad, length + pad, device=device) % period
    return torch.minimum(indices, period - indices) if length > 1 else indices * 0


def convolve(pictures: Tensor, taps: Sequence[kernels.Kernel]) -> Tensor:
    """Each picture with its own odd kernel; kernels of any sizes are centred in the largest."""
    batch, channels, height, width = pictures.shape
    size = max(len(kernel) for kernel in taps)
    stacked = np.stack([np.pad(kernel, (size - len(kernel)) // 2) for kernel in taps])
    weights = torch.from_numpy(stacked[:, ::-1, ::-1].copy()).to(pictures)  # conv2d correlates
    rows = _mirrored(height, size // 2, pictures.device)
    columns = _mirrored(width, size // 2, pictures.device)
    padded = pictures[:, :, rows][..., columns].reshape(1, batch * channels, len(rows), -1)
    weights = weights.repeat_interleave(channels, dim=0)[:, None]
    result = functional.conv2d(padded, weights, groups=batch * channels)
    return result.reshape(pictures.shape).clamp(0, 1)


def _isotropic(size: int, sigma: float) -> kernels.Kernel:
    line = kernels.gaussian_line(size, sigma)
    return np.outer(line, line)


def blur(pictures: Tensor, params: Batch) -> Tensor:
    return convolve(pictures, [kernels.elliptic(**one) for one in params])


def sinc_blur(pictures: Tensor, params: Batch) -> Tensor:
    return convolve(pictures, [kernels.sinc(one["size"], one["cutoff"]) for one in params])


def motion_blur(pictures: Tensor, params: Batch) -> Tensor:
    return convolve(pictures, [kernels.motion(one["length"], one["angle"]) for one in params])


def defocus_blur(pictures: Tensor, params: Batch) -> Tensor:
    blurred = convolve(pictures, [kernels.disk(one["radius"]) for one in params])
    return convolve(blurred, [_isotropic(5, one["soft_sigma"]) for one in params])


def blur_conditioning(pictures: Tensor, params: Batch) -> Tensor:
    sizes = [2 * max(1, round(4 * one["level"])) + 1 for one in params]
    taps = [_isotropic(size, one["level"]) for size, one in zip(sizes, params, strict=True)]
    return convolve(pictures, taps)


def unsharp(pictures: Tensor, params: Batch) -> Tensor:
    sizes = [one["size"] for one in params]
    taps = [_isotropic(size, 0.3 * ((size - 1) / 2 - 1) + 0.8) for size in sizes]
    detail = pictures - convolve(pictures, taps)
    where = (detail.abs() * 255 > _each(params, "threshold_255", pictures)).to(pictures.dtype)
    where = convolve(where, taps)
    sharp = (pictures + _each(params, "weight", pictures) * detail).clamp(0, 1)
    return (pictures + where * (sharp - pictures)).clamp(0, 1)


def _multiply(
    pictures: Tensor, rows: Sequence[np.ndarray], columns: Sequence[np.ndarray]
) -> Tensor:
    """Rows and columns of each picture by its own matrices, all of one size."""
    tall = torch.from_numpy(np.stack(rows)).to(pictures)[:, None]
    wide = torch.from_numpy(np.stack(columns)).to(pictures)[:, None]
    return (tall @ pictures @ wide.transpose(2, 3)).clamp(0, 1)


def resize(pictures: Tensor, params: Batch) -> Tensor:
    height, width = pictures.shape[2:]
    rows = [matrix(one["method"], height, one["height"]) for one in params]
    columns = [matrix(one["method"], width, one["width"]) for one in params]
    return _multiply(pictures, rows, columns)


def rescale(pictures: Tensor, params: Batch) -> Tensor:
    height, width = pictures.shape[2:]
    sizes = [
        {
            "height": shrunk(height, 1 / one["factor"]),
            "width": shrunk(width, 1 / one["factor"]),
            "method": one["method"],
        }
        for one in params
    ]
    return resize(pictures, sizes)


def gaussian_shrink(pictures: Tensor, params: Batch) -> Tensor:
    height, width = pictures.shape[2:]
    rows: list[Matrix] = []
    columns: list[Matrix] = []
    for one in params:
        sigma, size, scale = one["sigma"], one["size"], one["scale"]
        rows.append(gaussian_matrix(sigma, size, height, shrunk(height, scale)))
        columns.append(gaussian_matrix(sigma, size, width, shrunk(width, scale)))
    return _multiply(pictures, rows, columns)


def pixelate(pictures: Tensor, params: Batch) -> Tensor:
    height, width = pictures.shape[2:]
    results = []
    for i, one in enumerate(params):
        small = [max(1, int(side * one["factor"])) for side in (height, width)]
        down = {"height": small[0], "width": small[1], "method": "area"}
        up = {"height": height, "width": width, "method": "nearest"}
        results.append(resize(resize(pictures[i : i + 1], [down]), [up]))
    return torch.cat(results)


def quantise(pictures: Tensor, params: Batch) -> Tensor:
    levels = _column([2 ** one["bits"] - 1 for one in params], pictures)
    return torch.round(pictures.clamp(0, 1) * levels) / levels


def sr_bicubic(pictures: Tensor, params: Batch) -> Tensor:
    return quantise(resize(pictures, params), params)


def _luma(pictures: Tensor, formula: str) -> Tensor:
    weights = torch.tensor(WEIGHTS[formula], device=pictures.device, dtype=pictures.dtype)
    return (pictures * weights[:, None, None]).sum(1, keepdim=True)


def grayscale(pictures: Tensor, params: Batch) -> Tensor:
    lumas = [_luma(pictures[i : i + 1], one["formula"]) for i, one in enumerate(params)]
    return torch.cat(lumas).clamp(0, 1).expand(-1, 3, -1, -1).clone()


def _normal_fields(pictures: Tensor, params: Batch) -> Tensor:
    fields = []
    for i, one in enumerate(params):
        field = _normal([one], 1 if one["kind"] == "grey" else 3, pictures[i : i + 1])
        if one["kind"] == "correlated":
            mixing = torch.tensor(one["mixing"], device=pictures.device, dtype=pictures.dtype)
            field = torch.einsum("ij,bjhw->bihw", mixing, field)
        fields.append(field.expand(-1, 3, -1, -1) * (one["level_255"] / 255))
    return torch.cat(fields)


def gaussian_noise(pictures: Tensor, params: Batch) -> Tensor:
    return (pictures + _normal_fields(pictures, params)).clamp(0, 1)


def speckle_noise(pictures: Tensor, params: Batch) -> Tensor:
    return (pictures * (1 + _normal_fields(pictures, params))).clamp(0, 1)


def noise_conditioning(pictures: Tensor, params: Batch) -> Tensor:
    noise = _normal(params, 3, pictures)
    return (pictures + _each(params, "level", pictures) * noise).clamp(0, 1)


def poisson_noise(pictures: Tensor, params: Batch) -> Tensor:
    results = []
    for i, (one, generator) in enumerate(zip(params, _generators(params, pictures), strict=True)):
        picture = pictures[i : i + 1]
        light = _luma(picture, "rec601") if one["grey"] else picture
        light = light.clamp(0, 1)
        expected = (light * one["peak"]).permute(0, 2, 3, 1).contiguous()
        photons = torch.poisson(expected, generator=generator).permute(0, 3, 1, 2)
        noise = photons / one["peak"] - light
        results.append((picture + one["strength"] * noise).clamp(0, 1))
    return torch.cat(results)


def impulse_noise(pictures: Tensor, params: Batch) -> Tensor:
    results = []
    for i, (one, generator) in enumerate(zip(params, _generators(params, pictures), strict=True)):
        picture = pictures[i]
        shape = *picture.shape[1:], 3
        u = torch.rand(shape, generator=generator, device=picture.device).permute(2, 0, 1)
        hit = torch.where(u < one["share"] / 2, 0.0, 1.0)
        results.append(torch.where(u < one["share"], hit.to(picture), picture))
    return torch.stack(results)


def jpeg(pictures: Tensor, params: Batch) -> Tensor:
    results = torch.empty_like(pictures)
    for subsampling in sorted({one["subsampling"] for one in params}):
        chosen = [i for i, one in enumerate(params) if one["subsampling"] == subsampling]
        qualities = [params[i]["quality"] for i in chosen]
        results[chosen] = torch_jpeg.round_trip(pictures[chosen], qualities, subsampling)
    return results


def sensor_noise(pictures: Tensor, params: Batch) -> Tensor:
    """The steps of :mod:`palette.degradations.sensor`, with their numbers."""
    height, width = pictures.shape[2:]
    rows = _mirrored(height, sensor.PAD, pictures.device)
    columns = _mirrored(width, sensor.PAD, pictures.device)
    padded = pictures[:, :, rows][..., columns].clamp(0, 1)
    matrices = np.stack([sensor.camera_matrix(one["camera"]) for one in params])
    to_camera = torch.from_numpy(matrices).to(pictures)
    from_camera = torch.from_numpy(np.linalg.inv(matrices)).to(pictures)
    gains = torch.from_numpy(np.stack([sensor.gains(one) for one in params])).to(pictures)
    gains = gains[:, :, None, None]

    linear = (0.5 - torch.sin(torch.asin(1 - 2 * padded) / 3)).clamp(min=0) ** sensor.GAMMA
    camera = torch.einsum("bij,bjhw->bihw", to_camera, linear)
    excess = (camera.mean(1, keepdim=True) - sensor.HIGHLIGHT).clamp(min=0)
    bright = (excess / (1 - sensor.HIGHLIGHT)) ** 2
    raw = camera * torch.maximum(bright + (1 - bright) / gains, 1 / gains)

    pattern = torch.from_numpy(sensor.bayer(len(rows), len(columns))).to(pictures).permute(2, 0, 1)
    mosaic = (raw.clamp(0, 1) * pattern).sum(1, keepdim=True)
    variance = _each(params, "shot", pictures) * mosaic + _each(params, "read", pictures)
    mosaic = (mosaic + _normal(params, 1, mosaic) * torch.sqrt(variance)).clamp(max=1)
    taps = np.stack([sensor.RED_BLUE_TAPS, sensor.GREEN_TAPS, sensor.RED_BLUE_TAPS])
    weights = torch.from_numpy(taps).to(pictures)[:, None]
    raw = functional.conv2d(mosaic * pattern, weights, padding=1, groups=3)
    raw = raw[..., sensor.PAD : -sensor.PAD, sensor.PAD : -sensor.PAD]

    camera = (raw * gains).clamp(0, 1)
    display = torch.einsum("bij,bjhw->bihw", from_camera, camera).clamp(0, 1) ** (1 / sensor.GAMMA)
    return (3 * display**2 - 2 * display**3).clamp(0, 1)


FORMS: dict[type, Form] = {
    Blur: blur,
    SincBlur: sinc_blur,
    MotionBlur: motion_blur,
    DefocusBlur: defocus_blur,
    UnsharpMask: unsharp,
    BlurConditioning: blur_conditioning,
    Shrink: resize,
    ResizeTo: resize,
    Rescale: rescale,
    GaussianShrink: gaussian_shrink,
    SrBicubic: sr_bicubic,
    Pixelate: pixelate,
    Quantise: quantise,
    Grayscale: grayscale,
    GaussianNoise: gaussian_noise,
    SpeckleNoise: speckle_noise,
    NoiseConditioning: noise_conditioning,
    PoissonNoise: poisson_noise,
    ImpulseNoise: impulse_noise,
    SensorNoise: sensor_noise,
    Jpeg: jpeg,
}
"""Class to its batched form. WebP, masks from files and wrapped transforms have none."""
