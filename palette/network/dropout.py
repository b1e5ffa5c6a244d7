"""Dropout that is keyed by what is trained on, not by what was drawn before."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palette.seeding import entropy


class Dropout(nn.Module):
    """In training, set a ``share`` of the activations (B, …) to 0 and divide the rest by 1 − share.

    What an example loses depends on its key and on the ``number`` of the layer: neither on the
    other examples of the batch, which may be cut among devices, nor on how often it is computed.
    """

    def __init__(self, share: float) -> None:
        super().__init__()
        self.share, self.number = share, 0
        self.keys: Sequence[int] | None = None
        """One for each example of the coming batches; None: torch's global generator."""

    def forward(self, h: Tensor) -> Tensor:
        if not (self.training and self.share):
            return h
        if self.keys is None:
            return F.dropout(h, self.share)
        draws = torch.Generator(h.device)
        kept = torch.empty(h.shape, dtype=h.dtype, device=h.device)
        for row, key in zip(kept, self.keys, strict=True):
            draws.manual_seed(entropy(key, self.number) % 2**63)
            row.bernoulli_(1 - self.share, generator=draws)
        return h * kept.div_(1 - self.share)


def number_dropouts(network: nn.Module) -> None:
    """Number the dropouts of ``network`` in their order, so that each draws its own."""
    for number, layer in enumerate(_dropouts(network)):
        layer.number = number


def key_dropouts(network: nn.Module, keys: Sequence[int]) -> None:
    """Give the dropouts of ``network`` the key of each example of the coming batch."""
    for layer in _dropouts(network):
        layer.keys = keys


def _dropouts(network: nn.Module) -> list[Dropout]:
    return [layer for layer in network.modules() if isinstance(layer, Dropout)]
