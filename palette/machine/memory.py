"""How much memory is free, and how large a piece of a picture the network can take in it."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import torch

from palette.network.architecture import Architecture

INPUTS = 12
"""Float32 numbers for each pixel of a tile beside the activations: x, y_t and both as one."""
CANVASES = 8
"""The most that a sampler keeps beside the network, each of 3 float32 numbers a pixel."""
BYTES = 4
GROUPS, MEMBERSHIP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")
"""Linux's control groups, and which of them this process is in."""


def free_bytes(device: torch.device) -> float:
    """What new tensors can take on ``device``; infinite where the system does not say."""
    if device.type == "cuda":
        free, _ = torch.cuda.mem_get_info(device)
        # what torch holds back for later is free too
        return free + torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    if device.type != "cpu":
        return math.inf
    return min(_left_to_machine(), _left_to_groups())


def _left_to_machine() -> float:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        (available,) = (line.split()[1] for line in lines if line.startswith("MemAvailable:"))
        return 1024.0 * int(available)
    except (OSError, ValueError):
        pass
    try:
        return float(os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    except (AttributeError, OSError, ValueError):
        return math.inf


def _left_to_groups() -> float:
    """Bytes that the control groups of this process leave it: those of a container, or of SLURM.

    cgroup v2 and v1. Pages of files, which give way, count as free; infinite without a limit.
    """
    least = math.inf
    for root, place, (limit, used, gives_way) in _groups():
        for folder in (root / place, *(root / place).parents):
            with suppress(OSError, ValueError, KeyError):  # without a limit it reads "max"
                lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
                stat = dict(line.split() for line in lines)
                taken = int((folder / used).read_text(encoding="ascii")) - int(stat[gives_way])
                least = min(least, int((folder / limit).read_text(encoding="ascii")) - taken)
            if folder == root:
                break
    return least


def _groups() -> Iterator[tuple[Path, str, tuple[str, str, str]]]:
    """Where the memory of this process is accounted: the tree, the place in it, names of files."""
    try:
        lines = MEMBERSHIP.read_text(encoding="utf-8").splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, place = line.split(":", 2)
        if not controllers:
            names = "memory.max", "memory.current", "inactive_file"
            yield GROUPS, place.lstrip("/"), names
        elif "memory" in controllers.split(","):
            names = "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"
            yield GROUPS / "memory", place.lstrip("/"), names


def bytes_per_pixel(architecture: Architecture, dtype: torch.dtype) -> float:
    """Of one evaluation of the network in ``dtype``, its weights apart."""
    return architecture.activations * dtype.itemsize + INPUTS * BYTES


def room(architecture: Architecture, dtype: torch.dtype, free: float, canvas: int) -> float:
    """Pixels that the network may see at once in ``free`` bytes, beside ``canvas`` pixels' state.

    Negative where not even the canvas fits.
    """
    return (free - CANVASES * 3 * BYTES * canvas) / bytes_per_pixel(architecture, dtype)


def is_out_of_memory(error: BaseException) -> bool:
    """Torch has a class of errors for GPUs only; for the CPU its allocator says so in words."""
    if isinstance(error, torch.OutOfMemoryError | MemoryError):
        return True
    return isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
