"""`palette degrade NAME IN OUT`: damage pictures as the training does, with records."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tyro

from palette.errors import INTEGRITY, OK, SOME_FAILED, UserError

if TYPE_CHECKING:
    from palette.data.images import Photo
    from palette.degradations.contact_sheet import Cell
    from palette.degradations.records import Record


@dataclass(frozen=True)
class Degrade:
    """Degrade a picture or a folder of them; inputs are never touched.

    A folder OUT gets degraded/, clean/ and, for holes, mask/ with the same names, all PNG, and
    records.jsonl. A file OUT gets the degraded picture alone.
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
    set: tyro.conf.UseAppendAction[tuple[str, ...]] = ()
    """Pin a parameter: --set jpeg.quality=40. May be repeated."""
    grid: Path | None = None
    """Write a contact sheet with labels: the first pictures and their versions."""
    records: Path | None = None
    """Where the records go, one JSON line a picture (for a folder OUT/records.jsonl otherwise)."""
    replay: Path | None = None
    """Make the pictures of these records again, and check that they are the same."""


GRID_ROWS, GRID_COLUMNS = 12, 8
"""Pictures and versions of each on a contact sheet, from the first on."""


@dataclass(frozen=True)
class _Job:
    """One picture to make: where it comes from, where it goes, how it is drawn."""

    source: Path
    relative: str
    output: str
    index: int
    view: int


def run(args: Degrade) -> int:
    if args.replay is not None:
        return _replay(args, args.replay)
    _check(args)
    from tqdm import tqdm

    from palette.data.images import write
    from palette.degradations.contact_sheet import contact_sheet

    jobs = list(_jobs(args))
    sheet: dict[int, list[Cell]] = {}
    failed = 0
    with _Lines(_records_path(args)) as lines:
        for job in tqdm(jobs, unit="picture", disable=None):
            try:
                record, cells = _degrade(args, job)
            except (ValueError, OSError) as error:
                failed += 1
                tqdm.write(f"palette: {job.source}: {error}", file=sys.stderr)
                continue
            lines.add(record.line())
            if job.index in sheet or len(sheet) < GRID_ROWS:
                row = sheet.setdefault(job.index, cells[:1])
                row += cells[1:] if len(row) <= GRID_COLUMNS else []
    if args.grid is not None and sheet:
        write(args.grid, contact_sheet(list(sheet.values())))
    print(f"{len(jobs) - failed} of {len(jobs)} pictures in {args.out}")
    return SOME_FAILED if failed else OK


def _check(args: Degrade) -> None:
    """All that can be refused before the first picture is read."""
    from palette.degradations import build
    from palette.degradations.pins import check_pins, parse_pins

    if not args.source.exists():
        raise UserError(f"there is no picture or folder {args.source}: check the path")
    if args.count < 1:
        raise UserError(f"count {args.count} is below 1: it is the versions of each picture")
    if args.severity is not None and not 0 <= args.severity <= 1:
        raise UserError(f"severity {args.severity} is not in [0, 1]: 0 is mild, 1 is harsh")
    if _is_file_output(args) and args.count > 1:
        raise UserError(f"{args.count} versions need a folder, not the file {args.out}")
    for output in [path for path in (args.out, args.grid, _records_path(args)) if path]:
        if output.is_file():
            raise UserError(f"{output} exists and is not overwritten: choose another output")
    if (args.out / "degraded").exists():
        raise UserError(f"{args.out} holds degraded pictures already: choose another output")
    check_pins(build(args.name, args.scale), parse_pins(args.set), args.name)


def _is_file_output(args: Degrade) -> bool:
    return args.source.is_file() and args.out.suffix != "" and not args.out.is_dir()


def _records_path(args: Degrade) -> Path | None:
    if args.records is None and not _is_file_output(args):
        return args.out / "records.jsonl"
    return args.records


