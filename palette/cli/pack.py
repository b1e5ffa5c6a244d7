"""`palette pack IN OUT.h5`: many picture files into one HDF5 file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK, SOME_FAILED, PictureError


@dataclass(frozen=True)
class Pack:
    """Pack a folder of pictures into one HDF5 file, which every --data accepts.

    Pixels are kept with 8 bits, each picture with a digest; class folders become labels. Broken
    pictures are named and left out.
    """

    source: tyro.conf.Positional[Path]
    """A folder of pictures."""
    out: tyro.conf.Positional[Path]
    """The file to make, ending in .h5; it must not exist yet."""


def run(args: Pack) -> int:
    from palette.api import pack
    from palette.data.opening import open_source

    try:
        problems = pack(args.source, args.out)
    except PictureError as error:  # all are broken
        print(f"palette: {error}", file=sys.stderr)
        return SOME_FAILED
    for problem in problems:
        print(f"palette: {problem}", file=sys.stderr)
    packed = len(open_source(args.out))
    print(f"{packed} of {packed + len(problems)} pictures in {args.out}")
    return SOME_FAILED if problems else OK
