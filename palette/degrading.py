"""Degrading picture files: pairs of the same names, with masks, records and a contact sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

from palette.data.images import Photo, list_pictures, read, write
from palette.degradations import Degradation, build, records
from palette.degradations.base import check_severity
from palette.degradations.bit_depth import carry_alpha, for_bit_depth
from palette.degradations.contact_sheet import Cell, cell, contact_sheet, summary
from palette.degradations.pins import check_pins
from palette.degradations.records import Record
from palette.errors import IntegrityError, PaletteError, UserError
from palette.progress import Progress
from palette.types import Params, Picture

SHEET_ROWS, SHEET_COLUMNS = 12, 8
"""Pictures and versions of each on a contact sheet, from the first on."""


@dataclass(frozen=True)
class View:
    """One version of one picture; ``source`` and ``output`` are paths below the folders."""

    source: str
    output: str
    index: int
    view: int


Item = TypeVar("Item", View, Record)


@dataclass(frozen=True)
class DegradeJob:
    """What is asked of :func:`degrade`; :func:`palette.degrade` says what each field is."""

    name: str
    source: Path
    out: Path
    seed: int = 0
    severity: float | None = None
    count: int = 1
    scale: int | None = None
    pins: Mapping[str, Any] = field(default_factory=dict)
    contact_sheet: Path | None = None
    records: Path | None = None

    @property
    def to_file(self) -> bool:
        """Whether ``out`` is a file, which gets the degraded picture alone."""
        return self.source.is_file() and self.out.suffix != "" and not self.out.is_dir()

    @property
    def records_path(self) -> Path | None:
        if self.records is None and not self.to_file:
            return self.out / "records.jsonl"
        return self.records

    @property
    def root(self) -> Path:
        """The folder that the names of the pictures are relative to."""
        return self.source.parent if self.source.is_file() else self.source

    def views(self) -> Iterator[View]:
        """All pictures to make, in their order."""
        taken: set[str] = set()
        for index, path in enumerate(list_pictures(self.source)):
            source = path.relative_to(self.root)
            stem = source.with_suffix("").as_posix()
            if stem in taken:  # a.png beside a.jpg
                stem = f"{stem}{source.suffix}".replace(".", "_")
            taken.add(stem)
            for view in range(self.count):
                output = f"{stem}_{view}.png" if self.count > 1 else f"{stem}.png"
                yield View(source.as_posix(), output, index, view)


def degrade(job: DegradeJob) -> tuple[list[View], list[PaletteError]]:
    """Make all pictures of ``job``; the pictures asked for, and what went wrong with some of them.

    UserError for what can be refused before the first picture is read: nothing is written then.
    """
    degradation = _checked(job)
    views, sheet = list(job.views()), dict[int, list[Cell]]()
    path = job.records_path
    with nullcontext() if path is None else _parent(path).open("w", encoding="utf-8") as lines:

        def make(view: View) -> None:
            photo = _cut(read(job.root / view.source), degradation.scale or 1)
            record, result = _degraded(job, degradation, view, photo)
            if lines is not None:
                lines.write(record.line() + "\n")
            if job.contact_sheet is not None and (view.index in sheet or len(sheet) < SHEET_ROWS):
                row = sheet.setdefault(view.index, [cell(photo.picture, view.source)])
                if len(row) <= SHEET_COLUMNS:
                    row.append(cell(result, summary(job.name, record.params)))

        problems = _each(views, make)
    if job.contact_sheet is not None and sheet:
        write(job.contact_sheet, contact_sheet(list(sheet.values())))
    return views, problems


def replay(job: DegradeJob, path: Path) -> tuple[list[Record], list[PaletteError]]:
    """Make the pictures of the records in ``path`` again; the records, and what went wrong.

    A picture that differs from what was recorded is written and is an IntegrityError.
    """
    recorded = list(records.read(path))
    if not recorded:
        raise UserError(f"{path} records no pictures: name the records.jsonl of a folder")
    for record in recorded:
        if record.name != job.name:
            raise UserError(f"{path} records {record.name!r}, not {job.name!r}: name that one")

    def make(record: Record) -> None:
        degradation = record.degradation()
        photo = _cut(read(job.root / record.source), degradation.scale or 1)
        result = record.replay(photo.picture)
        _write(job, record.output, photo, degradation, record.params, result)
        if records.digest(result) != record.digest:
            raise IntegrityError(
                f"{record.output} differs from what was recorded with {record.versions}; "
                f"here are {records.versions()}"
            )

    return recorded, _each(recorded, make)


def _checked(job: DegradeJob) -> Degradation:
    if not job.source.exists():
        raise UserError(f"there is no picture or folder {job.source}: check the path")
    if job.count < 1:
        raise UserError(f"count {job.count} is below 1: it is the versions of each picture")
    check_severity(job.severity)
    if job.to_file and job.count > 1:
        raise UserError(f"{job.count} versions need a folder, not the file {job.out}")
    for output in [path for path in (job.out, job.contact_sheet, job.records_path) if path]:
        if output.is_file():
            raise UserError(f"{output} exists and is not overwritten: choose another output")
    if (job.out / "degraded").exists():
        raise UserError(f"{job.out} holds degraded pictures already: choose another output")
    degradation = build(job.name, job.scale)
    check_pins(degradation, job.pins, job.name)
    return degradation


def _each(items: Sequence[Item], make: Callable[[Item], None]) -> list[PaletteError]:
    """``make`` of every item; the errors, each with its picture, which stderr shows at once."""
    problems: list[PaletteError] = []
    with Progress(len(items), "degrade") as bar:
        for item in items:
            try:
                make(item)
            except (UserError, IntegrityError) as error:
                known = item.source in str(error) or item.output in str(error)
                problems.append(error if known else type(error)(f"{item.source}: {error}"))
                bar.write(f"palette: {problems[-1]}")
            bar.update()
    return problems


def _cut(photo: Photo, multiple: int) -> Photo:
    """Without the rows and columns that a scale does not divide: a pair is of exact multiples."""
    height, width = (side // multiple * multiple for side in photo.picture.shape[:2])
    if not height or not width:
        raise UserError(
            f"{photo.picture.shape[1]}×{photo.picture.shape[0]} pixels, and the scale {multiple} "
            f"needs {multiple}×{multiple} or more"
        )
    alpha = None if photo.alpha is None else photo.alpha[:height, :width]
    return replace(photo, picture=photo.picture[:height, :width], alpha=alpha)


def _degraded(
    job: DegradeJob, degradation: Degradation, view: View, photo: Photo
) -> tuple[Record, Picture]:
    """Make and write one picture; its record and itself, before it was rounded for the file."""
    degradation = for_bit_depth(degradation, photo.bit_depth)
    params = records.draw(
        degradation,
        photo.picture,
        seed=job.seed,
        index=view.index,
        view=view.view,
        severity=job.severity,
        pins=job.pins,
        name=job.name,
    )
    result = degradation.apply(photo.picture, params)
    _write(job, view.output, photo, degradation, params, result)
    record = Record(
        name=job.name,
        scale=job.scale,
        params=params,
        seed=job.seed,
        index=view.index,
        view=view.view,
        severity=job.severity,
        pins=dict(job.pins),
        source=view.source,
        output=view.output,
        source_digest=records.digest(photo.picture),
        digest=records.digest(result),
    )
    return record, result


def _write(
    job: DegradeJob,
    output: str,
    photo: Photo,
    degradation: Degradation,
    params: Params,
    result: Picture,
) -> None:
    alpha = photo.alpha
    if alpha is not None:
        alpha = carry_alpha(degradation, alpha, *result.shape[:2])
    if job.to_file:
        degraded, mask = job.out, job.out.with_name(f"{job.out.stem}_mask.png")
    else:
        degraded, mask = job.out / "degraded" / output, job.out / "mask" / output
        clean = _parent(job.out / "clean" / output)
        write(clean, photo.picture, photo.alpha, photo.bit_depth)
    write(_parent(degraded), result, alpha, photo.bit_depth)
    missing = degradation.mask(params)
    if missing is not None:
        write(_parent(mask), missing[..., None].repeat(3, axis=2).astype("float32"))


def _parent(path: Path) -> Path:
    """``path``, whose folder there now is."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return path
