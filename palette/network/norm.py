"""Group normalization, scale and shift, and SiLU: in few passes where torch's own are slow.

On CPUs, torch's group norm in channels_last memory is several times slower in bfloat16 than its
convolutions deserve: with few channels a group, and in every backward pass. There, and only there,
:class:`NormSiLU` takes its place; on GPUs, in float32 and in compiled graphs torch's own remain.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

VECTOR, LARGE_PIXELS = 16, 1024
"""Fewer channels a group and fewer pixels than these: bfloat16 sums are not vectorised."""


def norm_silu(
    norm: nn.GroupNorm, h: Tensor, scale: Tensor | None = None, shift: Tensor | None = None
) -> Tensor:
    """SiLU(norm(h)·(1 + scale) + shift), (B, C, H, W); scale and shift are (B, C), or both None."""
    if _torch_is_slow(h):
        gain, offset = norm.weight[None], norm.bias[None]
        if scale is not None and shift is not None:
            gain, offset = gain * (1 + scale), torch.addcmul(shift.float(), offset, 1 + scale)
        return NormSiLU.apply(h, gain, offset, norm.num_groups, norm.eps)  # type: ignore[no-any-return]
    normed = norm(h)
    if scale is not None and shift is not None:
        normed = torch.addcmul(_wide(shift), normed, 1 + _wide(scale))
    return F.silu(normed)


def group_norm(norm: nn.GroupNorm, h: Tensor) -> Tensor:
    """norm(h), the same to rounding."""
    if _torch_is_slow(h) and _is_narrow(h, norm.num_groups):
        return norm(h.float()).to(h.dtype)
    return norm(h)


class NormSiLU(torch.autograd.Function):
    """SiLU(z), z = gain·ĥ + offset, ĥ = (h − mean)/std of each sample's group of channels.

    h is (B, C, H, W); gain and offset are (B, C), or (1, C) for all samples alike. For the backward
    pass only h and the statistics are kept: z = a·h + b is one pass, with a, b for each (sample,
    channel). Statistics are float32 where h is less.
    """

    @staticmethod
    def forward(
        ctx: Any, h: Tensor, gain: Tensor, offset: Tensor, groups: int, eps: float
    ) -> Tensor:
        batch, channels, height, width = h.shape
        ours = (gain[0], offset[0]) if len(gain) == 1 else (None, None)
        z, mean, std_inverse = torch.native_group_norm(
            h.float() if h.dtype == torch.bfloat16 and _is_narrow(h, groups) else h,
            *ours, batch, channels, height * width, groups, eps,
        )  # fmt: skip
        z = z.to(h.dtype)
        if len(gain) > 1:
            z = torch.addcmul(_wide(offset).to(h.dtype), z, _wide(gain).to(h.dtype))
        ctx.save_for_backward(h, gain, offset, mean, std_inverse)
        return F.silu(z, inplace=True)

    @staticmethod
    @once_differentiable
    def backward(  # type: ignore[override]
        ctx: Any, *grad_outputs: Tensor
    ) -> tuple[Tensor | None, ...]:
        (dy,) = grad_outputs
        h, gain, offset, mean, std_inverse = ctx.saved_tensors
        batch, channels, height, width = h.shape
        m, r = mean[..., None], std_inverse[..., None]  # (B, groups, 1)
        g = gain.view(len(gain), m.shape[1], -1)  # (B or 1, groups, channels a group)
        whole = (batch, m.shape[1], g.shape[2])

        def wide(*values: Tensor) -> list[Tensor]:  # for each (sample, channel), as h is
            both = torch.stack([v.expand(whole) for v in values]).to(h.dtype)
            return list(both.view(len(values), batch, channels, 1, 1))

        a = g * r
        a_wide, b_wide = wide(a, torch.addcmul(offset.view(g.shape), m, a, value=-1))
        z = torch.addcmul(b_wide, h, a_wide)
        dz = torch.ops.aten.silu_backward(dy, z)
        d_offset = dz.sum((2, 3)).view(whole)
        d_a = torch.mul(dz, h, out=z).sum((2, 3)).view(whole)
        d_gain = r * torch.addcmul(d_a, m, d_offset, value=-1)  # Σ dz·ĥ

        # dh = r·(g·dz − ⟨g·dz⟩ − ĥ·⟨g·dz·ĥ⟩), ⟨⟩ the mean of the group: a·dz + p·h + q
        both = torch.stack([d_gain, d_offset.to(d_gain.dtype)])
        p, q = (both * g).sum(-1, keepdim=True) * (r / (-g.shape[2] * height * width))
        p = p * r
        q_wide, p_wide = wide(torch.addcmul(q, m, p, value=-1), p)
        dh = torch.addcmul(q_wide, h, p_wide).addcmul_(dz, a_wide)
        d_gain, d_offset = both.sum_to_size(2, *g.shape).view(2, *gain.shape)
        return dh, d_gain, d_offset, None, None


def _torch_is_slow(h: Tensor) -> bool:
    return (
        h.dtype == torch.bfloat16
        and h.device.type == "cpu"
        and h.is_contiguous(memory_format=torch.channels_last)
        and not h.is_contiguous()
        and not torch.compiler.is_compiling()
    )


def _is_narrow(h: Tensor, groups: int) -> bool:
    return h.shape[1] // groups < VECTOR and h.shape[2] * h.shape[3] < LARGE_PIXELS


def _wide(per_channel: Tensor) -> Tensor:
    return per_channel[:, :, None, None]
