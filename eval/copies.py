"""Pictures of other tools in the folder of an evaluation: all read in one way, checked once.

By a protocol of the literature the originals are cut and made grey as that has it, and the inputs
are made of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from palette.data.images import Photo, read, read_mask
from palette.data.stored import is_grey
from palette.degradations.resize import resize
from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.conventions import bicubic, stored
from palette.eval.gallery import Gallery, Record, Row, failure, read_records
from palette.eval.protocol import Protocol
from palette.eval.workspace import RECORDS, Workspace
from palette.shard import Shard
from palette.types import Picture

COLOURED = 0.02
"""By how much the channels of a colour picture differ at least, in the mean: five grey levels."""


@dataclass(frozen=True)
class Found:
    """Picture files by name: of each answer by its row, and of "reference", "given", "masks"."""

    answers: Mapping[str, Mapping[str, Path]]
    titles: Mapping[str, str]
    beside: Mapping[str, Mapping[str, Path]]

    @property
    def names(self) -> list[str]:
        return list(self.beside["reference"])


def copied(workspace: Workspace, found: Found, protocol: Protocol | None) -> Gallery:
    """Every picture as 8-bit sRGB PNG in the workspace, and the rows of the table.

    Every row is then read in one way, whatever format, orientation or profile its file has.
    ``protocol`` has conventions.
    """
    _read(workspace, found, protocol)
    names = found.names
    records, failed = read_records(workspace, names, Shard())
    smaller = any(record.given_smaller for record in records.values())
    baseline = "bicubic" if smaller else "mean colour"
    rows = [("original", "originals", "reference")]
    if len(found.answers) == 1:
        rows += [("restored", "restored", "restored")]
    else:
        rows += [(key, title, key) for key, title in found.titles.items()]
    with_inputs = "given" in found.beside or protocol is not None
    if not with_inputs or smaller:
        rows.insert(0, ("baseline", baseline, "baseline"))
    if with_inputs:
        rows.insert(0, ("input", "degraded input" + ("" if smaller else ", as it is"), "input"))
    return Gallery(
        planned=names,
        rows=[
            Row(key, label, workspace.pictures(folder, names), is_input=key == "input")
            for key, label, folder in rows
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names) if with_inputs else None,
        masks=workspace.pictures("mask", names) if "masks" in found.beside else None,
        records=records,
        failed=failed,
    )


def _read(workspace: Workspace, found: Found, protocol: Protocol | None) -> None:
    """A picture that cannot be used gets a line that says why."""
    names = found.names
    for path, block in files.unfinished(workspace, RECORDS, len(names), Shard(), "read"):
        lines = []
        for name in (names[index] for index in block):
            try:
                lines.append(_copy(workspace, found, protocol, name).as_json())
            except (UserError, IntegrityError) as error:
                lines.append(failure(name, error))
        workspace.settle()
        files.write_json(path, lines)


def _copy(workspace: Workspace, found: Found, protocol: Protocol | None, name: str) -> Record:
    """One picture of every folder into the workspace; its record."""
    beside = {key: pictures[name] for key, pictures in found.beside.items()}
    photo = read(beside["reference"])
    made = None if protocol is None else protocol.pair(photo.picture, photo.grey)
    reference = photo.picture if made is None else made.clean
    given = read(beside["given"]).picture if "given" in beside else made and made.given
    height, width = reference.shape[:2]
    pictures = {
        row: _restored(paths[name], photo, reference, protocol)
        for row, paths in found.answers.items()
    }
    mask = read_mask(beside["masks"], (height, width)) if "masks" in beside else None
    pictures |= {"reference": reference, "baseline": _baseline(reference, given, protocol)}
    if given is not None:
        pictures["input"] = given
    grey = made and made.grey
    for row, picture in pictures.items():
        workspace.write_pixels(row, name, stored(picture, grey))
    if mask is not None:
        workspace.write_pixels("mask", name, mask.astype(np.uint8) * 255)
    label = Path(name).parent.name or None
    smaller = given is not None and given.shape[:2] != (height, width)
    missing = None if mask is None else float(mask.mean())
    params = made.params if made is not None and "given" not in beside else {}
    return Record(name, height, width, label, missing, params, smaller, grey)


def _restored(path: Path, photo: Photo, reference: Picture, protocol: Protocol | None) -> Picture:
    """One answer, which has the size of its original, before or after that was cut."""
    restored, (height, width) = read(path).picture, reference.shape[:2]
    if restored.shape == photo.picture.shape:
        restored = restored[:height, :width]
    if restored.shape != reference.shape:
        raise IntegrityError(
            f"{path} has {restored.shape[1]}×{restored.shape[0]} pixels, its original "
            f"{width}×{height}: resize neither, find out why"
        )
    conventions = protocol and protocol.conventions
    if conventions and conventions.grey and not is_grey(restored, COLOURED):
        raise IntegrityError(f"{path} is coloured, and its protocol is for grey pictures")
    return restored


def _baseline(reference: Picture, given: Picture | None, protocol: Protocol | None) -> Picture:
    """The input at the size of its original, or without one the original's mean colour."""
    height, width = reference.shape[:2]
    if given is None:
        return np.broadcast_to(reference.mean(axis=(0, 1)), reference.shape)
    if given.shape == reference.shape:
        return given
    if protocol is not None:
        return bicubic(given, height, width)
    return resize(given, height, width, "cubic_aa")
