"""`palette resume RUN`: continue where a run stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Resume:
    """Continue a stopped run; with --steps, a finished one too."""

    run: tyro.conf.Positional[Path]
    """The folder of the run."""
    steps: int | None = None
    """Steps of the optimizer in all."""


def run(args: Resume) -> int:
    from palette.api import resume

    resume(args.run, args.steps)
    print(f"the model is in {args.run}: palette restore {args.run} IN OUT")
    return OK
