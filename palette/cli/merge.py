"""`palette merge FOLDERS`: join the parts of an evaluation that ran in shards."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK, SOME_FAILED


@dataclass(frozen=True)
class Merge:
    """Join the folders of `palette evaluate --shard i/n` into one report: the very bytes that one
    run would have written. Of a model of several tasks all are joined."""

    folders: tyro.conf.Positional[tuple[Path, ...]]
    """The folders of all shards."""
    out: Path = Path("report")
    """A new folder."""


def run(args: Merge) -> int:
    from palette.eval.merge import merge

    report = merge(args.folders, args.out)
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return SOME_FAILED if report.failed else OK
