"""`palette pack IN OUT.h5`: many picture files into one HDF5 file."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import tyro

from palette.data.selecting import Selection
from palette.errors import OK, SOME_FAILED, PictureError
from palette.shard import parse_shard
from palette.workers.flags import Processes

if TYPE_CHECKING:
    from palette.data.spool import LeftOut


@dataclass(frozen=True)
class Pack:
    """Pack a folder of pictures into one HDF5 file, which every --data accepts.

    Pixels are kept with 8 bits, each picture with a digest; class folders become labels. Broken
    pictures are named and left out. Stopped and started again, it goes on where it was.
    """

    source: tyro.conf.Positional[Path]
    """A folder of pictures."""
    out: tyro.conf.Positional[Path]
    """The file to make, ending in .h5; `palette info` says what it is and what was left out."""
    selection: Annotated[Selection, tyro.conf.OmitArgPrefixes] = field(default_factory=Selection)
    shard: str = "0/1"
    """i/n: pack every n-th picture, from the i-th, counted from 0, into a folder OUT-i-of-n; then
    `palette merge`."""
    workers: Annotated[Processes, tyro.conf.OmitArgPrefixes] = field(default_factory=Processes)


def run(args: Pack) -> int:
    from palette.data.frozen import notes_of
    from palette.data.opening import require_hdf5
    from palette.data.packing import PackWork, pack, pack_part
    from palette.data.sources import FolderSource
    from palette.workers.begin import begun

    shard, selection = parse_shard(args.shard), args.selection
    require_hdf5(args.out)
    source, notes = FolderSource(args.source), notes_of(args.source, selection)
    work = PackWork(partial(FolderSource, args.source), selection)
    with begun(work, args.workers.names, args.workers.engine) as team:
        if shard.of == 1:
            return packed(args.out, lambda: pack(source, args.out, selection, notes, team))
        _, left_out = pack_part(source, args.out, shard, selection, notes, team)
    parts = args.out.with_name(f"{args.out.name}-*-of-{shard.of}")
    print(
        f"Shard {args.shard} is done; join all {shard.of}: palette merge {parts} --out {args.out}"
    )
    return SOME_FAILED if left_out.get("broken") else OK


def packed(out: Path, write: Callable[[], LeftOut]) -> int:
    """Write a file and say what it holds and what not; the exit code."""
    from palette.data.opening import open_source
    from palette.data.spool import counted

    try:
        left_out = write()
    except PictureError as error:  # no picture remains
        print(f"palette: {error}", file=sys.stderr)
        return SOME_FAILED
    broken = left_out.get("broken", [])
    for line in broken:
        print(f"palette: {line}", file=sys.stderr)
    without = f"; left out: {counted(left_out)}" if left_out else ""
    print(f"{len(open_source(out))} pictures in {out}{without}")
    return SOME_FAILED if broken else OK
