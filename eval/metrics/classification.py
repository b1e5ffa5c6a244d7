"""Classification accuracy (Palette's CA): how often a trained classifier knows restored pictures.

Not the Classification Accuracy Score: see :mod:`palette.eval.metrics.cas` for that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import torch

from palette.errors import UserError
from palette.eval.metrics.perceptual import IMAGENET_DEVIATION, IMAGENET_MEAN
from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights

Ranking = Callable[[Sequence[Pixels]], np.ndarray]
"""Pictures to class indices ``(B, C)``, the likeliest first."""


def resnet50(weights: Weights, device: str = "cpu") -> Ranking:
    """torchvision's ResNet-50 on ImageNet: shorter side to 256, the central 224² is classified."""
    from torchvision import models

    network = models.resnet50(weights=None)
    weights.load_into(network)
    network = network.to(device).eval().requires_grad_(False)

    def rank(pictures: Sequence[Pixels]) -> np.ndarray:
        batch = torch.cat([_prepared(picture) for picture in pictures]).to(device)
        with torch.inference_mode():
            return network(batch).argsort(dim=1, descending=True).cpu().numpy()

    return rank


def _prepared(picture: Pixels) -> torch.Tensor:
    """``(1, 3, 224, 224)``, resized and normalised as torchvision's weights expect."""
    from torchvision.transforms.v2 import functional

    tensor = torch.from_numpy(np.ascontiguousarray(picture)).permute(2, 0, 1)[None]
    tensor = functional.center_crop(functional.resize(tensor, [256], antialias=True), [224, 224])
    return functional.normalize(tensor.float() / 255, list(IMAGENET_MEAN), list(IMAGENET_DEVIATION))


def class_indices(labels: Sequence[str], classes: int) -> dict[str, int]:
    """Label → index of a classifier: the sorted order of the labels, as of ImageNet's folders.

    UserError unless there are exactly ``classes`` labels: an index guessed from a part of them
    would be wrong without a sign.
    """
    names = sorted(set(labels))
    if len(names) != classes:
        raise UserError(
            f"{len(names)} class folders for a classifier of {classes} classes: put the "
            "pictures into one folder for each class, which sort by name in the classifier's order"
        )
    return {name: index for index, name in enumerate(names)}
