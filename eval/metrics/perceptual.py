"""Distances in the features of trained networks: LPIPS and the Palette paper's PD.

Weights come from files (see :mod:`palette.eval.metrics.weights`); none is replaced by random ones.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import nn

from palette.errors import UserError
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights
from palette.extras import require

Distance = Callable[[Pixels, Pixels], float]
"""Of two pictures ``(H, W, 3)`` uint8 of one size."""


@dataclass(frozen=True)
class Trunk:
    """A network whose features LPIPS compares, by the name that the package ``lpips`` has for it.

    ``side``: below this many pixels its pooling has nothing left.
    """

    net: str
    title: str
    side: int


TRUNKS = {
    "alexnet": Trunk("alex", "AlexNet", 32),
    "squeezenet": Trunk("squeeze", "SqueezeNet", 32),
}
"""By kind of weights."""


def lpips_distance(weights: Weights, device: str = "cpu") -> Distance:
    """LPIPS 0.1 (Zhang et al. 2018) in the features of the network that ``weights`` are for."""
    network, side = lpips_network(weights).to(device), TRUNKS[weights.kind].side

    def distance(a: Pixels, b: Pixels) -> float:
        if min(a.shape[:2]) < side:
            raise Undefined(f"LPIPS needs sides of {side} pixels or more")
        with torch.inference_mode():
            return float(network(_signed(a, device), _signed(b, device)))

    return distance


def lpips_network(weights: Weights) -> nn.Module:
    """Two batches ``(B, 3, H, W)`` in [−1, 1] to their distances ``(B, 1, 1, 1)``.

    Its linear layers are those that the package ``lpips`` ships. UserError without the package, and
    for weights of another network.
    """
    require("lpips", extra="lpips")
    import lpips  # pyright: ignore[reportMissingImports] -- an extra

    trunk = TRUNKS[weights.kind]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of torchvision, about how lpips calls it
        network = lpips.LPIPS(net=trunk.net, pnet_rand=True, verbose=False)
    loaded, ours = weights.load(), network.net.state_dict()
    # slice3.6.squeeze.weight there is features.6.squeeze.weight in torchvision's file
    theirs = {name: f"features.{name.split('.', 1)[1]}" for name in ours}
    missing = [name for name in theirs.values() if name not in loaded]
    if missing:
        raise UserError(f"{weights.path} holds no {trunk.title}: it lacks {missing[0]}")
    network.net.load_state_dict({name: loaded[other] for name, other in theirs.items()})
    return network.eval().requires_grad_(False)


def googlenet_distance(weights: Weights, device: str = "cpu") -> Distance:
    """Euclidean distance of GoogLeNet pool features ``(1024,)``, after Palette's PD.

    The paper's PD uses another Inception-v1; torchvision's GoogLeNet is not that network, so the
    figures go by the name PD-GoogLeNet. Pictures are resized to 224 (bilinear, antialiased).
    """
    from torchvision.models import googlenet

    # The file holds the auxiliary heads too, so the network must have them for loading.
    network = googlenet(weights=None, aux_logits=True, transform_input=True, init_weights=False)
    weights.load_into(network)
    network.fc = nn.Identity()  # type: ignore[assignment]
    network = network.to(device).eval().requires_grad_(False)

    def pooled(picture: Pixels) -> torch.Tensor:
        from torch.nn.functional import interpolate

        batch = (_signed(picture, device) + 1) / 2
        batch = interpolate(batch, size=(224, 224), mode="bilinear", antialias=True)
        mean = torch.tensor(IMAGENET_MEAN, device=device).view(1, 3, 1, 1)
        deviation = torch.tensor(IMAGENET_DEVIATION, device=device).view(1, 3, 1, 1)
        return network((batch - mean) / deviation)

    def distance(a: Pixels, b: Pixels) -> float:
        with torch.inference_mode():
            return float(torch.linalg.vector_norm(pooled(a) - pooled(b)))

    return distance


IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_DEVIATION = (0.229, 0.224, 0.225)


def _signed(picture: Pixels, device: str) -> torch.Tensor:
    """``(1, 3, H, W)`` in [−1, 1]."""
    tensor = torch.from_numpy(np.ascontiguousarray(picture)).to(device)
    return tensor.permute(2, 0, 1)[None].float() / 127.5 - 1
