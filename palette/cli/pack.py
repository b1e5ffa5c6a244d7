"""`palette pack IN OUT.h5`: many picture files into one HDF5 file."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from palette.data.selecting import Selection
from palette.errors import OK, SOME_FAILED, PictureError


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


def run(args: Pack) -> int:
    from palette.api import pack
    from palette.data.opening import open_source
    from palette.data.packing import counted

    try:
        left_out = pack(args.source, args.out, **asdict(args.selection))
    except PictureError as error:  # no picture remains
        print(f"palette: {error}", file=sys.stderr)
        return SOME_FAILED
    broken = left_out.get("broken", [])
    for line in broken:
        print(f"palette: {line}", file=sys.stderr)
    without = f"; left out: {counted(left_out)}" if left_out else ""
    print(f"{len(open_source(args.out))} pictures in {args.out}{without}")
    return SOME_FAILED if broken else OK
