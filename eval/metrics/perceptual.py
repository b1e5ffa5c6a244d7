"""Distances in the features of trained networks: LPIPS and the Palette paper's PD.

Weights come from files (see :mod:`palette.eval.metrics.weights`); none is replaced by random ones.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import nn

from palette.errors import UserError
from palette.eval.metrics.cell import Undefined
from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights

Distance = Callable[[Pixels, Pixels], float]
"""Of two pictures ``(H, W, 3)`` uint8 of one size."""

LPIPS_SMALLEST_SIDE = 32
"""Below this AlexNet's pooling has nothing left."""


def lpips_distance(weights: Weights, device: str = "cpu") -> Distance:
    """LPIPS 0.1 with AlexNet (Zhang et al. 2018); its linear layers are those of the package."""
    try:
        import lpips  # pyright: ignore[reportMissingImports] -- an extra
    except ImportError:
        raise UserError(
            "LPIPS needs the package lpips: pip install 'palette-diffusion[lpips]'"
        ) from None
    network = lpips.LPIPS(net="alex", pnet_rand=True, verbose=False)
    trunk = {
        f"slice{part}.{index}.{kind}": f"features.{index}.{kind}"
        for part, index in enumerate((0, 3, 6, 8, 10), 1)
        for kind in ("weight", "bias")
    }
    loaded = weights.load()
    missing = [name for name in trunk.values() if name not in loaded]
    if missing:
        raise UserError(f"{weights.path} holds no AlexNet: it lacks {missing[0]}")
    network.net.load_state_dict({ours: loaded[name] for ours, name in trunk.items()})
    network = network.to(device).eval().requires_grad_(False)

    def distance(a: Pixels, b: Pixels) -> float:
        if min(a.shape[:2]) < LPIPS_SMALLEST_SIDE:
            raise Undefined(f"LPIPS needs sides of {LPIPS_SMALLEST_SIDE} pixels or more")
        with torch.inference_mode():
            return float(network(_signed(a, device), _signed(b, device)))

    return distance


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
