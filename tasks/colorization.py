"""Colorization (Palette, Saharia et al. 2022): colours for a grey picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from palette.degradations.grayscale import WEIGHTS, Grayscale
from palette.tasks.base import WholePictureTask
from palette.types import Observation, Picture, TargetName

LUMA = np.asarray(WEIGHTS["rec601"], np.float32)


@dataclass(frozen=True)
class Colorization(WholePictureTask):
    """The condition is the luma, repeated to three channels."""

    degradation: str = "grayscale"
    name: ClassVar[str] = "colorization"
    resize: ClassVar[bool] = True
    coloured: ClassVar[bool] = True
    diffuse: Literal["chroma", "residual", "picture"] = "chroma"
    """chroma: the two dimensions of colour that are missing; the luma stays that of the input.
    residual: all three of the difference to grey. picture: RGB itself, as in Palette."""

    @property
    def target(self) -> TargetName:
        return self.diffuse

    def baseline(self, observation: Observation) -> Picture:
        return Grayscale().apply(observation.picture, {"formula": "rec601"})

    def baseline_batch(self, observed: Tensor) -> Tensor:
        weights = observed.new_tensor(WEIGHTS["rec601"])
        return torch.einsum("bchw,c->bhw", observed, weights)[:, None].expand_as(observed)

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        """With the luma of the observation, exactly; colours that do not fit it are made paler."""
        if self.diffuse != "chroma":
            return restored
        grey = self.baseline(observation)
        chroma = restored - (restored @ LUMA)[..., None]
        # the largest share t of the chroma with 0 <= grey + t·chroma <= 1
        room = np.where(chroma > 0, 1 - grey, grey) / np.maximum(np.abs(chroma), 1e-6)
        share = np.minimum(room.min(axis=-1, keepdims=True), 1)
        return np.clip(grey + share * chroma, 0, 1)  # it misses them by a rounding at most
