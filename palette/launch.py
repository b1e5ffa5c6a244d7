"""Which of several processes this is, where torchrun started the same command for each device."""

from __future__ import annotations

import os
import signal
import threading
import time
from dataclasses import dataclass

from palette.errors import MACHINE

LOOK_SECONDS = 1.0
"""Between two looks at the parent."""
GRACE_SECONDS = 240.0
"""In which a process that lost its parent must have ended by itself."""

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


def end_with_parent() -> None:
    """From now on the end of the parent is a SIGTERM to this process, which saves what it has done.

    torchrun tells its ranks when it is to end; where it is killed it cannot. Nor may a rank that
    waits for what will not come live on: after a time it is ended without being asked.
    """
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(LOOK_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(GRACE_SECONDS)
        os._exit(MACHINE)

    threading.Thread(target=watch, name="end with parent", daemon=True).start()
