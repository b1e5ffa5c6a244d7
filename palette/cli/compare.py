"""`palette compare RESTORED... REFERENCE`: measure the pictures of any tool, or of several."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from palette.errors import OK, SOME_FAILED, UserError
from palette.eval.request import FoolStudy, Measuring


@dataclass(frozen=True)
class Compare:
    """Measure restored pictures against their originals of the same names, and write report.html,
    report.json and rows.csv. Missing, extra and duplicate names are errors.

    Of several tools, `palette compare A B ORIGINALS` ranks them by every metric, and says which
    differences are resolved: paired intervals over the same pictures."""

    folders: Annotated[
        tyro.conf.Positional[tuple[Path, ...]],
        tyro.conf.arg(metavar="RESTORED... REFERENCE", help_behavior_hint=""),
    ]
    """One folder or more of pictures that any tool made; last the folder with their originals."""
    out: Path = Path("report")
    """A new folder, or one where this very comparison was begun."""
    given: Annotated[Path | None, tyro.conf.arg(name="input")] = None
    """A folder with what the tool was given: adds rows for it and for its bicubic enlargement.
    None: with a protocol what that makes of the originals."""
    masks: Path | None = None
    """A folder with what was missing, in white."""
    statistics: Path | None = None
    """Statistics for FID (.npz of mu and sigma). None: those of the originals."""
    measuring: Annotated[Measuring, tyro.conf.OmitArgPrefixes] = field(default_factory=Measuring)
    fool: Annotated[FoolStudy, tyro.conf.OmitArgPrefixes] = field(default_factory=FoolStudy)


def run(args: Compare) -> int:
    from palette.eval.compare import compare

    if len(args.folders) < 2:
        raise UserError(
            f"compare needs 2 folders or more, not {len(args.folders)}: name those of restored "
            "pictures and then, last, that of their originals"
        )
    *restored, reference = args.folders
    report = compare(
        restored,
        reference,
        args.out,
        args.measuring,
        given=args.given,
        masks=args.masks,
        statistics=args.statistics,
        fool=args.fool,
    )
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return SOME_FAILED if report.failed else OK
