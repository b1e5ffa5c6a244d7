"""Randomness by position: the same (seed, key) gives the same numbers, whatever came before."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import torch
    from torch import Tensor

Key = int | str


def entropy(seed: int, *key: Key) -> int:
    """128 bits that depend on ``seed`` and the ``key`` and on nothing else."""
    text = "/".join([str(int(seed)), *(str(part) for part in key)])
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=16).digest(), "little")


def rng(seed: int, *key: Key) -> np.random.Generator:
    """A NumPy generator for one position of one stream, e.g. ``rng(0, "crop", 17)``."""
    return np.random.Generator(np.random.PCG64(entropy(seed, *key)))


def draw_seed(generator: np.random.Generator) -> int:
    """A seed that fits a JSON number and a signed 64-bit integer, to be kept in a record."""
    return int(generator.integers(2**53))


def generator(seed: int, *key: Key) -> torch.Generator:
    """:func:`rng` for torch. Always on the CPU, so that devices agree on the numbers."""
    import torch

    return torch.Generator().manual_seed(entropy(seed, *key) % 2**63)


def normal_at(
    positions: Sequence[int], shape: Sequence[int], device: torch.device, seed: int, *key: Key
) -> Tensor:
    """Standard normal numbers ``(len(positions), *shape)``, drawn on ``device``.

    Row i depends on the seed, the key and ``positions[i]`` only, so that a batch may be cut.
    """
    import torch

    numbers, draws = torch.empty(len(positions), *shape, device=device), torch.Generator(device)
    for row, position in zip(numbers, positions, strict=True):
        draws.manual_seed(entropy(seed, *key, position) % 2**63)
        row.normal_(generator=draws)
    return numbers


def normal(seeds: Sequence[int], shape: tuple[int, ...], *key: Key) -> Tensor:
    """Standard normal numbers ``(len(seeds), *shape)``: row i depends on ``seeds[i]`` and key only.

    A batch therefore gives each picture the numbers that it would get alone.
    """
    import torch

    numbers = torch.empty(len(seeds), *shape)
    for row, seed in zip(numbers, seeds, strict=True):
        row.normal_(generator=generator(seed, *key))
    return numbers
