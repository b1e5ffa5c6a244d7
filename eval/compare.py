"""Restored pictures of any tool against their originals: pairs by name, the same report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from palette.data.images import list_pictures, read, read_mask
from palette.degradations.resize import resize
from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.gallery import Gallery, Record, Row, failure, read_records
from palette.eval.measure import measure
from palette.eval.metrics.pixels import to_uint8
from palette.eval.metrics.registry import Trained
from palette.eval.report.files import write
from palette.eval.report.fool_rate import export_sheet, read_answers
from palette.eval.report.result import Report
from palette.eval.report.summary import summarise
from palette.eval.request import FoolStudy, Measuring
from palette.eval.settings import Settings, weights_for
from palette.eval.workspace import RECORDS, Workspace, stopwatch
from palette.shard import Shard
from palette.types import Picture

Found = Mapping[str, Mapping[str, Path]]
"""Folder ("reference", "restored", "given", "masks") → name → picture file."""


def compare(
    restored: str | Path,
    reference: str | Path,
    out: str | Path,
    measuring: Measuring | None = None,
    *,
    given: str | Path | None = None,
    masks: str | Path | None = None,
    statistics: Path | None = None,
    fool: FoolStudy | None = None,
) -> Report:
    """Measure the pictures in ``restored`` against those of the same names in ``reference``.

    ``given`` adds the rows of the degraded input and of its bicubic enlargement; without it the
    baseline is the original's mean colour, which any restoration must beat. ``statistics`` is an
    ``.npz`` for FID; ``fool`` exports a fool-rate sheet or reads its answers. IntegrityError
    names missing, extra and duplicate pictures.
    """
    measuring, fool = measuring or Measuring(), fool or FoolStudy()
    settings = Settings.of(measuring)
    if trained := list(settings.computed(Trained)):
        raise UserError(f"{trained[0]} measures a model: use `palette evaluate`, or leave it out")
    weights = weights_for(settings, measuring.weights)
    folders = {"reference": reference, "restored": restored, "given": given, "masks": masks}
    found = {k: _named(Path(folder)) for k, folder in folders.items() if folder is not None}
    names = list(found["reference"])
    for key, pictures in found.items():
        _require_same_names(f"{folders[key]}", pictures, names)
    manifest = {
        "kind": "compare",
        "title": measuring.title or f"{Path(restored).name} against its originals",
        "protocol": None,
        "dataset": None,
        "names": names,
        "pictures": len(names),
        "files": {key: _fingerprint(pictures) for key, pictures in found.items()},
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in weights.items()},
        "versions": files.versions(),
    }
    workspace = files.claim(Path(out), manifest, statistics)
    with stopwatch(workspace, "read"):
        gallery = _gallery(workspace, found, names)
    measure(workspace, gallery, settings, weights, Shard())
    report = summarise(workspace, gallery, settings)
    if fool.answers:
        rate = read_answers(workspace.root / "fool-key.json", fool.answers)
        report = replace(report, fool_rate=rate)
    elif fool.pairs is not None:
        row = gallery.rows[-1]
        export_sheet(gallery, row, workspace.root, fool.pairs, fool.seconds, fool.seed)
    return write(workspace, gallery, report)


def _named(folder: Path) -> dict[str, Path]:
    """Pictures by name, which is the path below ``folder`` without its suffix."""
    if not folder.is_dir():
        raise UserError(f"there is no folder {folder}: check the path")
    paths = list_pictures(folder)
    if not paths:
        raise UserError(f"{folder} holds no pictures")
    found: dict[str, Path] = {}
    for path in paths:
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in found:
            raise IntegrityError(
                f"{found[name]} and {path} share the name {name!r}: keep one of them"
            )
        found[name] = path
    return dict(sorted(found.items()))


def _require_same_names(folder: str, pictures: Mapping[str, Path], names: Sequence[str]) -> None:
    known = set(names)
    missing = [name for name in names if name not in pictures]
    extra = [name for name in pictures if name not in known]
    for those, fault in ((missing, "lacks"), (extra, "has, unlike the reference,")):
        if those:
            listed = ", ".join(those[:5]) + (f" and {len(those) - 5} more" if those[5:] else "")
            raise IntegrityError(f"{folder} {fault} {listed}: pictures are paired by their names")


def _fingerprint(pictures: Mapping[str, Path]) -> str:
    """Names, sizes and times of the files: enough to notice that they changed."""
    status = {name: path.stat() for name, path in pictures.items()}
    return files.digest({name: [s.st_size, s.st_mtime_ns] for name, s in status.items()})


def _read(workspace: Workspace, found: Found, names: Sequence[str]) -> None:
    """Check every picture once, and copy all as 8-bit sRGB PNG into the workspace.

    Every row is then read in one way, whatever format, orientation or profile its file has. A
    picture that cannot be used gets a line that says why.
    """
    for path, block in files.unfinished(workspace, RECORDS, len(names), Shard(), "read"):
        lines = []
        for name in (names[index] for index in block):
            try:
                lines.append(_copy(workspace, found, name).as_json())
            except (UserError, IntegrityError) as error:
                lines.append(failure(name, error))
        workspace.settle()
        files.write_json(path, lines)


def _gallery(workspace: Workspace, found: Found, names: Sequence[str]) -> Gallery:
    _read(workspace, found, names)
    records, failed = read_records(workspace, names, Shard())
    smaller = any(record.given_smaller for record in records.values())
    baseline = "bicubic" if smaller else "mean colour"
    rows = [("original", "originals", "reference"), ("restored", "restored", "restored")]
    if "given" not in found or smaller:
        rows.insert(0, ("baseline", baseline, "baseline"))
    if "given" in found:
        rows.insert(0, ("input", "degraded input" + ("" if smaller else ", as it is"), "input"))
    return Gallery(
        planned=names,
        rows=[
            Row(key, label, workspace.pictures(folder, names), is_input=key == "input")
            for key, label, folder in rows
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names) if "given" in found else None,
        masks=workspace.pictures("mask", names) if "masks" in found else None,
        records=records,
        failed=failed,
    )


def _copy(workspace: Workspace, found: Found, name: str) -> Record:
    """One picture of every folder into the workspace; its record."""
    reference = read(found["reference"][name]).picture
    height, width = reference.shape[:2]
    restored = read(found["restored"][name]).picture
    if restored.shape != reference.shape:
        raise IntegrityError(
            f"{found['restored'][name]} has {restored.shape[1]}×{restored.shape[0]} pixels, its "
            f"original {width}×{height}: resize neither, find out why"
        )
    mask = read_mask(found["masks"][name], (height, width)) if "masks" in found else None
    given = read(found["given"][name]).picture if "given" in found else None
    workspace.write_pixels("reference", name, to_uint8(reference))
    workspace.write_pixels("restored", name, to_uint8(restored))
    if mask is not None:
        workspace.write_pixels("mask", name, mask.astype(np.uint8) * 255)
    if given is not None:
        workspace.write_pixels("input", name, to_uint8(given))
    workspace.write_pixels("baseline", name, to_uint8(_baseline(reference, given)))
    label = Path(name).parent.name or None
    smaller = given is not None and given.shape[:2] != (height, width)
    missing = None if mask is None else float(mask.mean())
    return Record(name, height, width, label, missing, {}, smaller)


def _baseline(reference: Picture, given: Picture | None) -> Picture:
    """The input at the size of its original, or without one the original's mean colour."""
    height, width = reference.shape[:2]
    if given is None:
        return np.broadcast_to(reference.mean(axis=(0, 1)), reference.shape)
    return given if given.shape == reference.shape else resize(given, height, width, "cubic_aa")
