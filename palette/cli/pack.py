"""`palette pack IN OUT.h5`: many picture files into one HDF5 file."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK, SOME_FAILED, UserError


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
    from palette.data.hdf5 import pack
    from palette.data.opening import HDF5_SUFFIXES
    from palette.data.sources import FolderSource
    from palette.errors import PictureError

    if args.out.suffix.lower() not in HDF5_SUFFIXES:
        raise UserError(f"{args.out}: let the name end in {' or '.join(HDF5_SUFFIXES)}")
    if args.out.exists():
        raise UserError(f"{args.out} exists and is not overwritten: choose another output")
    source = FolderSource(args.source)
    args.out.parent.mkdir(parents=True, exist_ok=True)
    try:
        problems = pack(source, args.out)
    except PictureError as error:
        print(f"palette: {error}", file=sys.stderr)
        return SOME_FAILED
    for problem in problems:
        print(f"palette: {problem}", file=sys.stderr)
    print(f"{len(source) - len(problems)} of {len(source)} pictures in {args.out}")
    return SOME_FAILED if problems else OK
