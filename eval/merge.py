"""Join the folders of an evaluation's shards into the report that one run would have made."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.evaluate import finish
from palette.eval.report.files import write_overview
from palette.eval.report.overview import Overview
from palette.eval.report.result import Report
from palette.eval.several import KIND
from palette.eval.workspace import RECORDS, Workspace
from palette.parts import bring, new_folder


def merge(shards: Sequence[str | Path], out: str | Path) -> Report | Overview:
    """Link or copy what ``shards`` hold into the new folder ``out``, and write its report.

    ``out`` may be the only one of the ``shards``, a folder that all of them shared. Of a model at
    several tasks every task is joined, and then the report of all.

    IntegrityError where a shard is of another evaluation, or a part of the work is missing.
    """
    roots, target = [Path(shard) for shard in shards], Path(out)
    manifest = _common_manifest(roots)
    several = manifest["kind"] == KIND
    tasks = manifest["tasks"] if several else ["."]
    for task in tasks:
        _require_all_blocks([root / task for root in roots])
    if [target] != roots:
        new_folder(target)
        for root in roots:
            _gather(root, target)
    reports = {task: finish(Workspace(target / task)) for task in tasks}
    return write_overview(Overview(target, manifest["title"], reports)) if several else reports["."]


def _common_manifest(roots: Sequence[Path]) -> dict[str, Any]:
    """That of all ``roots``; IntegrityError where they differ."""
    manifests = [_manifest(root) for root in roots]
    for root, manifest in zip(roots, manifests, strict=True):
        differing = sorted(k for k in manifest if manifest[k] != manifests[0].get(k))
        if differing:
            raise IntegrityError(
                f"{root} differs from {roots[0]} in {', '.join(differing)}: "
                "only shards of one evaluation can be merged"
            )
    return manifests[0]


def _require_all_blocks(roots: Sequence[Path]) -> None:
    """IntegrityError names the blocks of an evaluation that no shard has done."""
    count = len(_common_manifest(roots)["names"])
    missing = [
        number
        for number, _ in files.blocks_of(count)
        if not any(Workspace(root).state(RECORDS.format(number)).exists() for root in roots)
    ]
    if missing:
        raise IntegrityError(
            f"blocks {', '.join(map(str, missing[:8]))}{' …' if len(missing) > 8 else ''} of "
            f"{-(-count // files.BLOCK)} are in none of the folders {', '.join(map(str, roots))}: "
            f"run the missing shards first"
        )


def _manifest(root: Path) -> dict[str, Any]:
    path = root / "manifest.json"
    if not path.is_file():
        raise UserError(f"{root} holds no evaluation: name folders of `palette evaluate --shard`")
    return files.read_json(path)


def _gather(root: Path, target: Path) -> None:
    for path in sorted(root.rglob("*")):
        place = target / path.relative_to(root)
        if path.is_file() and not path.name.startswith(".") and not place.exists():
            bring(path, place)
