"""A state that is divided among ranks: FSDP2, for networks that are too large for one GPU.

``fully_shard`` makes of each parameter a DTensor, of which every rank holds a part of the rows. So
are the averages and the optimizer's moments, which are made like their parameters. A block's
weights are whole only while it computes; gradients are averaged on their way back to the parts.
"""

from __future__ import annotations

import torch.distributed as dist
from torch import Tensor
from torch.distributed.device_mesh import DeviceMesh
from torch.distributed.fsdp import fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor

from palette.checkpoint import Tensors
from palette.errors import UserError
from palette.machine.format import Format
from palette.network.denoiser import Denoiser
from palette.network.unet import Stage


def divisible(form: Format) -> Format:
    """``form`` with contiguous weights. Raises UserError for fp16, whose scaler was not tried."""
    if form.precision == "fp16":
        raise UserError("--train.shard knows no fp16: choose --train.precision bf16 or fp32")
    return Format(form.precision)


def divide(denoiser: Denoiser, group: dist.ProcessGroup) -> None:
    """Divide the weights among the ranks of ``group``, in place: block by block, then the rest.

    They must be contiguous.
    """
    mesh = DeviceMesh.from_group(group, next(denoiser.parameters()).device.type)
    for module in denoiser.modules():
        if isinstance(module, Stage):
            fully_shard(module, mesh=mesh)
    fully_shard(denoiser, mesh=mesh)


def whole(tensor: Tensor) -> Tensor:
    """All of it, which all ranks must ask for at once; what is not divided stays what it is."""
    return tensor.full_tensor() if isinstance(tensor, DTensor) else tensor


def gathered(tensors: Tensors, keep: bool) -> Tensors:
    """:func:`whole`, one after the other, on the CPU; nothing for ranks that ``keep`` nothing."""
    found = ((name, whole(tensor.detach())) for name, tensor in tensors.items())
    return {name: tensor.cpu() for name, tensor in found if keep}


def placed(tensor: Tensor, like: Tensor) -> Tensor:
    """``tensor``, which every rank has whole, divided as ``like`` is."""
    if not isinstance(like, DTensor):
        return tensor
    there = tensor.to(like.device)
    return distribute_tensor(there, like.device_mesh, like.placements, src_data_rank=None)
