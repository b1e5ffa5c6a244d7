"""`palette merge FOLDERS`: join what shards made, whichever command it was."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK, SOME_FAILED, UserError


@dataclass(frozen=True)
class Merge:
    """Join what the shards of `palette restore`, `degrade`, `pack` or `evaluate` made: the very
    bytes that one run would have written. What is missing, or of another work, is named.

    Shards that shared one folder are joined there: `palette merge out`. Of an evaluation of several
    tasks all are joined.
    """

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """The folders of all shards, or the one that they shared."""
    out: Path | None = None
    """A new folder, for packed pictures the file. None: the folder that all shared; of several
    folders "report"."""


def run(args: Merge) -> int:
    from palette.parts import kind_of

    if not args.folders:
        raise UserError("no folders to merge: name those of all shards, or the one they shared")
    alone = args.folders[0] if len(args.folders) == 1 else None
    kind = kind_of(args.folders)
    if kind is None:
        return _evaluation(args.folders, args.out or alone or Path("report"))
    if kind == "pack":
        return _packed(args.folders, args.out)
    out = args.out or alone
    if out is None:
        raise UserError(f"{len(args.folders)} folders to merge: name a new one by --out")
    return _pictures(kind, args.folders, out)


def _evaluation(folders: tuple[Path, ...], out: Path) -> int:
    from palette.eval.merge import merge

    report = merge(folders, out)
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return SOME_FAILED if report.failed else OK


def _pictures(kind: str, folders: tuple[Path, ...], out: Path) -> int:
    from palette import parts
    from palette.degrading import merge as degraded
    from palette.restoring import merge as restored

    whole = parts.whole(folders)
    (restored if kind == "restore" else degraded).merge(whole, folders, out)
    made = len(whole.names) - len(whole.failed)
    print(f"{made} of {len(whole.names)} pictures in {out}")
    return SOME_FAILED if whole.failed else OK


def _packed(folders: tuple[Path, ...], out: Path | None) -> int:
    from palette.cli.pack import packed
    from palette.data.packing_parts import merge
    from palette.parts import whole

    if out is None:
        raise UserError("packed pictures are joined into a file: name it by --out photos.h5")
    parts = whole(folders)
    return packed(out, lambda: merge(parts, out))
