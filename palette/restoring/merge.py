"""Join what the shards of one restoring made: the very files that one run would have written."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from palette.errors import IntegrityError, some
from palette.files import sha256, write_bytes
from palette.parts import Whole, bring, clear, new_folder
from palette.restoring.manifest import LINES, SETTINGS


def merge(parts: Whole, folders: Sequence[Path], out: Path) -> None:
    """Bring the outputs of all ``parts`` into ``out`` and write one manifest for them.

    ``out`` is a new folder, or the only one of the ``folders``, which all shards shared.
    IntegrityError where an output is missing or is not as it was written.
    """
    lines = _lines(parts)
    if [out] != [*folders]:
        new_folder(out)
        for name, folder in parts.made():
            bring(folder / name, out / name)
        bring(parts.folders[0] / SETTINGS, out / SETTINGS)
    text = "".join(json.dumps(line) + "\n" for line in lines)
    write_bytes(out / f"{LINES}.jsonl", text.encode("ascii"))
    clear(out, f"{LINES}-*-of-*.jsonl")


def _lines(parts: Whole) -> list[dict[str, Any]]:
    """One of each input, in their order."""
    known = {folder: _known(folder) for folder in {*parts.folders}}
    lines, wrong = [], []
    for number, name in enumerate(parts.names):
        folder = parts.folder_of(number)
        found = [line for line in known[folder].get(name, []) if _is_true(line, folder, parts)]
        if found:
            lines.append(found[-1])
        else:
            wrong.append(str(folder / name))
    if wrong:
        raise IntegrityError(
            f"{some(wrong)}: missing, or not as it was written: give the commands of all shards "
            f"again"
        )
    return lines


def _known(folder: Path) -> dict[str, list[dict[str, Any]]]:
    known: dict[str, list[dict[str, Any]]] = {}
    for line in _read(folder):
        known.setdefault(line["target"], []).append(line)
    return known


def _read(folder: Path) -> Iterator[dict[str, Any]]:
    for path in sorted(folder.glob(f"{LINES}*.jsonl")):
        for line in path.read_bytes().splitlines():
            try:
                found = json.loads(line)
                if {"target", "source"} <= found.keys():
                    yield found
            except (ValueError, AttributeError):
                continue  # cut off: its output was restored again, or is named as missing


def _is_true(line: dict[str, Any], folder: Path, parts: Whole) -> bool:
    """Whether it says what became of its input in the end."""
    failed = parts.failed.get(line["target"])
    if failed is not None:
        return line.get("error") == failed
    path = folder / line["target"]
    return "output" in line and path.is_file() and sha256(path) == line["output"]
