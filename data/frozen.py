"""Frozen pairs: the folder that `palette degrade` made, or its pack, with how each came about.

``clean/`` and ``degraded/`` hold the pictures by the same names, ``records.jsonl`` a line for each.
A pack keeps both folders and the records in one file.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from palette.data.pairs import Pairs
from palette.data.selecting import Selection
from palette.data.sources import SizedSource
from palette.data.split import StoredSubset
from palette.errors import UserError
from palette.types import Params

CLEAN, DEGRADED, RECORDS = "clean", "degraded", "records.jsonl"
Records = Mapping[str, Params]
"""What was drawn for each picture, by its name below ``degraded/``."""


def frozen(source: SizedSource, path: Path) -> SizedSource | Pairs:
    """``source``, or the pairs that it holds where `palette degrade` made the folder ``path``.

    UserError for pictures without a record.
    """
    records = source.about.get(RECORDS)
    if records is None and not _is_frozen(path):
        return source
    known: Records = _records_of(path / RECORDS) if records is None else records
    inputs = _Below(source, DEGRADED)
    for name in inputs.ids:
        if name not in known:
            raise UserError(f"{path}: {RECORDS} says nothing of {name}; degrade the folder again")
    return Pairs(_Below(source, CLEAN), inputs, f"{path}/{CLEAN}", f"{path}/{DEGRADED}", known)


def notes_of(path: Path, selection: Selection) -> dict[str, Any]:
    """What a pack keeps of a folder beside its pictures: the records, where it is a frozen one.

    UserError for a ``selection`` that would cut or leave out one side of a pair.
    """
    if not _is_frozen(path):
        return {}
    if selection != Selection():
        raise UserError(
            f"{path} holds frozen pairs, which are packed whole: leave out --cut and what selects, "
            f"or pack {path / CLEAN} alone"
        )
    return {RECORDS: _records_of(path / RECORDS)}


class _Below(StoredSubset):
    """The pictures in one folder, by their names below it."""

    about: Mapping[str, Any] = {}

    def __init__(self, source: SizedSource, folder: str) -> None:
        places = [i for i, name in enumerate(source.ids) if name.startswith(f"{folder}/")]
        super().__init__(source, places)
        self._sized, self._places = source, places
        self.ids = [name.removeprefix(f"{folder}/") for name in self.ids]
        if not all("/" in name for name in self.ids):
            self.labels = None  # the name of the folder itself

    def size(self, index: int) -> tuple[int, int]:
        return self._sized.size(self._places[index])


def _is_frozen(path: Path) -> bool:
    return (path / RECORDS).is_file() and all((path / one).is_dir() for one in (CLEAN, DEGRADED))


def _records_of(path: Path) -> dict[str, Params]:
    records = {}
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                values = json.loads(line)
                records[values["output"]] = dict(values["params"])
            except (ValueError, LookupError, TypeError):
                raise UserError(
                    f"{path}, line {number}: not a record; degrade the folder again"
                ) from None
    return records
