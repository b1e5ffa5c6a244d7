"""`palette degradations`: the degradations by name."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from palette.cli import OK


@dataclass(frozen=True)
class Degradations:
    """List the degradations."""


def run(args: Degradations) -> int:
    from palette.degradations import DEGRADATIONS

    width = max(map(len, DEGRADATIONS))
    for name, degradation in DEGRADATIONS.items():
        summary = (inspect.getdoc(degradation) or "").splitlines()[0]
        print(f"{name:<{width}}  {summary}")
    return OK
