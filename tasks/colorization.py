"""Colorization (Palette, Saharia et al. 2022): colours for a grey picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from palette.degradations.grayscale import WEIGHTS, Grayscale
from palette.tasks.base import WholePictureTask
from palette.types import Observation, Picture


@dataclass(frozen=True)
class Colorization(WholePictureTask):
    """The condition is the luma, repeated to three channels."""

    degradation: str = "grayscale"
    name: ClassVar[str] = "colorization"

    def baseline(self, observation: Observation) -> Picture:
        return Grayscale().apply(observation.picture, {"formula": "rec601"})

    def baseline_batch(self, observed: Tensor) -> Tensor:
        weights = observed.new_tensor(WEIGHTS["rec601"])
        return torch.einsum("bchw,c->bhw", observed, weights)[:, None].expand_as(observed)
