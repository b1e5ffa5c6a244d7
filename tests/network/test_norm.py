"""The norm with few passes is the plain one: values, gradients, and what it keeps in memory."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from palette.network.norm import NormSiLU, group_norm, norm_silu

Tensors = tuple[Tensor, ...]


def plain(h: Tensor, gain: Tensor, offset: Tensor, groups: int) -> Tensor:
    """The definition: SiLU(gain·ĥ + offset)."""
    normed = F.group_norm(h, groups)
    return F.silu(normed * gain[:, :, None, None] + offset[:, :, None, None])


def inputs(dtype: torch.dtype, samples: int, channels: int = 8, side: int = 4) -> Tensors:
    torch.manual_seed(0)
    h = 2 * torch.randn(3, channels, side, side) + 1  # a mean that is not 0
    h = h.to(dtype).contiguous(memory_format=torch.channels_last)
    gain, offset = (torch.randn(samples, channels, dtype=dtype) for _ in range(2))
    return tuple(t.requires_grad_() for t in (h, gain, offset))


@pytest.mark.parametrize("samples", [1, 3])
@pytest.mark.parametrize("form", [torch.channels_last, torch.contiguous_format])
def test_gradients_are_those_of_its_values(samples: int, form: torch.memory_format) -> None:
    def f(h: Tensor, gain: Tensor, offset: Tensor) -> Tensor:
        return NormSiLU.apply(h.contiguous(memory_format=form), gain, offset, 2, 1e-5)

    arguments = inputs(torch.float64, samples)
    torch.testing.assert_close(f(*arguments), plain(*arguments, groups=2))
    assert torch.autograd.gradcheck(f, arguments)


def values_and_gradients(f: Callable[..., Tensor], arguments: Tensors) -> Tensors:
    out = f(*arguments)
    weights = torch.linspace(-1, 1, out.numel()).view(out.shape).to(out.dtype)
    return (out, *torch.autograd.grad((out * weights).sum(), arguments))


@pytest.mark.parametrize(("channels", "side"), [(32, 8), (64, 4), (32, 32)])
def test_bfloat16_is_about_as_near_to_the_truth_as_the_plain_form(channels: int, side: int) -> None:
    """With narrow groups and wide ones, few pixels and many."""
    exact = inputs(torch.float64, 3, channels, side)
    truth = values_and_gradients(lambda *a: plain(*a, groups=4), exact)
    less = tuple(
        t.detach().to(torch.bfloat16 if t.dim() == 4 else torch.float32).requires_grad_()
        for t in exact
    )
    found = values_and_gradients(lambda *a: NormSiLU.apply(*a, 4, 1e-5), less)
    rounded = values_and_gradients(
        lambda h, g, o: plain(h, g.bfloat16(), o.bfloat16(), groups=4), less
    )
    for theirs, ours, true in zip(rounded, found, truth, strict=True):
        error, allowed = ((t - true).norm() / true.norm() for t in (ours, theirs))
        assert error < 2 * allowed + 1e-3


def test_a_module_gets_the_gradients_of_the_composition() -> None:
    """bfloat16 in channels_last takes the short way; float32 and NCHW the plain one."""
    norm = nn.GroupNorm(4, 32)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    h, scale, shift = torch.randn(2, 32, 8, 8), torch.randn(2, 32) / 2, torch.randn(2, 32) / 2

    def gradients(dtype: torch.dtype, form: torch.memory_format, embedded: bool) -> Tensors:
        x = h.to(dtype).contiguous(memory_format=form).requires_grad_()
        arguments = [t.to(dtype).requires_grad_() for t in (scale, shift)] if embedded else []
        out = norm_silu(norm, x, *arguments)
        assert out.dtype == dtype
        assert out.is_contiguous(memory_format=form)
        short = type(out.grad_fn).__name__ == "NormSiLUBackward"
        assert short == (dtype == torch.bfloat16 and form == torch.channels_last)
        return torch.autograd.grad(
            out.float().square().sum(), (x, norm.weight, norm.bias, *arguments)
        )

    for embedded in (False, True):
        exact = gradients(torch.float32, torch.contiguous_format, embedded)
        for dtype in (torch.float32, torch.bfloat16):
            found = gradients(dtype, torch.channels_last, embedded)
            for a, b in zip(found, exact, strict=True):
                assert (a.float() - b).norm() < (
                    1e-5 if dtype == torch.float32 else 2e-2
                ) * b.norm()


def test_only_the_input_is_kept_in_full() -> None:
    h, gain, offset = inputs(torch.float32, 3, 32, 16)
    kept: list[int] = []

    def keep(tensor: Tensor) -> Tensor:
        kept.append(tensor.numel())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        NormSiLU.apply(h, gain, offset, 4, 1e-5)
    assert sum(kept) < 1.1 * h.numel()


def test_a_norm_alone_is_torchs() -> None:
    norm, h = nn.GroupNorm(4, 32), torch.randn(2, 32, 8, 8)
    last = h.bfloat16().contiguous(memory_format=torch.channels_last)
    assert torch.equal(group_norm(norm, h), norm(h))
    torch.testing.assert_close(group_norm(norm, last).float(), norm(h), atol=0.03, rtol=0.02)
