"""A work that is cheap enough to test teams with, in other processes too."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from palette.errors import UserError

DIES, RAISES, BREAKS = -1, -2, -3
"""Items at which a worker is killed, raises an error of ours, and one that cannot travel."""


class Sealed(Exception):
    """What pickle cannot bring to another process."""

    def __init__(self, one: int, two: int) -> None:
        super().__init__("sealed")


def answer(item: int) -> int:
    """Ten times the item; odd ones take longer, so that answers come out of order."""
    if item == DIES:
        os._exit(9)
    if item == RAISES:
        raise UserError("item is -2: choose 0 or more")
    if item == BREAKS:
        raise Sealed(1, 2)
    time.sleep(0.02 * (item % 2))
    return 10 * item


@dataclass(frozen=True)
class Counting:
    """``fails`` names a device on which it cannot begin; on the device "slow" it takes a minute."""

    fails: str = ""

    def begin(self, device: str, agreed: Any) -> tuple[Callable[[int], int], Any]:
        if device == "slow":
            time.sleep(60)
        if device == self.fails:
            raise UserError(f"there is no device {device}")
        return answer, agreed or f"as {device} said"
