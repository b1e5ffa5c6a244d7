"""The residual networks of He et al. 2016 for pictures of 32 pixels: ResNet-20, 32, 44, 56, …"""

from __future__ import annotations

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, pad, relu

from palette.errors import UserError

WIDTHS = (16, 32, 64)


class Block(nn.Module):
    """Two 3×3 convolutions and a shortcut without parameters (option A of the paper)."""

    def __init__(self, width_in: int, width_out: int) -> None:
        super().__init__()
        self.stride = 1 if width_in == width_out else 2
        self.conv1 = nn.Conv2d(width_in, width_out, 3, self.stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width_out)
        self.conv2 = nn.Conv2d(width_out, width_out, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width_out)
        self.added = width_out - width_in

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y = relu(self.norm1(self.conv1(x)))
        y = self.norm2(self.conv2(y))
        if self.added:
            x = pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 0, self.added))
        return relu(x + y)


class CifarResNet(nn.Module):
    """6n + 2 layers: three stages of n blocks with 16, 32 and 64 channels.

    ``stride`` 2 of the first layer is no part of the paper: it makes all others four times cheaper.
    """

    def __init__(self, blocks: int, classes: int, stride: int = 1) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, WIDTHS[0], 3, stride, padding=1, bias=False)
        self.norm = nn.BatchNorm2d(WIDTHS[0])
        stages: list[Block] = []
        previous = WIDTHS[0]
        for width in WIDTHS:
            for _ in range(blocks):
                stages.append(Block(previous, width))
                previous = width
        self.blocks = nn.Sequential(*stages)
        self.head = nn.Linear(previous, classes)
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """``(B, 3, 32, 32)`` to logits ``(B, classes)``."""
        y = self.blocks(relu(self.norm(self.stem(x))))
        return self.head(avg_pool2d(y, y.shape[-1]).flatten(1))


def cifar_resnet(depth: int, classes: int, stride: int = 1) -> CifarResNet:
    """The network of ``depth`` layers; depths are 6n + 2, such as 20 and 56."""
    blocks, rest = divmod(depth - 2, 6)
    if rest or blocks < 1:
        raise UserError(f"ResNet-{depth}: depths are 6n + 2, such as 14, 20 and 56")
    return CifarResNet(blocks, classes, stride)
