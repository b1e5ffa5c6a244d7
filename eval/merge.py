"""Join the folders of an evaluation's shards into the report that one run would have made."""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.evaluate import finish
from palette.eval.report.result import Report
from palette.eval.workspace import RECORDS, Workspace


def merge(shards: Sequence[str | Path], out: str | Path) -> Report:
    """Link or copy what ``shards`` hold into the new folder ``out``, and write its report.

    IntegrityError where a shard is of another evaluation, or a part of the work is missing.
    """
    roots = [Path(shard) for shard in shards]
    if len(roots) < 2:
        raise UserError(f"{len(roots)} folders to merge: name two or more")
    manifests = [_manifest(root) for root in roots]
    for root, manifest in zip(roots, manifests, strict=True):
        differing = sorted(k for k in manifest if manifest[k] != manifests[0].get(k))
        if differing:
            raise IntegrityError(
                f"{root} differs from {roots[0]} in {', '.join(differing)}: "
                "only shards of one evaluation can be merged"
            )
    count = len(manifests[0]["names"])
    missing = [
        number
        for number, _ in files.blocks_of(count)
        if not any(Workspace(root).state(RECORDS.format(number)).exists() for root in roots)
    ]
    if missing:
        raise IntegrityError(
            f"blocks {', '.join(map(str, missing[:8]))}{' …' if len(missing) > 8 else ''} of "
            f"{-(-count // files.BLOCK)} are in none of the folders: run the missing shards first"
        )
    target = Path(out)
    if target.exists() and any(target.iterdir()):
        raise UserError(f"{target} is not empty: choose a new folder")
    for root in roots:
        _gather(root, target)
    return finish(Workspace(target))


def _manifest(root: Path) -> dict[str, Any]:
    path = root / "manifest.json"
    if not path.is_file():
        raise UserError(f"{root} holds no evaluation: name folders of `palette evaluate --shard`")
    return files.read_json(path)


def _gather(root: Path, target: Path) -> None:
    """Hard links where the file system has them, copies where not; times are added up."""
    for path in sorted(root.rglob("*")):
        place = target / path.relative_to(root)
        if not path.is_file() or path.name.startswith("."):
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.name == "times.json" and place.exists():
            mine, theirs = files.read_json(place), files.read_json(path)
            place.unlink()
            total = {k: mine.get(k, 0) + theirs.get(k, 0) for k in {**mine, **theirs}}
            files.write_json(place, total)
        elif not place.exists():
            _link(path, place)


def _link(path: Path, place: Path) -> None:
    try:
        os.link(path, place)
    except OSError:
        shutil.copy2(path, place)
