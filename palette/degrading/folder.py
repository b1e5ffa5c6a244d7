"""Degrading picture files: pairs of the same names, with masks, records and a contact sheet."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from palette.data.images import read, write
from palette.degradations import build, records
from palette.degradations.bit_depth import for_bit_depth
from palette.degradations.contact_sheet import Cell, cell, contact_sheet, summary
from palette.degradations.records import Record
from palette.degrading.job import DegradeJob, View
from palette.degrading.lines import Lines, recorded, require_ours
from palette.degrading.work import Ask, DegradeWork, Made, cut
from palette.errors import MachineError, PaletteError, UserError
from palette.files import digest, lock, write_bytes
from palette.parts import part
from palette.progress import Progress
from palette.workers.begin import begun
from palette.workers.flags import Processes
from palette.workers.team import Lost, Team

SHEET_ROWS, SHEET_COLUMNS = 12, 8
"""Pictures and versions of each on a contact sheet, from the first on."""

Item = TypeVar("Item", View, Record)


def degrade(
    job: DegradeJob, workers: Processes | None = None
) -> tuple[list[View], list[PaletteError]]:
    """Make all pictures of ``job``; those of its shard, and what went wrong with some of them.

    Run again, it goes on where it was, and degrades again what was edited. UserError for what can
    be refused before the first picture is read: nothing is written then.
    """
    job.check()
    require_ours(job)
    whole = list(job.views())
    views, names = job.shard.part(whole), [view.output for view in whole]
    problems: dict[str, PaletteError] = {}
    with _begun(job, workers) as team, _recorded(job, names) as (lines, failed):
        asked = ((view, Ask(view, _known(job, lines, view))) for view in views)
        for view, made in _answers(team, asked, len(views)):
            _write(made)
            if made.error is not None:
                problems[view.output] = made.error
                lines.drop(view.output)
            elif made.record is not None:
                lines.add(made.record)
        failed |= {name: str(error) for name, error in problems.items()}
        if job.contact_sheet is not None:
            _draw_sheet(job, job.contact_sheet, lines.lines(names))
    return views, list(problems.values())


def replay(
    job: DegradeJob, path: Path, workers: Processes | None = None
) -> tuple[list[Record], list[PaletteError]]:
    """Make the pictures of the records in ``path`` again; the records, and what went wrong.

    A picture that differs from what was recorded is written and is an IntegrityError.
    """
    recorded = list(records.read(path))
    if not recorded:
        raise UserError(f"{path} records no pictures: name the records.jsonl of a folder")
    for record in recorded:
        if record.name != job.name:
            raise UserError(f"{path} records {record.name!r}, not {job.name!r}: name that one")
    own, problems = job.shard.part(recorded), list[PaletteError]()
    with _begun(job, workers) as team:
        for _, made in _answers(team, ((record, Ask(record)) for record in own), len(own)):
            _write(made)
            if made.error is not None:
                problems.append(made.error)
    return own, problems


@contextmanager
def _recorded(job: DegradeJob, names: Sequence[str]) -> Iterator[tuple[Lines, dict[str, str]]]:
    """The records of the job, and what failed of its part, to be filled in."""
    if job.to_file:
        with recorded(job, names) as lines:
            yield lines, {}
        return
    job.out.mkdir(parents=True, exist_ok=True)
    settings = digest(job.settings())
    with (
        lock(job.out, job.shard.suffix),
        part(job.out, "degrade", settings, names, job.shard) as failed,
        recorded(job, names) as lines,
    ):
        yield lines, failed


@contextmanager
def _begun(job: DegradeJob, workers: Processes | None) -> Iterator[Team[Ask, Made]]:
    workers = workers or Processes()
    with begun(DegradeWork(job), workers.names, workers.engine) as team:
        yield team


def _known(job: DegradeJob, lines: Lines, view: View) -> str | None:
    """The digest of what the picture was made of, if it is there."""
    folders = (job.out / "clean", job.out / "degraded")
    there = all((folder / view.output).is_file() for folder in folders)
    return lines.source_digest(view.output) if there else None


def _answers(
    team: Team[Ask, Made], asked: Iterable[tuple[Item, Ask]], count: int
) -> Iterator[tuple[Item, Made]]:
    """What was made of each; its error is shown at once, that of a lost worker too."""
    with Progress(count, "degrade") as bar:
        for item, made in team.answers(asked):
            if isinstance(made, Lost):
                said = f"{item.source}: {made.why}; give the same command again"
                made = Made(error=MachineError(said))
            assert made is not None  # as something was asked
            if made.error is not None:
                bar.write(f"palette: {made.error}")
            yield item, made
            bar.update()


def _write(made: Made) -> None:
    for path, data in made.files:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)


def _draw_sheet(job: DegradeJob, sheet: Path, lines: Iterable[bytes]) -> None:
    """The first pictures and their versions, made again by their records."""
    rows: dict[int, list[Cell]] = {}
    plain = build(job.name, job.scale)
    for line in lines:
        record = records.parse(line.decode(errors="surrogateescape"))
        if record.index not in rows and len(rows) == SHEET_ROWS:
            break
        photo = cut(read(job.root / record.source), plain.scale or 1)
        row = rows.setdefault(record.index, [cell(photo.picture, record.source)])
        if len(row) <= SHEET_COLUMNS:
            degradation = for_bit_depth(plain, photo.bit_depth)
            result = degradation.apply(photo.picture, record.params)
            row.append(cell(result, summary(job.name, record.params)))
    if rows:
        write(sheet, contact_sheet(list(rows.values())))
