"""What a shard leaves beside its outputs when it has come to its end, and how all of them join.

Each says what the whole work was and which part of it is here. So joining needs the folders alone,
and nothing can be missing, twice, or of another work without being noticed.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path

from palette.errors import IntegrityError, UserError, some
from palette.files import digest, read_object, understood, write_json
from palette.shard import Shard

NAME = "palette-part"


@dataclass(frozen=True)
class Part:
    """One shard that is done."""

    kind: str
    """The command: restore, degrade, pack."""
    settings: str
    """A digest of all that decides the outputs beside the inputs."""
    index: int
    of: int
    count: int
    """Of the names of the whole work."""
    whole: str
    """A digest of these."""
    names: list[str]
    """Of the outputs of this part, in order."""
    failed: dict[str, str] = field(default_factory=dict)
    """Those of them that could not be made, each with the reason."""

    @property
    def shard(self) -> Shard:
        return Shard(self.index, self.of)


@contextmanager
def part(
    folder: Path, kind: str, settings: str, names: Sequence[str], shard: Shard
) -> Iterator[dict[str, str]]:
    """Write ``folder``'s part of the work ``names`` at the end of the block, where it is a shard.

    The block fills in what failed.
    """
    path, failed = file_of(folder, shard), dict[str, str]()
    path.unlink(missing_ok=True)
    yield failed
    if shard.of > 1:
        own = shard.part(names)
        done = Part(kind, settings, shard.index, shard.of, len(names), digest(names), own, failed)
        write_json(path, asdict(done))


def file_of(folder: Path, shard: Shard) -> Path:
    return folder / f"{NAME}{shard.suffix}.json"


@dataclass(frozen=True)
class Whole:
    """All parts of one work."""

    kind: str
    names: list[str]
    """Of all outputs, in order."""
    folders: list[Path]
    """That of each part, by its index."""
    failed: Mapping[str, str]

    def folder_of(self, number: int) -> Path:
        """Where output ``number`` of the whole lies."""
        return self.folders[number % len(self.folders)]

    def made(self) -> Iterator[tuple[str, Path]]:
        """The names that did not fail, in order, each with the folder that it is in."""
        for number, name in enumerate(self.names):
            if name not in self.failed:
                yield name, self.folder_of(number)


def kind_of(folders: Sequence[Path]) -> str | None:
    """Of which command the folders hold parts; None where they hold none."""
    found = [found for folder in folders for found in _parts_in(folder)]
    return found[0][1].kind if found else None


def whole(folders: Sequence[Path]) -> Whole:
    """IntegrityError where parts are missing, twice, or belong to different works."""
    found: dict[int, tuple[Path, Part]] = {}
    for folder in folders:
        parts = list(_parts_in(folder))
        if not parts:
            raise IntegrityError(
                f"{folder} holds no part that is done: give its command with --shard again"
            )
        for path, one in parts:
            first = next(iter(found.values()), (path, one))
            _require_same(path, one, *first)
            if one.index in found:
                raise IntegrityError(
                    f"{path} and {found[one.index][0]} are both shard {one.index}/{one.of}: name "
                    f"each once"
                )
            found[one.index] = path, one
    return _joined(found)


def _joined(found: Mapping[int, tuple[Path, Part]]) -> Whole:
    _, one = next(iter(found.values()))
    missing = [f"{index}/{one.of}" for index in range(one.of) if index not in found]
    if missing:
        raise IntegrityError(
            f"shard {some(missing)} is in none of the folders or not done: give its command again"
        )
    ordered = [found[index] for index in range(one.of)]
    names = [
        ordered[number % one.of][1].names[number // one.of]
        for number in range(one.count)
        if number // one.of < len(ordered[number % one.of][1].names)
    ]
    if digest(names) != one.whole:
        raise IntegrityError(f"{ordered[0][0]} is damaged: give the commands of all shards again")
    failed = {name: why for _, each in ordered for name, why in each.failed.items()}
    return Whole(one.kind, names, [path.parent for path, _ in ordered], failed)


def _require_same(path: Path, one: Part, first_path: Path, first: Part) -> None:
    what = {
        "kind": "command",
        "settings": "settings",
        "of": "number of shards",
        "whole": "inputs",
    }
    other = [word for name, word in what.items() if getattr(one, name) != getattr(first, name)]
    if other:
        raise IntegrityError(
            f"{path} has other {' and '.join(other)} than {first_path}: only shards of one work "
            f"can be merged"
        )


def _parts_in(folder: Path) -> Iterator[tuple[Path, Part]]:
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: name the outputs of all shards")
    for path in sorted(folder.glob(f"{NAME}-*-of-*.json")):
        with understood(path):
            yield path, Part(**read_object(path))


def new_folder(path: Path) -> None:
    """UserError where ``path`` holds anything."""
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UserError(f"{path} is not empty: choose a new folder")
    path.mkdir(parents=True, exist_ok=True)


def clear(folder: Path, pattern: str) -> None:
    """Remove what only the parts needed, once the whole is there."""
    for name in (pattern, f"{NAME}-*-of-*.json"):
        for path in folder.glob(name):
            path.unlink()


def bring(path: Path, place: Path) -> None:
    """``path`` at ``place`` too: a hard link where the file system has them, else a copy."""
    place.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(path, place)
    except OSError:
        shutil.copy2(path, place)
