"""What can go wrong, by class: the command line turns each class into one line and an exit code.

A bug of ours is none of these and keeps its traceback.
"""

from __future__ import annotations

import difflib
import errno
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

OK = 0
DIVERGED = 1
USAGE = 2
"""Bad input: flags, settings, paths, pictures."""
SOME_FAILED = 3
"""Some inputs failed; all the others are done."""
INTEGRITY = 4
"""A damaged file, or one that belongs to something else."""
MACHINE = 5
"""The disk is full or the memory does not suffice."""
PREEMPTED = 75
"""Stopped by a signal; the work can be resumed."""
INTERRUPTED = 130
"""Stopped at once, by Ctrl-C."""


class PaletteError(Exception):
    """What a user or the machine can cure. The message is one line."""

    exit_code: ClassVar[int]


class UserError(PaletteError, ValueError):
    """Bad input. The message has the value, the choices and the cure."""

    exit_code = USAGE


class PictureError(UserError):
    """A picture file that cannot be used. The message has the file and the reason."""


class InUse(PaletteError, RuntimeError):
    """Another process owns the folder."""

    exit_code = USAGE


class IntegrityError(PaletteError, RuntimeError):
    """A file is not what was written: damaged, truncated or of a newer version."""

    exit_code = INTEGRITY


class Preempted(PaletteError, RuntimeError):
    """SIGTERM or SIGINT arrived; the run is saved and can be resumed."""

    exit_code = PREEMPTED


class Diverged(PaletteError, RuntimeError):
    """The loss is not finite any more."""

    exit_code = DIVERGED


class MachineError(PaletteError, RuntimeError):
    """The machine cannot: its disk is full or broken, or its memory does not suffice."""

    exit_code = MACHINE


_MEMORY = "the memory does not suffice: close other programs, or choose a smaller batch or tile"
_MACHINE = {
    errno.ENOSPC: "the disk is full: make room on it",
    errno.EDQUOT: "your disk quota is used up: make room",
    errno.EFBIG: "the file is larger than the disk or a limit allows: raise the limit",
    errno.EIO: "the disk cannot be read or written: choose another",
    errno.ENOMEM: _MEMORY,
}
_PATH = {errno.EROFS, errno.ENAMETOOLONG, errno.ELOOP, errno.EINVAL, errno.ENOTEMPTY}
_PATH_CLASSES = (
    FileNotFoundError,
    FileExistsError,
    PermissionError,
    NotADirectoryError,
    IsADirectoryError,
)


def of_system(error: OSError | MemoryError) -> PaletteError | None:
    """What an error of the operating system is to a user; None where it says nothing of paths,
    disk or memory and is a bug of ours."""
    if isinstance(error, MemoryError):
        return MachineError(_MEMORY)
    where = "" if error.filename is None else f"{error.filename}: "
    if error.errno in _MACHINE:
        return MachineError(f"{where}{_MACHINE[error.errno]}")
    if where and (isinstance(error, _PATH_CLASSES) or error.errno in _PATH):
        reason = (error.strerror or "it cannot be used").lower()
        return UserError(f"{where}{reason}: check the path and its permissions")
    return None


@contextmanager
def of_file(path: object) -> Iterator[None]:
    """A UserError of the block is one of what this file says, and names it."""
    try:
        yield
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def nearest(name: str, choices: Iterable[str]) -> str:
    """ "did you mean 'width'? The choices are …", for error messages."""
    choices = sorted(choices)
    return f"{did_you_mean(name, choices)}The choices are {', '.join(choices)}"


def did_you_mean(name: str, choices: Iterable[str]) -> str:
    """ "did you mean 'width'? ", or nothing where none of the choices is like it."""
    close = difflib.get_close_matches(str(name), choices, n=1)
    return f"did you mean {close[0]!r}? " if close else ""


def some(names: Sequence[str], most: int = 3) -> str:
    """ "a, b, c and 4 more", for error messages."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
