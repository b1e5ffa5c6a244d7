"""Files that exist complete or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yield a temporary path beside ``path`` to be written; leaving the block puts it in place.

    The bytes reach the disk before the name does (fsync, rename, fsync of the folder). Where the
    block raises, the temporary file is removed and an older ``path`` stays as it was.
    """
    # Hidden, so that a listing of pictures passes over what a killed process left behind.
    temporary = path.with_name(f".{uuid4().hex[:16]}.partial")
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if os.name == "posix":
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
