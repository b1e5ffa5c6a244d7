"""Batches by position: what an example is depends on where it stands, on nothing else."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from functools import lru_cache

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from palette.errors import MachineError, PaletteError, PictureError, UserError
from palette.seeding import rng

Example = dict[str, np.ndarray]
"""What training reads at one position: named arrays."""

WORKER_TIMEOUT_SECONDS = 600
"""A worker that delivers nothing for this long is taken for dead."""

MOST_WORKERS = 8
"""An automatic number of workers stops here."""


def automatic_workers(device: torch.device, sharing: int = 1) -> int:
    """Enough for a training step not to wait, with a core left for the step.

    A network on the CPU takes longer than one process needs for its batch, and uses all cores.
    ``sharing`` processes train on this machine.
    """
    try:
        cores = len(os.sched_getaffinity(0))
    except AttributeError:  # not on every system
        cores = os.cpu_count() or 1
    return max(0, min(1 if device.type == "cpu" else MOST_WORKERS, cores // sharing - 1))


def epoch_order(seed: int, n: int, position: int) -> int:
    """Which of ``n`` pictures is at a global position: every n positions see each one once."""
    epoch, place = divmod(position, n)
    return int(_permutation(seed, n, epoch)[place])


@lru_cache(maxsize=4)
def _permutation(seed: int, n: int, epoch: int) -> NDArray[np.int64]:
    return rng(seed, "epoch", epoch).permutation(n)


def batches(
    example: Callable[[int], Example],
    batch: int,
    start_step: int,
    stop_step: int,
    workers: int = 0,
    pin: bool = False,
) -> Generator[dict[str, Tensor], None, None]:
    """The stacked examples ``(batch, ...)`` of the steps ``start_step`` to ``stop_step`` − 1.

    Step s holds the positions s·batch … s·batch + batch − 1; see :func:`batches_at`.
    """
    if batch < 1 or workers < 0:
        raise UserError(f"batch is {batch} and workers {workers}; choose at least 1 and 0")
    steps = range(start_step, stop_step)
    positions = (range(step * batch, (step + 1) * batch) for step in steps)
    yield from batches_at(example, positions, workers, pin)


def batches_at(
    example: Callable[[int], Example],
    positions: Iterable[Sequence[int]],
    workers: int = 0,
    pin: bool = False,
) -> Generator[dict[str, Tensor], None, None]:
    """The stacked examples of each batch of ``positions``.

    ``example`` gives named arrays for a global position: the same arrays for the same position.
    They do not depend on ``workers``: each is computed on one thread. ``pin`` puts batches in
    page-locked memory. A PictureError of an example is raised here as it was, other errors of a
    worker with its traceback, the death or the silence of one as MachineError. Close it when no
    more batches are wanted: a worker does not end before.
    """
    loader = DataLoader(
        _Examples(example),
        batch_sampler=positions,  # type: ignore[arg-type] # it may be read once
        num_workers=workers,
        collate_fn=_stack,
        pin_memory=pin,
        worker_init_fn=_start_worker,
        timeout=WORKER_TIMEOUT_SECONDS if workers else 0,
        generator=torch.Generator(),  # leaves the global generator alone
    )
    others = set(multiprocessing.active_children())
    iterator = iter(loader)
    started = set(multiprocessing.active_children()) - others
    try:
        while True:
            try:
                with nullcontext() if workers else _one_thread():
                    arrays = next(iterator)
            except StopIteration:
                return
            except RuntimeError as error:
                arrays = of_worker(error)
                if arrays is None:
                    raise
            if isinstance(arrays, PaletteError):  # raised here, as torch's error keeps the iterator
                raise arrays
            yield arrays
    except BaseException as error:
        if started:  # what torch was doing would keep the iterator; the worker's traceback is text
            error.with_traceback(None)
        raise
    finally:
        iterator = None  # ends the workers now
        for worker in started:  # one that hangs ignores the SIGTERM by which torch ends it
            worker.kill()


class _Examples(Dataset[Example | PictureError]):
    """Examples as torch wants them; a broken picture is a value that a worker can send back."""

    def __init__(self, example: Callable[[int], Example]) -> None:
        self.example = example

    def __getitem__(self, position: int) -> Example | PictureError:
        try:
            return self.example(position)
        except PictureError as error:
            return error


def _stack(examples: list[Example | PictureError]) -> dict[str, Tensor] | PictureError:
    sound: list[Example] = []
    for example in examples:
        if isinstance(example, PictureError):
            return example
        sound.append(example)
    return {key: torch.from_numpy(np.stack([one[key] for one in sound])) for key in sound[0]}


def of_worker(error: RuntimeError) -> MachineError | None:
    """The death or the silence of a worker in words; None for any other error.

    torch may also raise it outside of a feed, wherever the main process is when it learns of it.
    """
    text = str(error).partition(". ")[0]
    if text.startswith("DataLoader timed out"):
        reason = f"no batch came within {WORKER_TIMEOUT_SECONDS} seconds"
        return MachineError(f"{reason} ({text}): can the pictures be reached?")
    if text.startswith(("DataLoader worker", "Pin memory thread", "Too many open files")):
        cure = "if the memory does not suffice, choose fewer --train.workers"
        return MachineError(f"a process that prepares batches ended ({text}): {cure}")
    return None


def _start_worker(worker: int) -> None:
    cv2.setNumThreads(0)  # Torch limits itself to one thread in workers
    # Ctrl-C and the end of a batch job reach all processes of the group: the main one decides.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)


@contextmanager
def _one_thread() -> Iterator[None]:
    """As in a worker, where sums are not split among threads either."""
    threads, cv2_threads = torch.get_num_threads(), cv2.getNumThreads()
    torch.set_num_threads(1)
    cv2.setNumThreads(0)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        cv2.setNumThreads(cv2_threads)
