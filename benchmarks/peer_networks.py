"""Small published networks in plain torch, written from their papers, with their weights.

All take and give pictures in [0, 1]: IMDN (Hui et al. 2019) RGB, ARCNN (Dong et al. 2015) and
DnCNN-3 (Zhang et al. 2017) one channel.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional

SLOPE = 0.05
"""Of IMDN's leaky ReLU."""
CHANNELS, DISTILLED = 64, 16
"""Of IMDN: feature maps, and those that each convolution of a block hands on."""


class Attention(nn.Module):
    """IMDN's contrast-aware attention: deviation plus mean of each channel weighs the channel."""

    def __init__(self) -> None:
        super().__init__()
        self.conv_du = nn.Sequential(
            nn.Conv2d(CHANNELS, CHANNELS // 16, 1),
            nn.ReLU(),
            nn.Conv2d(CHANNELS // 16, CHANNELS, 1),
            nn.Sigmoid(),
        )

    def forward(self, x: Tensor) -> Tensor:
        deviation, mean = torch.std_mean(x, dim=(2, 3), correction=0, keepdim=True)
        return x * self.conv_du(deviation + mean)


class Distillation(nn.Module):
    """IMDN's block: four convolutions, of which each but the last hands on a quarter at once."""

    def __init__(self) -> None:
        super().__init__()
        kept = CHANNELS - DISTILLED
        self.c1 = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.c2 = nn.Conv2d(kept, CHANNELS, 3, padding=1)
        self.c3 = nn.Conv2d(kept, CHANNELS, 3, padding=1)
        self.c4 = nn.Conv2d(kept, DISTILLED, 3, padding=1)
        self.cca = Attention()
        self.c5 = nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        handed, rest = [], x
        for convolution in (self.c1, self.c2, self.c3):
            features = functional.leaky_relu(convolution(rest), SLOPE)
            handed.append(features[:, :DISTILLED])
            rest = features[:, DISTILLED:]
        return x + self.c5(self.cca(torch.cat([*handed, self.c4(rest)], dim=1)))


class Imdn(nn.Module):
    """Six blocks, their outputs fused, and a pixel shuffle."""

    def __init__(self, scale: int) -> None:
        super().__init__()
        self.fea_conv = nn.Conv2d(3, CHANNELS, 3, padding=1)
        for number in range(1, 7):
            self.add_module(f"IMDB{number}", Distillation())
        self.c = nn.Sequential(nn.Conv2d(6 * CHANNELS, CHANNELS, 1), nn.LeakyReLU(SLOPE))
        self.LR_conv = nn.Conv2d(CHANNELS, CHANNELS, 3, padding=1)
        self.upsampler = nn.Sequential(
            nn.Conv2d(CHANNELS, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale)
        )

    def forward(self, x: Tensor) -> Tensor:
        first = features = self.fea_conv(x)
        outputs = []
        for number in range(1, 7):
            features = self.get_submodule(f"IMDB{number}")(features)
            outputs.append(features)
        return self.upsampler(self.LR_conv(self.c(torch.cat(outputs, dim=1))) + first)


class Arcnn(nn.Module):
    """9 × 9 to 64 maps, 7 × 7 to 32, 1 × 1 to 16, 5 × 5 to the picture; edges go on as they are."""

    def __init__(self) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for given, made, side in ((1, 64, 9), (64, 32, 7), (32, 16, 1), (16, 1, 5)):
            edges = "replicate" if side > 1 else "zeros"
            layers += [nn.Conv2d(given, made, side, padding=side // 2, padding_mode=edges)]
            layers += [nn.ReLU()]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class DnCnn(nn.Module):
    """Twenty convolutions of 3 × 3 that find the error of the picture."""

    def __init__(self) -> None:
        super().__init__()
        middle = [layer for _ in range(18) for layer in (_three(64, 64), nn.ReLU())]
        self.layers = nn.Sequential(_three(1, 64), nn.ReLU(), *middle, _three(64, 1))

    def forward(self, x: Tensor) -> Tensor:
        return x - self.layers(x)


def _three(given: int, made: int) -> nn.Conv2d:
    return nn.Conv2d(given, made, 3, padding=1)


@dataclass(frozen=True)
class Peer:
    """A network with its weights; ``channels`` of what it takes."""

    title: str
    network: nn.Module
    channels: int


def _imdn(folder: Path, scale: int) -> nn.Module:
    network = Imdn(scale)
    network.load_state_dict(load_file(folder / f"imdn_x{scale}.safetensors"))
    return network


def _arcnn(folder: Path, quality: int) -> nn.Module:
    """MATLAB's arrays: (given, taps, made), where taps run down the columns of a kernel."""
    network = Arcnn()
    with np.load(folder / f"arcnn_q{quality}.npz") as arrays:
        for layer, number in zip(network.layers[::2], ("1", "2", "22", "3"), strict=True):
            assert isinstance(layer, nn.Conv2d)
            given, made, side, _ = np.array(layer.weight.shape)[[1, 0, 2, 3]]
            weights = arrays[f"weights_conv{number}"].reshape(given, side, side, made)
            _fill(layer, weights.transpose(3, 0, 2, 1), arrays[f"biases_conv{number}"])
    return network


def _dncnn(folder: Path, _: int) -> nn.Module:
    """MatConvNet's arrays: (made, given, across, down)."""
    network = DnCnn()
    with np.load(folder / "dncnn3.npz") as arrays:
        for number, layer in zip(range(0, 40, 2), network.layers[::2], strict=True):
            assert isinstance(layer, nn.Conv2d)
            weights = arrays[f"w{number}"].reshape(layer.weight.shape)
            _fill(layer, weights.transpose(0, 1, 3, 2), arrays[f"b{number}"])
    return network


def _fill(layer: nn.Conv2d, weights: np.ndarray, biases: np.ndarray) -> None:
    assert layer.bias is not None
    layer.weight.data = torch.from_numpy(np.ascontiguousarray(weights, np.float32))
    layer.bias.data = torch.from_numpy(np.ascontiguousarray(biases.reshape(-1), np.float32))


LOADERS: dict[str, list[tuple[str, str, Callable[[Path, int], nn.Module], int]]] = {
    "super-resolution": [("IMDN", "imdn_x{}.safetensors", _imdn, 3)],
    "jpeg-restoration": [
        ("ARCNN", "arcnn_q{}.npz", _arcnn, 1),
        ("DnCNN-3", "dncnn3.npz", _dncnn, 1),
    ],
}
"""By task: title, file by scale or quality, how it is read, and channels."""


def peers(folder: Path, task: str, harshness: int) -> list[Peer]:
    """Those for a task whose weights are in the folder; ``harshness`` is scale or quality."""
    return [
        Peer(title, load(folder, harshness).eval(), channels)
        for title, file, load, channels in LOADERS.get(task, [])
        if (folder / file.format(harshness)).exists()
    ]
