"""`palette degradations`: the degradations by name."""

from __future__ import annotations

from dataclasses import dataclass

from palette.errors import OK


@dataclass(frozen=True)
class Degradations:
    """List the degradations."""


def run(args: Degradations) -> int:
    from palette.degradations.catalogue import names
    from palette.degradations.summaries import about

    listed = names()
    width = max(map(len, listed))
    for name in listed:
        print(f"{name:<{width}}  {about(name)}")
    return OK
