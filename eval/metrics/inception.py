"""Features of pytorch-fid's Inception network: one pass serves FID, KID and the Inception score.

The network and its weights are those of pytorch-fid (a port of TensorFlow's 2015 graph, to which
every published FID refers). There is no fallback: without the weights file there are no features.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn
from torch.nn.functional import interpolate

from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights

FEATURES = 2048
MIXED = ("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c")
SIDE = 299
"""Pictures are resized to this many pixels a side, bilinear without antialiasing."""


class Inception:
    """Pictures to features ``(B, 2048)`` float32; features to logits ``(B, 1008)``."""

    def __init__(self, weights: Weights, device: str = "cpu") -> None:
        network = empty_network()
        weights.load_into(network)
        self.weights = weights
        self.device = torch.device(device)
        self._head = network.fc.weight.detach().double().numpy()
        self._body = _body(network).to(self.device).to(memory_format=torch.channels_last)

    @torch.inference_mode()
    def features(self, pictures: Sequence[Pixels]) -> NDArray[np.float32]:
        """Pool features ``(B, 2048)`` of pictures ``(H, W, 3)`` uint8, each of any size."""
        batch = torch.cat([_resized(picture) for picture in pictures])
        batch = batch.to(self.device, memory_format=torch.channels_last)
        with torch.backends.cudnn.flags(enabled=True, allow_tf32=False):
            return self._body(2 * batch - 1).flatten(1).float().cpu().numpy()

    def logits(self, features: NDArray[np.floating]) -> NDArray[np.float64]:
        """Logits ``(B, 1008)`` without the bias, as the original Inception score has them."""
        return features.astype(np.float64) @ self._head.T

    @cached_property
    def description(self) -> dict[str, object]:
        """What a reader must know to trust the features, as plain JSON."""
        return {
            "network": "pytorch-fid InceptionV3, pool features, 2048",
            "resize": f"{SIDE}×{SIDE} bilinear without antialiasing, per picture",
            "weights": self.weights.describe(),
        }


def _resized(picture: Pixels) -> torch.Tensor:
    """``(1, 3, 299, 299)`` in [0, 1], resized as pytorch-fid's network does it."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None].float() / 255
    return interpolate(tensor, size=(SIDE, SIDE), mode="bilinear", align_corners=False)


def empty_network() -> Any:
    """The layout that the weights file fits, with untrained weights: for loading into it only."""
    from pytorch_fid import inception as blocks
    from torchvision.models import inception_v3

    network = inception_v3(weights=None, num_classes=1008, aux_logits=False, init_weights=False)
    network.Mixed_5b = blocks.FIDInceptionA(192, pool_features=32)
    network.Mixed_5c = blocks.FIDInceptionA(256, pool_features=64)
    network.Mixed_5d = blocks.FIDInceptionA(288, pool_features=64)
    network.Mixed_6b = blocks.FIDInceptionC(768, channels_7x7=128)
    network.Mixed_6c = blocks.FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6d = blocks.FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6e = blocks.FIDInceptionC(768, channels_7x7=192)
    network.Mixed_7b = blocks.FIDInceptionE_1(1280)
    network.Mixed_7c = blocks.FIDInceptionE_2(2048)
    return network


def _body(network: Any) -> nn.Sequential:
    """Everything up to the pooled features, batch norms folded into the convolutions."""
    from torch.nn.utils.fusion import fuse_conv_bn_eval
    from torchvision.models.inception import BasicConv2d

    network.eval()
    for module in network.modules():
        if isinstance(module, BasicConv2d):
            module.conv = fuse_conv_bn_eval(module.conv, module.bn)
            setattr(module, "bn", nn.Identity())  # noqa: B010 -- its type is a batch norm
    pool = nn.MaxPool2d(kernel_size=3, stride=2)
    stem = [network.Conv2d_1a_3x3, network.Conv2d_2a_3x3, network.Conv2d_2b_3x3, pool]
    stem += [network.Conv2d_3b_1x1, network.Conv2d_4a_3x3, pool]
    mixed = [getattr(network, f"Mixed_{name}") for name in MIXED]
    return nn.Sequential(*stem, *mixed, nn.AdaptiveAvgPool2d(1)).eval().requires_grad_(False)
