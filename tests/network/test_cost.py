"""What a network costs, against closed forms, published figures and a real pass."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch.autograd.graph import saved_tensors_hooks

from palette.machine.format import autocast
from palette.network.architecture import PRESETS, Architecture
from palette.network.cost import cost
from palette.network.unet import UNet

SHALLOW = Architecture(width=8, multipliers=(1,), blocks=1, groups=4, middle_attention=False)
SMALL = Architecture(
    width=8, multipliers=(1, 2), blocks=1, groups=4, head_width=8, attention=(8,), mask=True
)


def test_multiply_adds_of_one_depth_by_hand() -> None:
    """3×3 convolutions at 16², their shortcuts, and the linear layers of the noise level."""
    pixels, emb = 16 * 16, 4 * 8
    stem, head = 6 * 8 * 9, 8 * 3 * 9
    plain, wide = 2 * 8 * 8 * 9, (16 * 8 + 8 * 8) * 9 + 16 * 8  # the way up sees a skip too
    linear = 8 * emb + emb * emb + 5 * emb * 16
    expected = pixels * (stem + head + 3 * plain + 2 * wide) + linear
    found = cost(SHALLOW, 16)
    assert found.evaluation == expected
    # twice as much backward, but for the pictures, which need no gradient
    assert found.training == 3 * expected - pixels * stem - 8 * emb


def test_the_papers_network_has_the_published_arithmetic() -> None:
    """1120 G at 256²: Peebles & Xie (2023), table 2, of the network of Dhariwal & Nichol."""
    assert cost(PRESETS["paper"], 256).evaluation / 1e9 == pytest.approx(1120, rel=0.002)


def test_attention_grows_with_the_square_of_the_pixels() -> None:
    def of(size: int) -> int:
        with_it, without = (
            cost(Architecture(8, (1,), 1, at, 8, 4, middle_attention=False), size).evaluation
            for at in ((size,), ())
        )
        return with_it - without - 3 * size**2 * 4 * 8 * 8  # queries, keys, values, output

    assert of(32) == 16 * of(16) == 3 * 2 * 1024**2 * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_what_is_kept_is_what_a_real_pass_keeps(dtype: torch.dtype) -> None:
    kept: dict[int, torch.UntypedStorage] = {}

    def pack(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        kept[storage.data_ptr()] = storage  # held: no other storage gets its address
        return tensor

    context = partial(autocast, torch.device("cpu"), dtype)
    network, x = UNet(SMALL, 16), torch.randn(2, 3, 16, 16)
    with saved_tensors_hooks(pack, lambda tensor: tensor), context():
        network(torch.cat([x, x[:, :1]], dim=1), x, torch.rand(2)).sum()
    weights = {p.untyped_storage().data_ptr() for p in network.parameters()}
    real = sum(storage.nbytes() for at, storage in kept.items() if at not in weights)
    # a few numbers a picture may share a storage in one and not in the other
    assert cost(SMALL, 16, 2, context=context).kept == pytest.approx(real, rel=0.01)


def test_recomputing_costs_time_and_saves_memory() -> None:
    plain, again = (cost(SMALL, 16, 4, recompute) for recompute in (False, True))
    assert (
        again.parameters == plain.parameters == sum(p.numel() for p in UNet(SMALL, 16).parameters())
    )
    assert again.training == plain.training + plain.evaluation
    assert again.kept < plain.kept / 2
