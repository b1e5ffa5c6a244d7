"""Files and folders that are complete or absent, and folders that one process owns."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from uuid import uuid4

from palette.errors import IntegrityError, InUse


@contextmanager
def replacing(path: Path, by: Path | None = None, flush_name: bool = True) -> Iterator[Path]:
    """Yield a temporary path beside ``path``; what the block wrote there takes the name at its end.

    The bytes reach the disk before the name does (fsync, rename, fsync of the folder). Where the
    block raises, the temporary file is removed and an older ``path`` stays as it was. ``by`` is
    another temporary path, on the same disk. Without ``flush_name`` a power failure may lose the
    new file, but leaves no half of it.
    """
    # Hidden, so that a listing of pictures passes over what a killed process left behind.
    temporary = by or path.with_name(f".{uuid4().hex[:16]}.partial")
    try:
        yield temporary
        with open(temporary, "r+b") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    if flush_name:
        _flush_folder(path.parent)


def write_bytes(path: Path, data: bytes, flush_name: bool = True) -> None:
    """Write a file; see :func:`replacing`."""
    with replacing(path, flush_name=flush_name) as temporary:
        temporary.write_bytes(data)


def write_json(path: Path, value: Any) -> None:
    """Write plain values; NaN and infinity are refused, as JSON has none."""
    write_bytes(path, as_json(value))


def as_json(value: Any) -> bytes:
    """The content of such a file."""
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object that :func:`write_json` wrote. IntegrityError where the file holds none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, RecursionError) as error:
        raise IntegrityError(f"{path} is damaged: {error}") from None
    if not isinstance(value, dict):
        raise IntegrityError(f"{path} is damaged: it holds no object but {str(value)[:40]!r}")
    return value


@contextmanager
def understood(path: Path) -> Iterator[None]:
    """Where the block cannot use what ``path``, a file of ours, says: IntegrityError names it."""
    try:
        yield
    except (LookupError, TypeError, AttributeError, ValueError, ArithmeticError) as error:
        what = f"{error} is missing" if isinstance(error, KeyError) else str(error)
        raise IntegrityError(f"{path} is damaged: {' '.join(what.split())}") from None


def digest(value: Any) -> str:
    """SHA-256 of a plain JSON value, the same on every machine."""
    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sha256(path: Path) -> str:
    """64 hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextmanager
def complete_folder(target: Path) -> Iterator[Path]:
    """Yield a temporary folder beside ``target`` that becomes ``target`` only if all went well."""
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir(parents=True)
    try:
        yield temporary
        for path in temporary.iterdir():
            with path.open("r+b") as file:  # Windows flushes no file that is only read
                os.fsync(file.fileno())
        _replace_folder(temporary, target)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _replace_folder(new: Path, target: Path) -> None:
    old = target.with_name(f".{target.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if target.exists():
        target.rename(old)
    new.rename(target)
    shutil.rmtree(old, ignore_errors=True)
    _flush_folder(target.parent)


def _flush_folder(folder: Path) -> None:
    with suppress(OSError):  # not every file system lets a folder be flushed
        descriptor = os.open(folder, os.O_RDONLY)
        os.fsync(descriptor)
        os.close(descriptor)


def visible(folder: Path) -> Iterator[Path]:
    """What lies in ``folder``, without what a killed process or a lock left there."""
    return (path for path in folder.iterdir() if not path.name.startswith("."))


@contextmanager
def lock(folder: Path, part: str = "") -> Iterator[None]:
    """Own ``folder``, or a ``part`` of it; InUse names host and process of another owner.

    The system holds the lock and lets go of it when the process ends, however that happens and
    whatever number a process has in its container.
    """
    from filelock import FileLock, Timeout

    who = folder / f".owner{part}.json"
    held = FileLock(folder / f".lock{part}")
    try:
        held.acquire(blocking=False)
    except Timeout:
        owner = _owner(who)
        raise InUse(f"{folder} is in use by {owner}: wait for it, or choose another") from None
    try:
        write_json(who, {"host": socket.gethostname(), "process": os.getpid()})
        yield
    finally:
        who.unlink(missing_ok=True)
        held.release()


def _owner(path: Path) -> str:
    try:
        owner = json.loads(path.read_text(encoding="utf-8"))
        return f"process {owner['process']} on {owner['host']}"
    except (OSError, ValueError, LookupError, TypeError):  # it has just begun, or just ended
        return "another process"
