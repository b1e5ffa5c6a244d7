"""`palette verify FILE.h5`: does a packed file still hold what was written?"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import INTEGRITY, OK, UserError


@dataclass(frozen=True)
class Verify:
    """Read every picture of a packed HDF5 file and compare it with its digest."""

    path: tyro.conf.Positional[Path]
    """A file that `palette pack` made."""


def run(args: Verify) -> int:
    if not args.path.is_file():
        what = "is a folder" if args.path.is_dir() else "does not exist"
        raise UserError(f"{args.path} {what}: name a file that `palette pack` made")

    from palette.data.hdf5 import verify

    problems = verify(args.path)
    for problem in problems:
        print(f"palette: {problem}", file=sys.stderr)
    if not problems:
        print(f"{args.path} is sound")
    return INTEGRITY if problems else OK
