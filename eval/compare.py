"""Restored pictures of any tool against their originals: pairs by name, the same report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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

Answers = str | Path | Sequence[str | Path] | Mapping[str, str | Path]
"""A folder of restored pictures, several of them, or several by the names that the report uses."""


@dataclass(frozen=True)
class Found:
    """Picture files by name: of each answer by its row, and of "reference", "given", "masks"."""

    answers: Mapping[str, Mapping[str, Path]]
    titles: Mapping[str, str]
    beside: Mapping[str, Mapping[str, Path]]

    @property
    def names(self) -> list[str]:
        return list(self.beside["reference"])


def compare(
    restored: Answers,
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

    Of several folders every one is a row, and the report says which differences are resolved.
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
    found = _found(_by_title(restored), {"reference": reference, "given": given, "masks": masks})
    if len(found.answers) > 1 and (fool.pairs is not None or fool.answers):
        raise UserError("a fool-rate study is of one folder: name one and its originals")
    *first, last = found.titles.values()
    title = f"{', '.join(first)} and {last}" if first else last
    manifest = {
        "kind": "compare",
        "title": measuring.title or f"{title} against {'their' if first else 'its'} originals",
        "protocol": None,
        "dataset": None,
        "answers": dict(found.titles),
        "names": found.names,
        "pictures": len(found.names),
        "files": {k: _fingerprint(p) for k, p in {**found.beside, **found.answers}.items()},
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in weights.items()},
        "versions": files.versions(),
    }
    workspace = files.claim(Path(out), manifest, statistics)
    with stopwatch(workspace, "read"):
        gallery = _gallery(workspace, found)
    measure(workspace, gallery, settings, weights, Shard())
    report = summarise(workspace, gallery, settings)
    if fool.answers:
        rate = read_answers(workspace.root / "fool-key.json", fool.answers)
        report = replace(report, fool_rate=rate)
    elif fool.pairs is not None:
        row = gallery.rows[-1]
        export_sheet(gallery, row, workspace.root, fool.pairs, fool.seconds, fool.seed)
    return write(workspace, gallery, report)


def _by_title(restored: Answers) -> dict[str, Path]:
    """The folders by the titles of their rows: as much of the path's end as tells them apart."""
    if isinstance(restored, str | Path):
        return {Path(restored).name: Path(restored)}
    if isinstance(restored, Mapping):
        return {title: Path(folder) for title, folder in restored.items()}
    folders = [Path(folder) for folder in restored]
    absolute, depth = [folder.absolute().parts for folder in folders], 1
    for place, folder in enumerate(folders):
        if absolute[place] in absolute[:place]:
            raise UserError(f"{folder} is named twice: name each folder once")
    while len({parts[-depth:] for parts in absolute}) < len(folders):
        depth += 1
    return {"/".join(p[-depth:]): folder for p, folder in zip(absolute, folders, strict=True)}


def _found(answers: Mapping[str, Path], beside: Mapping[str, str | Path | None]) -> Found:
    """The picture files of all folders; IntegrityError where their names differ."""
    if not answers:
        raise UserError("no folder of restored pictures: name one or more")
    there = {k: _named(Path(folder)) for k, folder in beside.items() if folder is not None}
    names = list(there["reference"])
    for key, pictures in there.items():
        _require_same_names(f"{beside[key]}", pictures, names)
    found: dict[str, Mapping[str, Path]] = {}
    titles: dict[str, str] = {}
    for title, folder in answers.items():
        key = "restored" if len(answers) == 1 else "restored-" + re.sub(r"[^\w.-]+", "-", title)
        if key in found:
            raise UserError(f"rows {titles[key]!r} and {title!r} are too alike: rename one of them")
        found[key], titles[key] = _named(folder), title
        _require_same_names(f"{folder}", found[key], names)
    return Found(found, titles, there)


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


def _read(workspace: Workspace, found: Found) -> None:
    """Check every picture once, and copy all as 8-bit sRGB PNG into the workspace.

    Every row is then read in one way, whatever format, orientation or profile its file has. A
    picture that cannot be used gets a line that says why.
    """
    names = found.names
    for path, block in files.unfinished(workspace, RECORDS, len(names), Shard(), "read"):
        lines = []
        for name in (names[index] for index in block):
            try:
                lines.append(_copy(workspace, found, name).as_json())
            except (UserError, IntegrityError) as error:
                lines.append(failure(name, error))
        workspace.settle()
        files.write_json(path, lines)


def _gallery(workspace: Workspace, found: Found) -> Gallery:
    _read(workspace, found)
    names = found.names
    records, failed = read_records(workspace, names, Shard())
    smaller = any(record.given_smaller for record in records.values())
    baseline = "bicubic" if smaller else "mean colour"
    rows = [("original", "originals", "reference")]
    if len(found.answers) == 1:
        rows += [("restored", "restored", "restored")]
    else:
        rows += [(key, title, key) for key, title in found.titles.items()]
    if "given" not in found.beside or smaller:
        rows.insert(0, ("baseline", baseline, "baseline"))
    if "given" in found.beside:
        rows.insert(0, ("input", "degraded input" + ("" if smaller else ", as it is"), "input"))
    return Gallery(
        planned=names,
        rows=[
            Row(key, label, workspace.pictures(folder, names), is_input=key == "input")
            for key, label, folder in rows
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names) if "given" in found.beside else None,
        masks=workspace.pictures("mask", names) if "masks" in found.beside else None,
        records=records,
        failed=failed,
    )


def _copy(workspace: Workspace, found: Found, name: str) -> Record:
    """One picture of every folder into the workspace; its record."""
    beside = {key: pictures[name] for key, pictures in found.beside.items()}
    reference = read(beside["reference"]).picture
    height, width = reference.shape[:2]
    for row, pictures in found.answers.items():
        restored = read(pictures[name]).picture
        if restored.shape != reference.shape:
            raise IntegrityError(
                f"{pictures[name]} has {restored.shape[1]}×{restored.shape[0]} pixels, its "
                f"original {width}×{height}: resize neither, find out why"
            )
        workspace.write_pixels(row, name, to_uint8(restored))
    mask = read_mask(beside["masks"], (height, width)) if "masks" in beside else None
    given = read(beside["given"]).picture if "given" in beside else None
    workspace.write_pixels("reference", name, to_uint8(reference))
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
