"""Restoring files: streamed, resumable, inputs untouched, outputs complete or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol

from palette.data.encoding import holds_alpha
from palette.data.images import Photo, read
from palette.errors import PaletteError, UserError, of_system
from palette.files import lock, write_bytes
from palette.machine.memory import is_out_of_memory
from palette.restoring.holes import observe, require_hole
from palette.restoring.job import Item, Job
from palette.restoring.manifest import Manifest, claim
from palette.restoring.masks import Masks
from palette.restoring.output import Output
from palette.restoring.pictures import as_file, save
from palette.restoring.there import made_of
from palette.types import Extend, Observation, Picture, Task

_FULL = (errno.ENOSPC, errno.EDQUOT)
_ROOM = 2**20
"""Bytes that must be writable before a picture is restored on a disk that was full."""


class ObservationRestorer(Protocol):
    """What restoring files asks of :class:`palette.restoring.restorer.Restorer`."""

    task: Task

    def settings(self) -> dict[str, Any]: ...

    def restore_observations(
        self, observations: Sequence[Observation], *, seeds: Sequence[int]
    ) -> list[Picture]: ...


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    source: Path
    target: Path
    seconds: float = 0.0
    skipped: bool = False
    """It was there already: made of the same input and mask, with the same settings."""
    error: str | None = None


def restore_folder(restorer: ObservationRestorer, job: Job) -> Iterator[Result]:
    """Restore pictures and folders of pictures to the same relative paths below ``job.out``.

    A picture that fails, for whatever reason, is yielded with its error and the rest goes on. Run
    again, it continues; an input or a mask that was edited is restored again. ``out`` holding
    pictures of other settings is a UserError, as are two inputs with one output.
    """
    yield from restore_items(restorer, job, job.items())


def restore_items(
    restorer: ObservationRestorer, job: Job, items: Sequence[Item]
) -> Iterator[Result]:
    """:func:`restore_folder` for ``items`` of the job, which may be counted before."""
    require_hole(restorer.task.masked, job.masks, job.extend)
    own = {"seed": job.seed, "extend": job.extend} | job.output.settings()
    settings = {**restorer.settings(), **own}
    overwrite = job.output.overwrite
    shared = overwrite or not any(source.is_dir() for source in job.sources)
    job.out.mkdir(parents=True, exist_ok=True)
    with lock(job.out, job.shard.suffix):
        digest = claim(job.out, settings, overwrite, shared)
        with Manifest(job.out, job.shard) as manifest:
            batch = _Batch(restorer, job, manifest, digest)
            for item in items:
                yield batch.result(item)


def restore_file(
    restorer: ObservationRestorer,
    source: Path,
    target: Path,
    seed: int = 0,
    mask: Path | None = None,
    extend: Extend | None = None,
    output: Output | None = None,
) -> None:
    """Restore one file. Raises UserError or PictureError; ``target`` is complete or absent."""
    output = output or Output()
    picture, photo = _restored(restorer, source, target, seed, mask, extend)
    target.parent.mkdir(parents=True, exist_ok=True)
    save(target, picture, photo, output.quality_of(target), output.strip_metadata)


def _restored(
    restorer: ObservationRestorer,
    source: Path,
    target: Path,
    seed: int,
    mask: Path | None,
    extend: Extend | None,
) -> tuple[Picture, Photo]:
    """The restoration, and the photo whose alpha, depth and metadata it has."""
    photo, observation = observe(read(source), restorer.task, mask, extend)
    if photo.alpha is not None and not holds_alpha(target):
        raise UserError(f"{source} has transparency, which JPEG cannot hold: write png or webp")
    (picture,) = restorer.restore_observations([observation], seeds=[seed])
    return picture, photo


class _Batch:
    """The items of a job, one after the other."""

    def __init__(
        self, restorer: ObservationRestorer, job: Job, manifest: Manifest, settings: str
    ) -> None:
        self._restorer, self._job, self._manifest = restorer, job, manifest
        self._settings = settings
        self._masks = None if job.masks is None else Masks(job.masks)
        self._disk_was_full = False

    def result(self, item: Item) -> Result:
        """Restore one; whatever it raises is its error, and only its own."""
        clock = time.perf_counter()
        try:
            skipped = self._skip_or_restore(item)
        except Exception as error:
            if "PALETTE_TRACEBACK" in os.environ:
                raise
            self._disk_was_full = isinstance(error, OSError) and error.errno in _FULL
            text = _said(error, item.source)
            self._manifest.add_failure(item.below(self._job.out), item.source, text)
            return Result(item.source, item.target, error=text)
        return Result(item.source, item.target, time.perf_counter() - clock, skipped)

    def _skip_or_restore(self, item: Item) -> bool:
        """Whether the output was there."""
        job, target = self._job, item.target
        mask = None if self._masks is None else self._masks.of(item.name)
        wanted = made_of(job, item, mask, self._settings)
        if self._manifest.holds(wanted, job.output.overwrite):
            return True
        target.parent.mkdir(parents=True, exist_ok=True)
        if self._disk_was_full:  # hours of work that could not be written help nobody
            _require_room(job.out)
        restored = _restored(self._restorer, item.source, target, job.seed, mask, job.extend)
        quality = job.output.quality_of(target)
        data = as_file(target, *restored, quality, job.output.strip_metadata)
        self._manifest.add(replace(wanted, output=hashlib.sha256(data).hexdigest()))
        write_bytes(target, data, flush_name=False)  # one that is lost is restored again
        return False


def _require_room(folder: Path) -> None:
    probe = folder / ".room.partial"
    try:
        write_bytes(probe, bytes(_ROOM))
    finally:
        probe.unlink(missing_ok=True)


def _said(error: Exception, source: Path) -> str:
    """One line that names the picture."""
    if isinstance(error, OSError | MemoryError):
        error = of_system(error) or error
    elif is_out_of_memory(error):
        error = of_system(MemoryError()) or error
    text = str(error)
    if not isinstance(error, PaletteError | OSError):
        text = f"{type(error).__name__}: {text} (a mistake of ours: PALETTE_TRACEBACK=1 shows it)"
    return text if str(source) in text else f"{source}: {text}"
