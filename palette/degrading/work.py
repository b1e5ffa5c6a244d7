"""One picture to the files of its pair: the pure function that workers run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from palette.data.encoding import encode
from palette.data.images import Photo, read
from palette.degradations import Degradation, build, records
from palette.degradations.bit_depth import carry_alpha, for_bit_depth
from palette.degradations.records import Record
from palette.degrading.job import DegradeJob, View
from palette.errors import IntegrityError, PaletteError, UserError
from palette.types import Params, Picture


class Ask(NamedTuple):
    """A picture to make, or a record to make it again by."""

    item: View | Record
    known: str | None = None
    """The digest of the source that it was made of before: nothing is made of the same again."""


@dataclass(frozen=True)
class Made:
    """What a worker answers."""

    files: list[tuple[Path, bytes]] = field(default_factory=list)
    record: Record | None = None
    """Of what was drawn; None for a record, and where nothing had to be made."""
    error: PaletteError | None = None


@dataclass(frozen=True)
class DegradeWork:
    """:class:`Degrading`, begun wherever a worker is; all have to have the same versions."""

    job: DegradeJob

    def begin(self, device: str, agreed: dict[str, str] | None) -> tuple[Degrading, dict[str, str]]:
        here = records.versions()
        if agreed is not None and here != agreed:
            raise UserError(f"a worker has {here}, another {agreed}: install the same versions")
        return Degrading(self.job), here


class Degrading:
    """Reads one picture and writes nothing."""

    def __init__(self, job: DegradeJob) -> None:
        self._job, self._degradation = job, build(job.name, job.scale)

    def __call__(self, asked: Ask) -> Made:
        item, known = asked
        try:
            return self._again(item) if isinstance(item, Record) else self._made(item, known)
        except (UserError, IntegrityError) as error:
            return Made(error=_of(item, error))

    def _made(self, view: View, known: str | None) -> Made:
        job = self._job
        photo = cut(read(job.root / view.source), self._degradation.scale or 1)
        source_digest = records.digest(photo.picture)
        if source_digest == known:
            return Made()
        degradation = for_bit_depth(self._degradation, photo.bit_depth)
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
        record = Record(
            **job.settings(),
            params=params,
            index=view.index,
            view=view.view,
            source=view.source,
            output=view.output,
            source_digest=source_digest,
            digest=records.digest(result),
        )
        files = list(_files(job, view.output, photo, degradation, params, result))
        return Made(files, record)

    def _again(self, record: Record) -> Made:
        """A picture that differs from what was recorded is made all the same."""
        degradation = record.degradation()
        photo = cut(read(self._job.root / record.source), degradation.scale or 1)
        result = record.replay(photo.picture)
        files = list(_files(self._job, record.output, photo, degradation, record.params, result))
        if records.digest(result) == record.digest:
            return Made(files)
        differs = IntegrityError(
            f"{record.output} differs from what was recorded with {record.versions}; "
            f"here are {records.versions()}"
        )
        return Made(files, error=differs)


def _of(item: View | Record, error: PaletteError) -> PaletteError:
    """The same error, which names its picture."""
    known = item.source in str(error) or item.output in str(error)
    return error if known else type(error)(f"{item.source}: {error}")


def cut(photo: Photo, multiple: int) -> Photo:
    """Without the rows and columns that a scale does not divide: a pair is of exact multiples."""
    height, width = (side // multiple * multiple for side in photo.picture.shape[:2])
    if not height or not width:
        raise UserError(
            f"{photo.picture.shape[1]}×{photo.picture.shape[0]} pixels, and the scale {multiple} "
            f"needs {multiple}×{multiple} or more"
        )
    return photo.cut(0, 0, width, height)


def _files(
    job: DegradeJob,
    output: str,
    photo: Photo,
    degradation: Degradation,
    params: Params,
    result: Picture,
) -> Iterator[tuple[Path, bytes]]:
    """The files of a pair; the degraded picture last, so that with it the others are there."""
    alpha = photo.alpha
    if alpha is not None:
        alpha = carry_alpha(degradation, alpha, *result.shape[:2])
    if job.to_file:
        degraded, mask = job.out, job.out.with_name(f"{job.out.stem}_mask.png")
    else:
        degraded, mask = job.out / "degraded" / output, job.out / "mask" / output
        clean = job.out / "clean" / output
        yield clean, encode(clean, photo.picture, photo.alpha, photo.bit_depth)
    missing = degradation.mask(params)
    if missing is not None:
        white = missing[..., None].repeat(3, axis=2).astype("float32")
        yield mask, encode(mask, white, None, 8)
    yield degraded, encode(degraded, result, alpha, photo.bit_depth)
