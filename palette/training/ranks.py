"""Many processes that train one network: all that they say to each other is in this file.

torchrun starts the same command once for each device and says in the environment which is which:
these are the ranks. Each takes its part of the examples of every step. DistributedDataParallel
averages the gradients, so that all make the same step of the whole network; or each holds and
changes a part of it (:mod:`palette.training.sharding`).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed import TCPStore  # type: ignore[reportPrivateImportUsage]
from torch.nn.parallel import DistributedDataParallel

from palette.errors import Diverged, MachineError, PaletteError, Preempted, UserError
from palette.launch import Launch, end_with_parent, launched
from palette.machine.device import choose_device
from palette.network.denoiser import Denoiser
from palette.training.sharding import divide

T = TypeVar("T")

PATIENCE = timedelta(hours=1)
"""How long ranks wait for one another; the longest pause is a validation by the first of them."""

ANSWER = timedelta(seconds=5)
"""In which the store that torchrun keeps for all ranks must answer."""


@dataclass(frozen=True)
class Ranks:
    """This rank, of how many; alone by default. The first one, 0, writes what the run makes."""

    device: torch.device
    rank: int = 0
    count: int = 1
    local_count: int = 1
    """Of this machine, whose cores they share."""
    group: dist.ProcessGroup | None = None
    """For plain values, by way of the CPU."""

    @property
    def writes(self) -> bool:
        return self.rank == 0

    def part(self, images: int) -> range:
        """Which of the ``images`` of a step are this rank's; UserError where the parts differ."""
        if images % self.count:
            raise UserError(
                f"a step has {images} crops, which {self.count} ranks cannot share evenly: choose "
                f"--train.batch and --train.accumulate whose product is a multiple of {self.count}"
            )
        size = images // self.count
        return range(self.rank * size, (self.rank + 1) * size)

    def network(self, denoiser: Denoiser, shard: bool) -> nn.Module:
        """What a training pass runs through: its gradients are the mean of all ranks'.

        ``shard``: every rank keeps a part of each weight.
        """
        if self.count == 1:
            return denoiser
        if shard:
            group = dist.new_group(timeout=PATIENCE)
            assert isinstance(group, dist.ProcessGroup)  # all ranks are members
            divide(denoiser, group)
            return denoiser
        ids = [self.device] if self.device.type == "cuda" else None
        return DistributedDataParallel(denoiser, device_ids=ids, gradient_as_bucket_view=True)

    def gathered(self, values: Tensor) -> Tensor:
        """The values (n,) of all ranks in their order, (count·n,)."""
        if self.count == 1:
            return values
        if values.device.type != "cpu":  # where the end of another rank is noticed; a GPU waits
            dist.barrier(self.group)
        everyone = [torch.empty_like(values) for _ in range(self.count)]
        dist.all_gather(everyone, values)
        return torch.cat(everyone)

    def any(self, flag: bool) -> bool:
        """Whether any rank says so."""
        if self.count == 1:
            return flag
        said = torch.tensor(int(flag))
        dist.all_reduce(said, dist.ReduceOp.MAX, group=self.group)
        return bool(said)

    def agreed(self, value: Callable[[], T]) -> T:
        """What the first rank computes, for all; the others wait and compute nothing."""
        if self.count == 1:
            return value()
        box = [value() if self.writes else None]
        dist.broadcast_object_list(box, src=0, group=self.group, device=torch.device("cpu"))
        return box[0]  # type: ignore[return-value]

    def of_all(self, value: T) -> list[T]:
        """A plain value of every rank, in their order."""
        if self.count == 1:
            return [value]
        values: list[T] = [value] * self.count
        dist.all_gather_object(values, value, group=self.group)
        return values

    def check_same(self, value: str, what: str) -> None:
        """UserError on all ranks where one has another ``value``."""
        if self.count == 1:
            return
        values = self.of_all(value)
        if other := [str(rank) for rank, one in enumerate(values) if one != values[0]]:
            raise UserError(
                f"rank {', '.join(other)} of {self.count} has other {what} than rank 0: give all "
                f"machines the same command and the same files"
            )


def synchronizing(network: nn.Module, now: bool) -> AbstractContextManager[object]:
    """Average the gradients of the pass inside where ``now`` is true, else add them up here."""
    if now or not isinstance(network, DistributedDataParallel):
        return nullcontext()
    return network.no_sync()


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """Meet the other ranks, where there are any, each on its own device.

    Raises UserError for a device that ranks cannot use, MachineError where another rank ended.
    """
    launch = launched()
    if launch.ranks == 1:
        yield Ranks(choose_device(device))
        return
    end_with_parent()
    mine = _own_device(device, launch)
    gpu = mine.type == "cuda"
    if gpu:
        torch.cuda.set_device(mine)
    try:
        dist.init_process_group(
            "nccl" if gpu else "gloo", timeout=PATIENCE, device_id=mine if gpu else None
        )
        group = dist.new_group(timeout=PATIENCE, backend="gloo")
        assert isinstance(group, dist.ProcessGroup)  # all ranks are members
        yield Ranks(mine, launch.rank, launch.ranks, launch.local_ranks, group)
        dist.barrier(group)  # what the first rank wrote is complete for all
    except RuntimeError as error:
        if isinstance(error, Preempted | Diverged):  # which all ranks find in the same step
            dist.destroy_process_group()
        raise of_rank(error) or error from None
    dist.destroy_process_group()


def _own_device(name: str, launch: Launch) -> torch.device:
    device = choose_device(name)
    if device.type not in ("cpu", "cuda") or device.index is not None:
        raise UserError(
            f"device is {name!r}, and {launch.ranks} ranks take a device each: choose auto, cpu or "
            f"cuda"
        )
    if device.type == "cpu":
        return device
    if launch.local_ranks > torch.cuda.device_count():
        raise UserError(
            f"{launch.local_ranks} ranks on this machine, which has {torch.cuda.device_count()} "
            f"GPUs: choose --nproc-per-node {torch.cuda.device_count()}"
        )
    return torch.device("cuda", launch.local_rank)


def of_rank(error: RuntimeError) -> MachineError | None:
    """The end of another rank in words; None for any other error."""
    text = str(error)
    foreign = isinstance(error, dist.DistError) or "gloo" in text or "NCCL" in text
    if isinstance(error, PaletteError) or not foreign:
        return None
    return MachineError(
        "another rank ended, or cannot be reached any more: if it did not say why, the system "
        "killed it, most often for want of memory"
    )


def first_to_speak() -> bool:
    """Whether no other rank has said yet why all of them end: one line of one rank is enough."""
    attempt = os.environ.get("TORCHELASTIC_RESTART_COUNT", "0")
    where, port = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    try:
        store = TCPStore(where, port, timeout=ANSWER, wait_for_workers=False)
        return store.add(f"palette/said/{attempt}", 1) == 1
    except dist.DistError:  # the machine that keeps the store is gone
        return True
