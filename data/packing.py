"""Writing the file of :mod:`palette.data.hdf5`: resumable, verified, complete or absent.

Pixels wait in a hidden folder beside the file (:mod:`palette.data.spool`). What is kept of a
picture is found by workers; whether it repeats an earlier one, where they are put in their order.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.data.hdf5 import Hdf5Source, verify
from palette.data.selecting import Selection, perceptual_hash, piece_name, whole_name
from palette.data.sources import Source
from palette.data.spool import Done, LeftOut, Row, Spool, counted, write_file
from palette.data.stored import to_stored
from palette.errors import MachineError, PictureError, UserError
from palette.files import lock, replacing
from palette.parts import digest, part
from palette.progress import Progress
from palette.shard import Shard
from palette.workers.team import Alone, Lost, Team

Considered = tuple[Done, list[NDArray[np.uint8]]]
"""What is kept of one picture of the source, and the pixels of that."""
PackTeam = Team[int, Considered]


def pack(
    source: Source,
    path: str | Path,
    selection: Selection | None = None,
    notes: Mapping[str, Any] | None = None,
    team: PackTeam | None = None,
) -> LeftOut:
    """Write the pictures of ``source`` with 8 bits; return what was left out.

    A packing that was stopped goes on; a file that the same call made is left as it is. ``notes``
    are plain JSON values, kept in the file; ``team`` are workers that :class:`PackWork` began with.
    Raises UserError where another file is there, PictureError where no picture remains, InUse.
    """
    path, selection = Path(path), selection or Selection()
    team = team or Team(Alone(Selecting(source, selection)), None)
    about = about_of(source, selection, notes)
    if selection.cut is not None:
        _refuse_names_of_pieces(source.ids)

    def fill(spool: Spool) -> None:
        _fill(spool, source.ids, range(len(source)), team)

    return write(path, about, fill)


def pack_part(
    source: Source,
    path: Path,
    shard: Shard,
    selection: Selection,
    notes: Mapping[str, Any],
    team: PackTeam | None = None,
) -> tuple[Path, LeftOut]:
    """What one shard has of the file ``path``, in a folder beside it, and what was left out.

    :func:`palette.data.packing_parts.merge` joins the folders of all shards. Which pictures are
    repeated is decided there.
    """
    team = team or Team(Alone(Selecting(source, selection)), None)
    about = about_of(source, selection, notes)
    if selection.cut is not None:
        _refuse_names_of_pieces(source.ids)
    folder = part_folder(path, shard)
    folder.mkdir(parents=True, exist_ok=True)
    with (
        lock(folder),
        part(folder, "pack", digest(about), source.ids, shard),
        Spool.opened(folder, about) as spool,
    ):
        spool.keeps_repeated = True
        _fill(spool, source.ids, range(shard.index, len(source), shard.of), team)
        return folder, spool.left_out()


def part_folder(path: Path, shard: Shard) -> Path:
    return path.with_name(f"{path.name}{shard.suffix}")


def about_of(
    source: Source, selection: Selection, notes: Mapping[str, Any] | None
) -> dict[str, Any]:
    """What a file says of its making."""
    return {"source": source.fingerprint(), "selection": asdict(selection), **(notes or {})}


def write(path: Path, about: dict[str, Any], fill: Callable[[Spool], None]) -> LeftOut:
    """The file ``path`` of what ``fill`` puts into a spool; what was left out.

    Raises as :func:`pack` does.
    """
    waiting = path.with_name(f".{path.name}.packing")
    left_out = _made_before(path, about)
    if left_out is None:
        waiting.mkdir(parents=True, exist_ok=True)
        with lock(waiting), Spool.opened(waiting, about) as spool:
            fill(spool)
            left_out = spool.left_out()
            if any(done.rows for done in spool.done):
                with replacing(path, by=waiting / "whole") as whole:
                    write_file(whole, spool, {**about, "left_out": left_out})
                    if wrong := verify(whole):
                        raise MachineError(f"{path} was not written soundly: {wrong[0]}")
    shutil.rmtree(waiting, ignore_errors=True)
    if not path.exists():
        first = next(iter(left_out.values()))[0]
        raise PictureError(f"no picture remains, of {counted(left_out)}; the first: {first}")
    return left_out


def _refuse_names_of_pieces(names: list[str]) -> None:
    known = set(names)
    for name in names:
        if (whole := whole_name(name)) != name and whole in known:
            raise UserError(f"{name} has the name of a piece of {whole}: rename one of them")


def _made_before(path: Path, about: dict[str, Any]) -> LeftOut | None:
    """What was left out of a file that the same call made; None where there is no file."""
    if not path.exists():
        return None
    with suppress(PictureError):
        found = Hdf5Source(path).about
        if {key: value for key, value in found.items() if key != "left_out"} == about:
            return found["left_out"]
    raise UserError(f"{path} exists and is not overwritten: choose another output")


def _fill(spool: Spool, names: Sequence[str], indices: range, team: PackTeam) -> None:
    left = indices[len(spool.done) :]
    with Progress(len(indices), "pack", done=len(spool.done)) as bar:
        for index, considered in team.answers((index, index) for index in left):
            if isinstance(considered, Lost):
                said = "what is done is kept, give the same command again"
                raise MachineError(f"{names[index]}: {considered.why}: {said}")
            assert considered is not None  # as every index was asked
            spool.add(*considered)
            bar.update()


@dataclass(frozen=True)
class PackWork:
    """:class:`Selecting`, begun wherever a worker is; ``source`` opens the pictures there."""

    source: Callable[[], Source]
    selection: Selection

    def begin(self, device: str, agreed: str | None) -> tuple[Selecting, str]:
        source = self.source()
        here = source.fingerprint()
        if agreed is not None and here != agreed:
            raise UserError("a worker sees other pictures: give all machines the same files")
        return Selecting(source, self.selection), here


class Selecting:
    """What is kept of one picture, whatever the others are: the function that workers run."""

    def __init__(self, source: Source, selection: Selection) -> None:
        self._source, self._selection = source, selection

    def __call__(self, index: int) -> Considered:
        source, selection = self._source, self._selection
        name, label = source.ids[index], source.labels[index] if source.labels else None
        try:
            picture = to_stored(source.read(index), 8)
        except PictureError as error:
            return Done(left_out=[("broken", str(error))]), []
        height, width = picture.shape[:2]
        if min(height, width) < selection.min_side:
            return Done(left_out=[("small", f"{name}: {width}×{height} pixels")]), []
        hashed = (name, perceptual_hash(picture)) if selection.distinct else None
        rows, left_out, kept = [], [], []
        places = selection.pieces(height, width)
        for place in places:
            piece = np.ascontiguousarray(place.of(picture))
            called = name if len(places) == 1 else piece_name(name, place)
            if fault := selection.fault(piece):
                left_out.append((fault, called))
            else:
                rows.append(Row.of(called, label, piece))
                kept.append(piece)
        return Done(rows, left_out, hashed), kept
