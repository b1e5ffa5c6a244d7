"""Restoring files: streamed, resumable, inputs untouched, outputs complete or absent."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from palette.data.encoding import holds_alpha
from palette.data.images import Photo, read
from palette.errors import PaletteError, UserError
from palette.files import lock, write_bytes
from palette.machine.errors import as_ours
from palette.machine.format import Format
from palette.parts import part
from palette.restoring.holes import observe, require_hole
from palette.restoring.job import Item, Job
from palette.restoring.manifest import Made, Manifest, claim
from palette.restoring.masks import Masks
from palette.restoring.output import Output
from palette.restoring.pictures import as_file, save
from palette.restoring.there import made_of
from palette.types import Extend, Observation, Picture, Task
from palette.workers.begin import begun
from palette.workers.flags import Workers
from palette.workers.team import Alone, Lost, Team

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


class OpenRestorer(ObservationRestorer, Protocol):
    """One whose network has a format."""

    @property
    def format(self) -> Format: ...


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
    items, work = job.items(), Restoring(restorer, job)
    agreed = work.settings(), None
    yield from restore_items(Team(Alone(work), agreed), job, items)


def restore_folder_by(work: RestoreWork, workers: Workers) -> Iterator[Result]:
    """:func:`restore_folder` by ``workers``."""
    items = work.job.items()
    with begun(work, workers.names("auto"), workers.engine) as team:
        yield from restore_items(team, work.job, items)


def restore_items(team: Team[Ask, Restored], job: Job, items: Sequence[Item]) -> Iterator[Result]:
    """:func:`restore_folder` by a team; ``items`` are those of all shards.

    The team makes bytes. This process alone reads and writes the folder and its manifest.
    """
    settings, _ = team.agreed
    overwrite = job.output.overwrite
    shared = overwrite or not any(source.is_dir() for source in job.sources)
    job.out.mkdir(parents=True, exist_ok=True)
    names = [item.below(job.out) for item in items]
    with lock(job.out, job.shard.suffix):
        digest = claim(job.out, settings, overwrite, shared)
        with (
            part(job.out, "restore", digest, names, job.shard) as failed,
            Manifest(job.out, job.shard) as manifest,
        ):
            folder = _Folder(job, manifest, digest)
            for (item, wanted), answer in team.answers(map(folder.ask, job.shard.part(items))):
                result = folder.result(item, wanted, answer)
                if result.error is not None:
                    failed[item.below(job.out)] = result.error
                yield result


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


class Ask(NamedTuple):
    """What a worker is asked."""

    item: Item
    mask: Path | None


@dataclass(frozen=True)
class Restored:
    """What a worker answers: the bytes of the output, or why there are none."""

    data: bytes = b""
    seconds: float = 0.0
    error: str | None = None


class Restoring:
    """One input to the bytes of its output: the pure function that workers run."""

    def __init__(self, restorer: ObservationRestorer, job: Job) -> None:
        self._restorer, self._job = restorer, job

    def settings(self) -> dict[str, Any]:
        """All that decides an output beside its input; UserError where it cannot be."""
        job = self._job
        require_hole(self._restorer.task.masked, job.masks, job.extend)
        own = {"seed": job.seed, "extend": job.extend} | job.output.settings()
        return {**self._restorer.settings(), **own}

    def __call__(self, asked: Ask) -> Restored:
        """Whatever goes wrong is said of this input."""
        clock, job, (item, mask) = time.perf_counter(), self._job, asked
        try:
            restored = _restored(
                self._restorer, item.source, item.target, job.seed, mask, job.extend
            )
            quality = job.output.quality_of(item.target)
            data = as_file(item.target, *restored, quality, job.output.strip_metadata)
        except Exception as error:
            _show(error)
            return Restored(error=_said(error, item.source))
        return Restored(data, time.perf_counter() - clock)


@dataclass(frozen=True)
class RestoreWork:
    """:class:`Restoring`, begun wherever a worker is.

    ``open`` gives the model on a device, in the format that was agreed on.
    """

    open: Callable[[str, Format | None], OpenRestorer]
    job: Job

    def begin(
        self, device: str, agreed: tuple[dict[str, Any], Format] | None
    ) -> tuple[Restoring, tuple[dict[str, Any], Format]]:
        restorer = self.open(device, None if agreed is None else agreed[1])
        work = Restoring(restorer, self.job)
        here = work.settings(), restorer.format
        if agreed is not None and here != agreed:
            raise UserError(
                f"the worker on {device} has another model or other settings: give all machines "
                f"the same files"
            )
        return work, here


class _Folder:
    """The outputs of a job: what is there, what is asked for, what is written."""

    def __init__(self, job: Job, manifest: Manifest, settings: str) -> None:
        self._job, self._manifest, self._settings = job, manifest, settings
        self._masks = None if job.masks is None else Masks(job.masks)
        self._disk_was_full = False

    def ask(self, item: Item) -> tuple[tuple[Item, Made | Result], Ask | None]:
        """What is wanted, and what a worker is asked; nothing where the result is known."""
        try:
            wanted, mask = self._wanted(item)
            if self._manifest.holds(wanted, self._job.output.overwrite):
                return (item, Result(item.source, item.target, skipped=True)), None
            item.target.parent.mkdir(parents=True, exist_ok=True)
            if self._disk_was_full:  # hours of work that could not be written help nobody
                _require_room(self._job.out)
        except Exception as error:
            return (item, self._failure(item, error)), None
        return (item, wanted), Ask(item, mask)

    def result(self, item: Item, wanted: Made | Result, answer: Restored | Lost | None) -> Result:
        """Write what was answered; whatever goes wrong is the error of this input alone."""
        if isinstance(wanted, Result):
            return wanted
        assert answer is not None
        if isinstance(answer, Lost):
            said = f"{item.source}: {answer.why}; give the same command again"
            answer = Restored(error=said)
        if answer.error is not None:
            self._disk_was_full = False
            return self._failed(item, answer.error)
        try:
            made = replace(wanted, output=hashlib.sha256(answer.data).hexdigest())
            self._manifest.add(made)
            # one that is lost is restored again
            write_bytes(item.target, answer.data, flush_name=False)
        except Exception as error:
            return self._failure(item, error)
        return Result(item.source, item.target, answer.seconds)

    def _wanted(self, item: Item) -> tuple[Made, Path | None]:
        mask = None if self._masks is None else self._masks.of(item.name)
        return made_of(self._job, item, mask, self._settings), mask

    def _failure(self, item: Item, error: Exception) -> Result:
        _show(error)
        self._disk_was_full = isinstance(error, OSError) and error.errno in _FULL
        return self._failed(item, _said(error, item.source))

    def _failed(self, item: Item, text: str) -> Result:
        self._manifest.add_failure(item.below(self._job.out), item.source, text)
        return Result(item.source, item.target, error=text)


def _show(error: Exception) -> None:
    if "PALETTE_TRACEBACK" in os.environ:
        raise error


def _require_room(folder: Path) -> None:
    probe = folder / ".room.partial"
    try:
        write_bytes(probe, bytes(_ROOM))
    finally:
        probe.unlink(missing_ok=True)


def _said(error: Exception, source: Path) -> str:
    """One line that names the picture."""
    error = as_ours(error) or error
    text = str(error)
    if not isinstance(error, PaletteError | OSError):
        text = f"{type(error).__name__}: {text} (a mistake of ours: PALETTE_TRACEBACK=1 shows it)"
    return text if str(source) in text else f"{source}: {text}"
