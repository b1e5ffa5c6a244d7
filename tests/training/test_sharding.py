"""A state whose tensors are divided, among one rank: what is put together again is what it was."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from conftest import TINY
from torch.distributed.tensor import DTensor

from palette.errors import UserError
from palette.machine.format import Format
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser
from palette.training.sharding import divide, divisible, gathered, placed, whole


@pytest.fixture
def group() -> Iterator[dist.ProcessGroup]:
    store = dist.HashStore()  # type: ignore[reportPrivateImportUsage]
    dist.init_process_group("gloo", store=store, rank=0, world_size=1)
    group = dist.group.WORLD
    assert group is not None
    yield group
    dist.destroy_process_group()


def made() -> Denoiser:
    torch.manual_seed(0)
    denoiser = Denoiser(Architecture(**TINY["model"]), 32)
    for parameter in denoiser.parameters():
        torch.nn.init.normal_(parameter, std=0.1)
    return denoiser


def step(denoiser: Denoiser) -> torch.Tensor:
    draws = torch.Generator().manual_seed(1)
    x, y_t = torch.randn((2, 1, 3, 32, 32), generator=draws)
    optimizer = torch.optim.AdamW(denoiser.parameters(), lr=0.01, fused=True)
    denoiser(x, y_t, torch.tensor([0.5])).square().mean().backward()
    norm = whole(torch.nn.utils.clip_grad_norm_(denoiser.parameters(), 0.1))
    optimizer.step()
    return norm


def test_a_step_changes_a_divided_network_as_a_whole_one(group: dist.ProcessGroup) -> None:
    one, parts = made(), made()
    divide(parts, group)
    assert all(isinstance(parameter, DTensor) for parameter in parts.parameters())
    torch.testing.assert_close(step(parts), step(one))
    weights = parts.state_dict()
    torch.testing.assert_close(gathered(weights, keep=True), one.state_dict())
    assert gathered(weights, keep=False) == {}
    for name, value in one.state_dict().items():
        there = placed(value, weights[name])
        assert isinstance(there, DTensor)
        torch.testing.assert_close(whole(there), value)
        assert placed(value, value) is value


def test_the_weights_are_contiguous_and_fp16_is_refused() -> None:
    assert divisible(Format("bf16", "channels_last")) == Format("bf16", "contiguous")
    with pytest.raises(UserError, match=r"--train.shard .*choose --train.precision bf16 or fp32"):
        divisible(Format("fp16"))
