"""The page as it is served, in a thread of the tests."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from palette.web.limits import Limits


@contextmanager
def served(model: Path, limits: Limits | None = None) -> Iterator[str]:
    """Yield the address, at a free port; needs the extra."""
    from palette.api import load_tasks
    from palette.web.server import serving

    restorers = load_tasks(model)
    with serving("tiny", restorers, "127.0.0.1", 0, limits or Limits()) as (address, run, stop):
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield address
        finally:
            stop()
            thread.join(timeout=120)
            assert not thread.is_alive()
