"""Output into a pipe: a reader that goes away early, as `head` does, is no error of a command."""

from __future__ import annotations

import io
import os
import sys
from typing import IO, Any


class _Patient(io.FileIO):
    """A pipe or a file: what nobody reads is dropped, and the work goes on to its end."""

    lost = False

    def write(self, data: Any, /) -> int:
        try:
            return len(data) if self.lost else super().write(data)
        except BrokenPipeError:
            return len(data)
        except OSError:  # a full disk, which is said once
            self.lost = True
            raise


def drop_what_nobody_reads() -> None:
    """Let stdout and stderr outlive their readers; letters that they cannot show become "?"."""
    sys.stdout, sys.stderr = _patient(sys.stdout), _patient(sys.stderr)


def say_nothing() -> None:
    """Drop what is printed from here on: another process says the same."""
    sys.stdout = sys.stderr = open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115 - to the end of the process


def _patient(stream: IO[str]) -> IO[str]:
    if not isinstance(stream, io.TextIOWrapper):  # a notebook's, or none at all
        return stream
    stream.reconfigure(errors="replace")
    if stream.isatty():
        return stream
    stream.flush()
    raw = io.BufferedWriter(_Patient(stream.fileno(), "w", closefd=False))
    by_line = stream.line_buffering or stream.write_through
    return io.TextIOWrapper(raw, stream.encoding, "replace", line_buffering=by_line)
