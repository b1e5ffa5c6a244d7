"""Files of the page, by names that nobody can guess: what is not in this list is not served."""

from __future__ import annotations

import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from palette.errors import UserError

LONGEST = 100
"""Letters of a file's name that are kept."""


@dataclass(frozen=True)
class Held:
    """One file. ``name`` is what a user calls it and never a part of ``path``."""

    key: str
    path: Path
    name: str
    type: str
    size: int


class Store:
    """Files in ``folder``, at most ``most`` bytes: beyond, those longest unused are deleted."""

    def __init__(self, folder: Path, most: int) -> None:
        self._folder, self._most = folder, most
        self._held: OrderedDict[str, Held] = OrderedDict()
        self._lock = threading.Lock()

    def make(self, name: str, type: str, write: Callable[[Path], object]) -> Held:
        """Keep the file that ``write`` makes at the path that it is given, if it makes it whole.

        The path ends in the suffix of ``name`` where that is one of a picture's.
        """
        key = secrets.token_urlsafe(16)
        path = self._folder / (key + _suffix(name))
        try:
            write(path)
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        held = Held(key, path, name, type, path.stat().st_size)
        with self._lock:
            self._held[key] = held
            self._forget_the_oldest()
        return held

    def add(self, name: str, type: str, data: bytes) -> Held:
        """Keep ``data``."""
        return self.make(name, type, lambda path: path.write_bytes(data))

    def get(self, key: str) -> Held:
        """UserError where there is none of that key, or not any more."""
        with self._lock:
            if key not in self._held:
                raise UserError(
                    "this file is not here any more: the page keeps the newest, add it again"
                )
            self._held.move_to_end(key)
            return self._held[key]

    def remove(self, key: str) -> None:
        """Delete a file, if it is there."""
        with self._lock:
            held = self._held.pop(key, None)
        if held is not None:
            _delete(held.path)

    def _forget_the_oldest(self) -> None:
        while sum(held.size for held in self._held.values()) > self._most and len(self._held) > 1:
            _, held = self._held.popitem(last=False)
            _delete(held.path)


def _delete(path: Path) -> None:
    """Windows refuses it while a file is sent; such a file goes with its folder, at the end."""
    with suppress(PermissionError):
        path.unlink(missing_ok=True)


def _suffix(name: str) -> str:
    """Plain letters alone, so that a name cannot lead anywhere."""
    suffix = Path(name).suffix.lower()
    return suffix if suffix[1:].isascii() and suffix[1:].isalnum() and len(suffix) < 6 else ""


def tidy(name: str) -> str:
    """A name as it may stand on the page, in a header and in an archive: no folders, no control
    characters, nothing hidden."""
    last = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(letter for letter in last if letter.isprintable()).strip(" .")
    stem, dot, suffix = plain.rpartition(".")
    return (stem[: LONGEST - 6] + dot + suffix[:5] if dot else plain[:LONGEST]) or "picture"


def each_once(names: list[str]) -> list[str]:
    """The names with "-2", "-3" before the suffix of those that were there, in any case."""
    seen: set[str] = set()
    found = []
    for name in names:
        path, new, count = Path(name), name, 1
        while new.lower() in seen:
            count += 1
            new = f"{path.stem}-{count}{path.suffix}"
        seen.add(new.lower())
        found.append(new)
    return found
