"""Restored pictures of any tool against their originals: pairs by name, the same report."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from palette.data.images import list_pictures
from palette.errors import IntegrityError, UserError, some
from palette.eval import workspace as files
from palette.eval.copies import Found, copied
from palette.eval.measure import measure
from palette.eval.metrics.registry import Trained
from palette.eval.protocol import Protocol
from palette.eval.protocols import find_protocol
from palette.eval.report.files import write
from palette.eval.report.fool_rate import export_sheet, read_answers
from palette.eval.report.result import Report
from palette.eval.report.summary import summarise
from palette.eval.request import FoolStudy, Measuring
from palette.eval.settings import Settings, weights_for
from palette.eval.workspace import stopwatch
from palette.files import digest
from palette.shard import Shard

Answers = str | Path | Sequence[str | Path] | Mapping[str, str | Path]
"""A folder of restored pictures, several of them, or several by the names that the report uses."""


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
    ``given`` adds the rows of the degraded input and of its bicubic enlargement; without it a
    protocol makes the inputs, or else the baseline is the original's mean colour, which any
    restoration must beat. ``statistics`` is an ``.npz`` for FID; ``fool`` exports a fool-rate sheet
    or reads its answers. IntegrityError names missing, extra and duplicate pictures.
    """
    measuring, fool = measuring or Measuring(), fool or FoolStudy()
    protocol = None if measuring.protocol is None else _protocol(measuring.protocol)
    settings = protocol.settings(measuring) if protocol else Settings.of(measuring)
    if trained := list(settings.computed(Trained)):
        raise UserError(f"{trained[0]} measures a model: use `palette evaluate`, or leave it out")
    weights = weights_for(settings, measuring.weights)
    found = _found(_by_title(restored), {"reference": reference, "given": given, "masks": masks})
    if len(found.answers) > 1 and (fool.pairs is not None or fool.answers):
        raise UserError("a fool-rate study is of one folder: name one and its originals")
    *first, last = found.titles.values()
    title = f"{', '.join(first)} and {last}" if first else last
    settled = None if protocol is None else protocol.as_json()
    manifest = {
        "kind": "compare",
        "title": measuring.title or f"{title} against {'their' if first else 'its'} originals",
        "protocol": settled and {**settled, "digest": digest(settled)},
        "dataset": measuring.dataset,
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
        gallery = copied(workspace, found, protocol)
    measure(workspace, gallery, settings, weights, Shard())
    report = summarise(workspace, gallery, settings)
    if protocol is not None:
        report = replace(report, papers=protocol.beside(report))
    if fool.answers:
        rate = read_answers(workspace.root / "fool-key.json", fool.answers)
        report = replace(report, fool_rate=rate)
    elif fool.pairs is not None:
        row = gallery.rows[-1]
        export_sheet(gallery, row, workspace.root, fool.pairs, fool.seconds, fool.seed)
    return write(workspace, gallery, report)


def _protocol(name: str) -> Protocol:
    """UserError for a protocol whose inputs depend on more than the pictures."""
    protocol = find_protocol(name)
    if protocol.conventions is None:
        raise UserError(
            f"protocol {name} is for `palette evaluate`: compare by one of the literature's, such "
            "as set5-x4, live1-grey-q10 or mcmaster-sigma25"
        )
    return protocol


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
        raise UserError(f"there is no folder {folder}: give folders of pictures with equal names")
    found: dict[str, Path] = {}
    for path in list_pictures(folder):
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
            raise IntegrityError(
                f"{folder} {fault} {some(those, 5)}: pictures are paired by their names; for the "
                "FID of folders that are no pairs there is `python -m pytorch_fid`"
            )


def _fingerprint(pictures: Mapping[str, Path]) -> str:
    """Names, sizes and times of the files: enough to notice that they changed."""
    status = {name: path.stat() for name, path in pictures.items()}
    return digest({name: [s.st_size, s.st_mtime_ns] for name, s in status.items()})
