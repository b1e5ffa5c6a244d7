"""`palette resume RUN`: continue where a run stopped."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Resume:
    """Continue a stopped run; with --steps, a finished one too. It goes on as if it had never been
    stopped. For another task, scale, or learning rate start a new run with
    `palette train --init RUN`."""

    run: tyro.conf.Positional[Path]
    """The folder of the run."""
    steps: int | None = None
    """Steps of the optimizer in all."""
    data: Path | None = None
    """Where the training pictures are now; they must be the same."""
    val: Path | None = None
    """Where the validation pictures are now."""
    input: Annotated[Path | None, tyro.conf.arg(name="data.input")] = None
    """Where the inputs of pairs are now."""
    val_input: Annotated[Path | None, tyro.conf.arg(name="data.val-input")] = None
    """Where the inputs of the validation pairs are now."""
    accept_data: bool = False
    """Go on where pictures or masks are not the same any more: repaired, changed, added or taken
    away. run.json records it."""


def run(args: Resume) -> int:
    from palette.api import resume

    places = (args.data, args.val, args.input, args.val_input)
    resume(args.run, args.steps, *places, accept_data=args.accept_data)
    print(f"the model is in {args.run}: palette restore {args.run} IN OUT")
    return OK
