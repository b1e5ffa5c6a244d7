"""`palette degradations`: the degradations by name."""

from __future__ import annotations

from dataclasses import dataclass

from palette.errors import OK


@dataclass(frozen=True)
class Degradations:
    """List the degradations."""


def run(args: Degradations) -> int:
    from palette.degradations.catalogue import about, names

    listed = names()
    width = max(map(len, listed))
    for name in listed:
        print(f"{name:<{width}}  {about(name)}")
    return OK
