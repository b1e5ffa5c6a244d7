"""Errors of the operating system and of torch, as those that a user can cure."""

from __future__ import annotations

import sys

from palette.errors import PaletteError, of_system


def as_ours(error: Exception) -> PaletteError | None:
    """``error`` as one of ours; None is a bug and deserves its traceback. Imports no torch."""
    if isinstance(error, PaletteError):
        return error
    if isinstance(error, OSError | MemoryError):
        return of_system(error)
    if isinstance(error, RuntimeError) and "torch" in sys.modules:
        from palette.machine.memory import is_out_of_memory

        return of_system(MemoryError()) if is_out_of_memory(error) else None
    return None
