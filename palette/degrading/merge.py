"""Join what the shards of one degrading made: the very files that one run would have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

from palette.errors import IntegrityError, some
from palette.files import replacing
from palette.parts import Whole, bring, clear, new_folder
from palette.shard import Shard

FOLDERS = ("clean", "mask", "degraded")


def merge(parts: Whole, folders: Sequence[Path], out: Path) -> None:
    """Bring the pictures of all ``parts`` into ``out`` and write the records of them all.

    ``out`` is a new folder, or the only one of the ``folders``, which all shards shared.
    IntegrityError where a picture or its record is missing.
    """
    missing = [
        str(path)
        for name, folder in parts.made()
        for path in (folder / "clean" / name, folder / "degraded" / name)
        if not path.is_file()
    ]
    if missing:
        raise IntegrityError(f"{some(missing)}: missing; give the commands of all shards again")
    lines = list(_lines(parts))
    if [out] != [*folders]:
        new_folder(out)
        for name, folder in parts.made():
            for kind in FOLDERS:
                if (folder / kind / name).is_file():
                    bring(folder / kind / name, out / kind / name)
    with replacing(out / "records.jsonl") as path, path.open("wb") as file:
        file.writelines(lines)
    clear(out, "records-*-of-*.jsonl")


def _lines(parts: Whole) -> Iterator[bytes]:
    """The records in the order of the whole; those of a part are in that order too."""
    of = len(parts.folders)
    files = [
        (folder / f"records{Shard(index, of).suffix}.jsonl").open("rb")
        for index, folder in enumerate(parts.folders)
    ]
    try:
        for number, name in enumerate(parts.names):
            if name in parts.failed:
                continue
            line = files[number % of].readline()
            if not line or json.loads(line)["output"] != name:
                path = files[number % of].name
                raise IntegrityError(f"{path} has no record of {name}: give its command again")
            yield line
    finally:
        for file in files:
            file.close()
