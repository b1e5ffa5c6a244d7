"""`palette degrade NAME IN OUT`: damage pictures as the training does, with records."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from palette.errors import INTEGRITY, OK, SOME_FAILED, IntegrityError, UserError
from palette.shard import parse_shard
from palette.workers.flags import Processes


@dataclass(frozen=True)
class Degrade:
    """Degrade a picture or a folder of them; inputs are never touched.

    A folder OUT gets degraded/, clean/ and, for holes, mask/ with the same names, all PNG, and
    records.jsonl. A file OUT gets the degraded picture alone. Stopped and started again, it goes on
    where it was.
    """

    name: tyro.conf.Positional[str]
    """A degradation (see `palette degradations`), or a mixture: bsr:0.7,sr_bicubic:0.3."""
    source: tyro.conf.Positional[Path]
    """A picture, or a folder of pictures (with its subfolders)."""
    out: tyro.conf.Positional[Path]
    """A folder, or for one picture a file."""
    seed: int = 0
    severity: float | None = None
    """From 0, the mild end of the published ranges, to 1, the harsh end."""
    count: int = 1
    """Versions of each picture."""
    scale: int | None = None
    """Divides the size, where the degradation changes it (4 otherwise)."""
    pins: Annotated[tyro.conf.UseAppendAction[tuple[str, ...]], tyro.conf.arg(name="set")] = ()
    """Pin a parameter: `palette degrade bsr --set jpeg.quality=40 …`. May be repeated."""
    contact_sheet: Annotated[Path | None, tyro.conf.arg(name="grid")] = None
    """Write a contact sheet with labels: the first pictures and their versions."""
    records: Path | None = None
    """Where the records go, one JSON line a picture (for a folder OUT/records.jsonl otherwise)."""
    replay: Path | None = None
    """Make the pictures of these records again, and check that they are the same."""
    shard: str = "0/1"
    """i/n: degrade every n-th picture, from the i-th, counted from 0; then `palette merge`."""
    workers: Annotated[Processes, tyro.conf.OmitArgPrefixes] = field(default_factory=Processes)


def run(args: Degrade) -> int:
    from palette.degradations.pins import parse_pins
    from palette.degrading.folder import degrade, replay
    from palette.degrading.job import DegradeJob

    shard = parse_shard(args.shard)
    job = DegradeJob(
        args.name,
        args.source,
        args.out,
        args.seed,
        args.severity,
        args.count,
        args.scale,
        parse_pins(args.pins),
        args.contact_sheet,
        args.records,
        shard,
    )
    if args.replay is None:
        made, problems = degrade(job, args.workers)
        print(f"{len(made) - len(problems)} of {len(made)} pictures in {args.out}")
        if shard.of > 1:
            print(f"Shard {args.shard} is done; join all {shard.of}: palette merge {args.out}")
        return SOME_FAILED if problems else OK
    if (
        args.severity is not None
        or args.pins
        or args.records
        or args.contact_sheet
        or args.count > 1
    ):
        raise UserError("--replay makes what was recorded: leave out flags that draw or record")
    recorded, problems = replay(job, args.replay, args.workers)
    print(f"{len(recorded) - len(problems)} of {len(recorded)} pictures as recorded")
    if any(isinstance(problem, IntegrityError) for problem in problems):
        return INTEGRITY
    return SOME_FAILED if problems else OK