def _jobs(args: Degrade) -> Iterator[_Job]:
    from palette.data.images import list_pictures

    root = args.source.parent if args.source.is_file() else args.source
    taken: set[str] = set()
    for index, source in enumerate(list_pictures(args.source)):
        relative = source.relative_to(root)
        stem = relative.with_suffix("").as_posix()
        if stem in taken:  # a.png beside a.jpg
            stem = f"{stem}{relative.suffix}".replace(".", "_")
        taken.add(stem)
        for view in range(args.count):
            output = f"{stem}_{view}.png" if args.count > 1 else f"{stem}.png"
            yield _Job(source, relative.as_posix(), output, index, view)


def _degrade(args: Degrade, job: _Job) -> tuple[Record, list[Cell]]:
    """Make and write one picture. The cells are those of the clean and the degraded picture."""
    from palette.data.images import read
    from palette.degradations import build
    from palette.degradations.bit_depth import for_bit_depth
    from palette.degradations.contact_sheet import cell, summary
    from palette.degradations.pins import parse_pins
    from palette.degradations.records import Record, digest, draw

    photo = read(job.source)
    degradation = for_bit_depth(build(args.name, args.scale), photo.bit_depth)
    pins = parse_pins(args.set)
    params = draw(
        degradation,
        photo.picture,
        seed=args.seed,
        index=job.index,
        view=job.view,
        severity=args.severity,
        pins=pins,
        name=args.name,
    )
    result = degradation.apply(photo.picture, params)
    _write(args, job.output, photo, degradation, params, result)
    record = Record(
        name=args.name,
        scale=args.scale,
        params=params,
        seed=args.seed,
        index=job.index,
        view=job.view,
        severity=args.severity,
        pins=pins,
        source=job.relative,
        output=job.output,
        source_digest=digest(photo.picture),
        digest=digest(result),
    )
    cells = [cell(photo.picture, job.relative), cell(result, summary(args.name, params))]
    return record, cells


def _write(
    args: Degrade, output: str, photo: Photo, degradation: Any, params: Any, result: Any
) -> None:
    from palette.data.images import write
    from palette.degradations.bit_depth import carry_alpha

    alpha = photo.alpha
    if alpha is not None:
        alpha = carry_alpha(degradation, alpha, *result.shape[:2])
    if _is_file_output(args):
        degraded, mask = args.out, args.out.with_name(f"{args.out.stem}_mask.png")
    else:
        degraded, mask = args.out / "degraded" / output, args.out / "mask" / output
        write(_made(args.out / "clean" / output), photo.picture, photo.alpha, photo.bit_depth)
    write(_made(degraded), result, alpha, photo.bit_depth)
    if hasattr(degradation, "mask"):
        missing = degradation.mask(params)
        write(_made(mask), missing[..., None].repeat(3, axis=2).astype("float32"))


def _made(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


class _Lines:
    """A records file that grows line by line; no path, no file."""

    def __init__(self, path: Path | None) -> None:
        self._file = None if path is None else _made(path).open("w", encoding="utf-8")

    def add(self, line: str) -> None:
        if self._file is not None:
            self._file.write(line + "\n")

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._file is not None:
            self._file.close()


def _replay(args: Degrade, path: Path) -> int:
    from tqdm import tqdm

    from palette.data.images import read
    from palette.degradations import records

    drawn = args.severity is not None or args.set or args.records or args.grid or args.count > 1
    if drawn:
        raise UserError("--replay makes what was recorded: leave out flags that draw or record")
    root = args.source.parent if args.source.is_file() else args.source
    failed = different = 0
    all_records = list(records.read(path))
    for record in tqdm(all_records, unit="picture", disable=None):
        if record.name != args.name:
            raise UserError(f"{path} records {record.name!r}, not {args.name!r}: name that one")
        try:
            photo = read(root / record.source)
            result = record.replay(photo.picture)
            _write(args, record.output, photo, record.degradation(), record.params, result)
        except (ValueError, OSError) as error:
            failed += 1
            tqdm.write(f"palette: {record.source}: {error}", file=sys.stderr)
            continue
        if records.digest(result) != record.digest:
            different += 1
            tqdm.write(
                f"palette: {record.output} differs from what was recorded with "
                f"{record.versions}; here are {records.versions()}",
                file=sys.stderr,
            )
    print(f"{len(all_records) - failed - different} of {len(all_records)} pictures as recorded")
    if different:
        return INTEGRITY
    return SOME_FAILED if failed else OK
