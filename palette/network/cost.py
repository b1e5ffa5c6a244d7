"""What a network costs, counted on tensors without numbers: parameters, multiply-adds, memory."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode

from palette.network.architecture import Architecture
from palette.network.unet import Stage, UNet


@dataclass(frozen=True)
class Cost:
    """Multiply-adds are those of convolutions, linear layers and attention."""

    parameters: int
    evaluation: int
    """Multiply-adds of one evaluation of one picture."""
    training: int
    """Multiply-adds of the forward and the backward pass of one picture."""
    kept: int
    """Bytes that the forward pass of a batch keeps for its backward pass."""


@cache
def cost(
    architecture: Architecture,
    size: int,
    batch: int = 1,
    recompute: bool = False,
    context: Callable[[], Any] = torch.enable_grad,
) -> Cost:
    """Of pictures of ``size`` pixels a side. ``context``: what the passes run in, e.g. autocast."""
    with FakeTensorMode():
        network = UNet(architecture, size).train()
        y_t = torch.empty(batch, 3, size, size)
        x = torch.cat([y_t, y_t[:, : int(architecture.takes_mask)]], dim=1)
        kept = _Kept(network)
        counted = FlopCounterMode(display=False)
        with counted:
            with saved_tensors_hooks(kept.pack, lambda tensor: tensor), context():
                made = network(x, y_t, torch.empty(batch))
            forward = counted.get_total_flops() // 2 // batch
            made.float().sum().backward()
        both = counted.get_total_flops() // 2 // batch
    parameters = sum(p.numel() for p in network.parameters())
    if recompute:
        return Cost(parameters, forward, both + forward, kept.recomputed)
    return Cost(parameters, forward, both, sum(kept.inside))


class _Kept:
    """Bytes that autograd keeps, of each storage once, by the stage of the network."""

    def __init__(self, network: nn.Module) -> None:
        self._seen = {p.untyped_storage()._cdata for p in network.parameters()}
        self._alive: list[Tensor] = []  # so that no storage takes the place of another
        self.inside = [0]
        """Of what comes before the first stage, and of each stage."""
        self._inputs = 0
        for module in network.modules():
            if isinstance(module, Stage):
                module.register_forward_pre_hook(self._enter)

    @property
    def recomputed(self) -> int:
        """Where each stage keeps its input alone, and is computed again, one at a time."""
        return self.inside[0] + self._inputs + max(self.inside[1:])

    def pack(self, tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage._cdata not in self._seen:
            self._seen.add(storage._cdata)
            self._alive.append(tensor)
            self.inside[-1] += storage.nbytes()
        return tensor

    def _enter(self, stage: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        self._inputs += inputs[0].nbytes
        self.inside.append(0)
