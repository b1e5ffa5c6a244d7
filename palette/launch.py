"""Which of several processes this is, where torchrun started the same command for each device."""

from __future__ import annotations

import os
from dataclasses import dataclass

_NAMES = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "LOCAL_WORLD_SIZE")


@dataclass(frozen=True)
class Launch:
    """A process and how many there are; ``local`` counts those of this machine."""

    rank: int = 0
    ranks: int = 1
    local_rank: int = 0
    local_ranks: int = 1


def launched() -> Launch:
    """What torchrun says in the environment; alone where it did not start this process."""
    if not all(name in os.environ for name in (*_NAMES, "MASTER_ADDR", "MASTER_PORT")):
        return Launch()
    return Launch(*(int(os.environ[name]) for name in _NAMES))
