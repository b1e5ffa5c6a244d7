"""`palette tasks`: the tasks, their options and what they do."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

from palette.errors import OK


@dataclass(frozen=True)
class Tasks:
    """List the tasks and their options."""


def run(args: Tasks) -> int:
    from palette.config import options_of
    from palette.tasks import available

    for name, cls in available().items():
        options = ", ".join(
            f"--{key.replace('_', '-')} {field.default}" for key, field in options_of(cls).items()
        )
        print(f"{name}\n    {inspect.getdoc(cls)}\n    {options}")
    return OK
