"""A published network's tensors as those of ours: names, layouts, orders."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from palette.errors import IntegrityError, UserError, some
from palette.importing.families import GUIDED_DIFFUSION, Family
from palette.importing.files import Weights
from palette.importing.names import Names, guided_names, sr3_names
from palette.importing.shape import Shape, guided_shape, sr3_shape
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser


def embed_of(family: Family) -> str:
    """What the naming "guided" calls the noise embedding."""
    return "time_embed" if family is GUIDED_DIFFUSION else "cond_embed"


def shape_of(family: Family, weights: Weights) -> Shape:
    """UserError where it is none that our U-Net has."""
    sr3 = family.network == "sr3"
    shape = sr3_shape(weights) if sr3 else guided_shape(weights, embed_of(family))
    if shape.inputs not in (3, 6) or shape.outputs not in (3, 6):
        raise UserError(
            f"{weights.file} has {shape.inputs} input and {shape.outputs} output channels: import "
            f"takes 6 (a picture beside the noisy one) or 3, and 3 or with a learnt variance 6"
        )
    return shape


@dataclass(frozen=True)
class Conversion:
    """From a network of theirs to the state of a :class:`palette.network.denoiser.Denoiser`."""

    family: Family
    shape: Shape
    architecture: Architecture
    size: int
    label: int | None = None
    """The class that a class-conditional network is held at."""

    def run(self, weights: Weights) -> Denoiser:
        """UserError names tensors that are missing, left over or of another size."""
        with torch.device("meta"):
            denoiser = Denoiser(self.architecture, self.size)
        names, wanted = self.names(), denoiser.unet.state_dict()
        theirs = {name: names(name) for name in wanted}
        missing = [
            key
            for name, key in theirs.items()
            if key not in weights and not (self._without_bias and name.endswith("qkv.bias"))
        ]
        left = sorted(weights.tensors.keys() - {*theirs.values(), "label_emb.weight"})
        if missing or left:
            found = " and ".join(
                f"{verb} {some(keys)}"
                for verb, keys in (("lacks", missing), ("also holds", left))
                if keys
            )
            raise UserError(
                f"{weights.file}, read as {self.family.title}, {found}: it is another network, or "
                f"not whole"
            )
        state = {
            name: self._tensor(weights, name, key, wanted[name]) for name, key in theirs.items()
        }
        denoiser.unet.load_state_dict(state, assign=True)
        return denoiser.requires_grad_(False)

    @property
    def _without_bias(self) -> bool:
        """Whether queries, keys and values have no bias: ours is then 0."""
        return self.family.network == "sr3"

    def names(self) -> Names:
        shape = self.shape
        if self.family.network == "sr3":
            return sr3_names()
        depths = len(shape.multipliers)
        return guided_names(embed_of(self.family), shape.blocks, shape.attention, depths)

    def _tensor(self, weights: Weights, name: str, key: str, like: Tensor) -> Tensor:
        if key not in weights:
            return torch.zeros(like.shape)
        value = weights.tensors[key]
        if not value.isfinite().all():
            raise IntegrityError(f"{weights.file}: {key} is not finite: the file is damaged")
        try:
            made = self._changed(weights, name, value.float())
        except (RuntimeError, IndexError):  # of a tensor of other dimensions
            made = value
        if made.shape != like.shape:
            raise UserError(
                f"{weights.file}: {key} is {tuple(value.shape)}, which does not fit the other "
                f"tensors: it is another network"
            )
        return made.contiguous()

    def _changed(self, weights: Weights, name: str, value: Tensor) -> Tensor:
        """In our layout and order."""
        if name.endswith(("attention.qkv.weight", "attention.out.weight")) and value.ndim == 3:
            value = value[..., None]  # a convolution over positions in a row
        if ".attention.qkv." in name:
            return self._by_kind(value)
        if name == "stem.weight":
            return self._condition_first(value)
        if name.startswith("head."):
            return value[:3]  # the others are the learnt variance
        if name == "embedding.mlp.0.weight" and self.family.network == "sr3":
            return value.roll(value.shape[1] // 2, dims=1)  # [sin, cos] there, [cos, sin] here
        if name == "embedding.mlp.2.bias" and self.label is not None:
            return value + weights.tensors["label_emb.weight"][self.label].float()
        return value

    def _by_kind(self, qkv: Tensor) -> Tensor:
        """The rows by query, key and value and then by head; there by head first."""
        channels = len(qkv) // 3
        heads = self.architecture.heads_of(channels)
        return qkv.unflatten(0, (heads, 3, channels // heads)).transpose(0, 1).flatten(0, 2)

    def _condition_first(self, stem: Tensor) -> Tensor:
        """[x, y_t]; a network that is shown no condition gets one that it does not look at."""
        if stem.shape[1] == 3:
            return torch.cat([torch.zeros_like(stem), stem], dim=1)
        return stem.roll(3, dims=1) if self.family.noise_first else stem
