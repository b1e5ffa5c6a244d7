"""Restored pictures of any tool against their originals: pairs by name, the same report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from palette.data.images import list_pictures, read, read_mask
from palette.degradations.resize import resize
from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.measure import Gallery, Row, Shard, measure
from palette.eval.metrics.distortion import to_uint8
from palette.eval.report.files import Report, write
from palette.eval.report.fool_rate import export_sheet, read_answers
from palette.eval.report.summary import summarise
from palette.eval.settings import choose, weights_for
from palette.eval.workspace import Workspace, stopwatch
from palette.types import Picture


@dataclass(frozen=True)
class FoolStudy:
    """A sheet of so many ``pairs`` to export; or ``answers`` (CSV files) to one that was."""

    pairs: int = 50
    seconds: float = 3.0
    seed: int = 0
    answers: tuple[Path, ...] = ()


def compare(
    restored: str | Path,
    reference: str | Path,
    out: str | Path,
    metrics: Sequence[str] = ("psnr", "ssim"),
    *,
    given: str | Path | None = None,
    masks: str | Path | None = None,
    luma: bool = False,
    border: int = 0,
    weights: Mapping[str, str | Path | None] | None = None,
    statistics: str | Path | None = None,
    device: str = "auto",
    title: str | None = None,
    fool: FoolStudy | None = None,
) -> Report:
    """Measure the pictures in ``restored`` against those of the same names in ``reference``.

    ``given`` adds the rows of the degraded input and of its bicubic enlargement; without it the
    baseline is the original's mean colour, which any restoration must beat. ``statistics`` is an
    ``.npz`` for FID; ``fool`` exports a fool-rate sheet or reads its answers. IntegrityError
    names missing, extra and duplicate pictures.
    """
    settings = choose(metrics, luma, border, device)
    found_weights = weights_for(settings, weights)
    folders = {"reference": reference, "restored": restored, "given": given, "masks": masks}
    found = {k: _named(Path(folder)) for k, folder in folders.items() if folder is not None}
    names = list(found["reference"])
    for kind, pictures in found.items():
        _require_same_names(f"{folders[kind]}", pictures, names)
    manifest = {
        "kind": "compare",
        "title": title or f"{Path(restored).name} against its originals",
        "protocol": None,
        "dataset": None,
        "names": names,
        "pictures": len(names),
        "files": {kind: _fingerprint(pictures) for kind, pictures in found.items()},
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in found_weights.items()},
        "versions": files.versions(),
    }
    workspace = files.claim(Path(out), manifest, statistics)
    with stopwatch(workspace, "read"):
        gallery = _gather(workspace, found, names)
    measure(workspace, gallery, settings, found_weights, Shard(0, 1))
    data = summarise(workspace, gallery, settings)
    if fool is not None and fool.answers:
        key = workspace.root / "fool-key.json"
        data["fool_rate"] = read_answers(key, fool.answers).as_json()
    elif fool is not None:
        export_sheet(gallery, gallery.rows[-1], workspace.root, fool.pairs, fool.seconds, fool.seed)
    return write(workspace, gallery, data)


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
    missing = [name for name in names if name not in pictures]
    extra = [name for name in pictures if name not in set(names)]
    for those, fault in ((missing, "lacks"), (extra, "has, unlike the reference,")):
        if those:
            listed = ", ".join(those[:5]) + (f" and {len(those) - 5} more" if those[5:] else "")
            raise IntegrityError(f"{folder} {fault} {listed}: names pair the pictures up")


def _fingerprint(pictures: Mapping[str, Path]) -> str:
    """Names, sizes and times of the files: enough to notice that they changed."""
    status = {name: path.stat() for name, path in pictures.items()}
    return files.digest({name: [s.st_size, s.st_mtime_ns] for name, s in status.items()})


def _gather(
    workspace: Workspace, found: Mapping[str, Mapping[str, Path]], names: Sequence[str]
) -> Gallery:
    """Check every picture once, and copy all as 8-bit sRGB PNG into the workspace.

    Every row is then read in one way, whatever format, orientation or profile its file has.
    """
    from tqdm import tqdm

    bar = tqdm(total=len(names), desc="read", unit="picture", disable=None)
    records: list[dict[str, Any]] = []
    for number, block in files.blocks_of(len(names)):
        path = workspace.state(f"records-{number:05d}.json")
        if not path.exists():
            chosen = [names[index] for index in block]
            copied = [_copy(workspace, found, name) for name in chosen]
            workspace.settle()
            files.write_json(path, copied)
        records += files.read_json(path)
        bar.update(len(block))
    bar.close()
    return _gallery(workspace, found, names, records)


def _gallery(
    workspace: Workspace,
    found: Mapping[str, Mapping[str, Path]],
    names: Sequence[str],
    records: list[dict[str, Any]],
) -> Gallery:
    smaller = any(record["given_smaller"] for record in records)
    baseline = "bicubic" if smaller else "mean colour"
    rows = [("original", "originals", "reference"), ("restored", "restored", "restored")]
    if "given" not in found or smaller:
        rows.insert(0, ("baseline", baseline, "baseline"))
    if "given" in found:
        rows.insert(0, ("input", "degraded input" + ("" if smaller else ", as it is"), "input"))
    return Gallery(
        names=names,
        rows=[
            Row(key, label, workspace.pictures(folder, names), is_input=key == "input")
            for key, label, folder in rows
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names) if "given" in found else None,
        masks=workspace.pictures("mask", names) if "masks" in found else None,
        records=records,
    )


def _copy(
    workspace: Workspace, found: Mapping[str, Mapping[str, Path]], name: str
) -> dict[str, Any]:
    """One picture of every folder into the workspace; its record."""
    reference = read(found["reference"][name]).picture
    height, width = reference.shape[:2]
    restored = read(found["restored"][name]).picture
    if restored.shape != reference.shape:
        raise IntegrityError(
            f"{found['restored'][name]} has {restored.shape[1]}×{restored.shape[0]} pixels, its "
            f"original {width}×{height}: resize neither, find out why"
        )
    workspace.write_pixels("reference", name, to_uint8(reference))
    workspace.write_pixels("restored", name, to_uint8(restored))
    missing = None
    if "masks" in found:
        mask = read_mask(found["masks"][name], (height, width))
        missing = float(mask.mean())
        workspace.write_pixels("mask", name, mask.astype(np.uint8) * 255)
    given = read(found["given"][name]).picture if "given" in found else None
    if given is not None:
        workspace.write_pixels("input", name, to_uint8(given))
    workspace.write_pixels("baseline", name, to_uint8(_baseline(reference, given)))
    parent = Path(name).parent.name
    return {
        "name": name,
        "height": height,
        "width": width,
        "label": parent or None,
        "missing": missing,
        "degradation": {},
        "given_smaller": given is not None and given.shape[:2] != (height, width),
    }


def _baseline(reference: Picture, given: Picture | None) -> Picture:
    """The input at the size of its original, or without one the original's mean colour."""
    height, width = reference.shape[:2]
    if given is None:
        return np.broadcast_to(reference.mean(axis=(0, 1)), reference.shape)
    return given if given.shape == reference.shape else resize(given, height, width, "cubic_aa")
