"""What can go wrong, by class: the command line turns each class into one line and an exit code.

A bug of ours is none of these and keeps its traceback.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable

OK, DIVERGED, USAGE, SOME_FAILED, INTEGRITY, MACHINE, PREEMPTED, INTERRUPTED = (
    0, 1, 2, 3, 4, 5, 75, 130,
)  # fmt: skip
"""Exit codes: done; training diverged; bad input; some inputs failed, the rest is done; damaged
or foreign files; the machine (disk, memory, device); stopped and resumable; interrupted."""


class UserError(ValueError):
    """Bad input. The message is one line with the value, the choices and the cure."""

    exit_code = USAGE


class PictureError(UserError):
    """A picture file that cannot be used. The message is one line: the file and the reason."""


class InUse(RuntimeError):
    """Another process owns the folder."""

    exit_code = USAGE


class IntegrityError(RuntimeError):
    """A file is not what was written: damaged, truncated or of a newer version."""

    exit_code = INTEGRITY


class Preempted(RuntimeError):
    """SIGTERM or SIGINT arrived; the run is saved and can be resumed."""

    exit_code = PREEMPTED


class Diverged(RuntimeError):
    """The loss is not finite any more."""

    exit_code = DIVERGED


class MachineError(RuntimeError):
    """The machine cannot: its disk is full, its memory does not suffice, a device is gone."""

    exit_code = MACHINE


def nearest(name: str, choices: Iterable[str]) -> str:
    """ "did you mean 'width'? The choices are …", for error messages."""
    choices = sorted(choices)
    close = difflib.get_close_matches(str(name), choices, n=1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{hint}The choices are {', '.join(choices)}"
