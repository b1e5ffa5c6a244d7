"""What a folder of restored pictures was made of: lines that are only ever appended.

The line of an output is written before the output itself, so that a process that is killed at any
moment leaves no output without a line. An output is known by its digest. One that was written by
us and is still as we wrote it may be replaced; anything else is a user's, and stays.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, NamedTuple, Self

from palette.config import differing
from palette.errors import IntegrityError, UserError
from palette.files import read_object, sha256, visible, write_json
from palette.shard import Shard

SETTINGS = ".palette-settings.json"
LINES = "palette-restored"
"""Begin of the names: palette-restored.jsonl, palette-restored-0-of-4.jsonl of a shard."""


_LONGEST = 2**16
"""Bytes of a line: two paths and what they are made of."""


@dataclass(frozen=True)
class Made:
    """One output. The digests are SHA-256 of files."""

    target: str
    """Below the folder of outputs."""
    source: str
    """The absolute path of the input."""
    input: str
    """Its digest."""
    mask: str | None
    """The digest of the mask's file, where there was one."""
    settings: str
    """The digest of model, sampling and all else that decides the pixels."""
    output: str = ""
    """The digest of what was written."""


class _Known(NamedTuple):
    made_of: tuple[str, str | None, str]
    source: str
    output: str


class Lines:
    """The lines in ``out``, of all shards."""

    def __init__(self, out: Path) -> None:
        self._out = out
        self._known: dict[str, list[_Known]] = {}
        self._failed: set[tuple[str, str]] = set()
        for path in sorted(out.glob(f"{LINES}*.jsonl")):
            self._read(path)

    def complete(self, targets: Iterable[str]) -> bool:
        """Whether each has a line and a file. No file is read."""
        return all(one in self._known and (self._out / one).is_file() for one in targets)

    def has(self, wanted: Made) -> bool:
        """Whether the output that is asked for is there."""
        known, path = self._known.get(wanted.target, ()), self._out / wanted.target
        outputs = {one.output for one in known if one.made_of == _made_of(wanted)}
        return bool(outputs) and path.is_file() and sha256(path) in outputs

    def _read(self, path: Path) -> None:
        with path.open("rb") as file:
            for line in file:
                try:
                    found = json.loads(line)
                    if "error" in found:
                        self._failed.add((found["target"], found["error"]))
                    else:
                        self._remember(Made(**found))
                except (ValueError, TypeError, KeyError, RecursionError):
                    continue  # cut off: what it was to note counts as unknown and is not touched

    def _remember(self, made: Made) -> None:
        self._known.setdefault(made.target, []).append(_known(made))


class Manifest(Lines):
    """To which lines are appended, those of a ``shard`` to a file of its own."""

    def __init__(self, out: Path, shard: Shard) -> None:
        super().__init__(out)
        self._file = (out / f"{LINES}{shard.suffix}.jsonl").open("a+b", buffering=0)
        self._drop_half_a_line()

    def holds(self, wanted: Made, overwrite: bool) -> bool:
        """Whether the output that is asked for is there.

        UserError where something else has its name, unless it was made of the same path, or with
        ``overwrite``. Another mask or an edited input, then, replace what was made before.
        """
        path = self._out / wanted.target
        try:
            os.lstat(path)  # a name that is too long is said now, and not after the work
        except FileNotFoundError:
            return False
        if not path.is_file():
            what = "a folder" if path.is_dir() else "no file"
            raise UserError(f"{path} is {what}: rename it, or choose another output folder")
        known, present = self._known.get(wanted.target, []), sha256(path)
        ours = [one for one in known if one.output == present]
        if any(one.made_of == _made_of(wanted) for one in ours):
            return True
        if overwrite or any(one.source == wanted.source for one in ours):
            return False
        if ours:
            raise UserError(
                f"{path} was restored from {ours[-1].source} and not from {wanted.source}: choose "
                f"another output folder, or replace it by --overwrite"
            )
        what = "is not as it was written" if known else "was there before"
        raise UserError(
            f"{path} {what} ({path.stat().st_size} bytes): move it away, or replace it by "
            f"--overwrite"
        )

    def add(self, made: Made) -> None:
        """Note an output that is about to be written. OSError where there is no room."""
        if _known(made) not in self._known.get(made.target, ()):
            self._append(asdict(made))
            self._remember(made)

    def add_failure(self, target: str, source: Path, error: str) -> None:
        """Note that an input could not be restored, once for each reason; nothing if it cannot."""
        if (target, error) in self._failed:
            return
        self._failed.add((target, error))
        with suppress(OSError):  # it is said on the screen too, and tried again in any case
            self._append({"target": target, "source": os.path.abspath(source), "error": error})

    def _append(self, line: Mapping[str, Any]) -> None:
        data = (json.dumps(line) + "\n").encode("ascii")
        before = self._file.seek(0, os.SEEK_END)
        if self._file.write(data) != len(data):
            self._file.truncate(before)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self._file.name))

    def _drop_half_a_line(self) -> None:
        """Cut off what a process that was killed had begun to append."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(0, size - _LONGEST))
        end = self._file.read(_LONGEST).rfind(b"\n") + 1
        self._file.truncate(max(0, size - _LONGEST) + end)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        os.fsync(self._file.fileno())
        self._file.close()


def _made_of(made: Made) -> tuple[str, str | None, str]:
    return made.input, made.mask, made.settings


def _known(made: Made) -> _Known:
    return _Known(_made_of(made), made.source, made.output)


def claim(out: Path, settings: Mapping[str, Any], overwrite: bool, shared: bool) -> str:
    """Make the folder ``out`` one of these settings, and return their digest.

    UserError where it is one of others, unless with ``overwrite``, and where it holds things that
    are none of ours, unless it may be ``shared`` with them.
    """
    path = out / SETTINGS
    before, now = _read_settings(path), json.loads(json.dumps(settings))
    if before is None and not shared and any(visible(out)):
        raise UserError(f"{out} is not empty: choose a new folder, nothing is overwritten")
    if before is not None and before != now and not overwrite:
        raise UserError(
            f"{out} holds pictures of other settings ({_differences(before, now)}): choose another "
            f"folder, or replace them by --overwrite"
        )
    if before != now:
        write_json(path, now)
    return _digest(now)


def claimed(out: Path) -> str | None:
    """The digest of the settings that the folder ``out`` is of; None where it is of none."""
    settings = _read_settings(out / SETTINGS)
    return None if settings is None else _digest(settings)


def _digest(settings: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def _read_settings(path: Path) -> dict[str, Any] | None:
    try:
        return read_object(path) if path.exists() else None
    except IntegrityError as error:
        raise IntegrityError(f"{error}: delete it, or choose another folder") from None


def _differences(before: Mapping[str, Any], now: Mapping[str, Any]) -> str:
    """ "seed was 0 and is 1; sampling.steps was 8 and is 4"."""
    found = differing(before, now).items()
    return "; ".join(f"{name} was {one} and is {other}" for name, (one, other) in found)
