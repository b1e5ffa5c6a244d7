"""Restoring files: streamed, resumable, inputs untouched, outputs complete or absent."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from palette.data.images import list_folder, read
from palette.errors import UserError
from palette.files import write_json
from palette.restoring.holes import Extend, observe
from palette.restoring.pictures import save
from palette.restoring.sampling import Sampling
from palette.shard import Shard
from palette.types import Observation, Picture, Task

MANIFEST = "palette-restored.json"
SETTINGS = ".palette-settings.json"


class ObservationRestorer(Protocol):
    """What restoring files asks of :class:`palette.restoring.restorer.Restorer`."""

    task: Task
    sampling: Sampling

    @property
    def digest(self) -> str: ...

    def restore_observations(
        self, observations: Sequence[Observation], *, seeds: Sequence[int]
    ) -> list[Picture]: ...


@dataclass(frozen=True)
class FolderJob:
    """What is asked of :func:`restore_folder`."""

    source: Path
    out: Path
    seed: int = 0
    masks: Path | None = None
    """A folder with a mask of the same stem for each picture."""
    extend: Extend | None = None
    recursive: bool = True
    suffix: str = ".png"
    """Of the outputs; it decides their format."""
    shard: Shard = field(default_factory=Shard)

    def inputs(self) -> list[Path]:
        """The pictures of this shard. UserError where none are found or two have one output."""
        source = self.source
        if source.resolve() == self.out.resolve():
            raise UserError(f"{self.out} is the folder of the inputs: choose another output folder")
        leave = [folder for folder in (self.out, self.masks) if folder is not None]
        paths = list_folder(source, self.recursive, leave).pictures
        if not paths:
            raise UserError(f"{source} holds no pictures: choose a folder of pictures")
        _refuse_collisions({path: self.target(path) for path in paths})
        return [path for number, path in enumerate(paths) if self.shard.owns(number)]

    def target(self, path: Path) -> Path:
        """Where the restored picture of an input goes."""
        return (self.out / path.relative_to(self.source)).with_suffix(self.suffix)


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    source: Path
    target: Path
    seconds: float = 0.0
    skipped: bool = False
    """It was there already, from a run with the same settings."""
    error: str | None = None


def restore_folder(restorer: ObservationRestorer, job: FolderJob) -> Iterator[Result]:
    """Restore every picture below ``job.source`` to the same relative path below ``job.out``.

    A picture that fails is yielded with its error and the rest goes on. Run again, it continues;
    ``out`` holding pictures of other settings is a UserError, as are two inputs with one output.
    """
    paths = job.inputs()
    settings = {
        "model": restorer.digest,
        "sampling": restorer.sampling.as_json(),
        "seed": job.seed,
        "extend": job.extend,
    }
    _claim(job.out, settings)
    results: list[dict[str, Any]] = []
    for path in paths:
        result = _skip_or_restore(restorer, path, job.target(path), job)
        name = path.relative_to(job.source).as_posix()
        results.append({"source": name, "error": result.error})
        yield result
    part = "" if job.shard.of == 1 else f"{job.shard.index}-of-{job.shard.of}-"
    write_json(job.out / f"{part}{MANIFEST}", {"settings": settings, "pictures": results})


def restore_file(
    restorer: ObservationRestorer,
    source: Path,
    target: Path,
    seed: int = 0,
    mask: Path | None = None,
    extend: Extend | None = None,
) -> None:
    """Restore one file. Raises UserError or PictureError; ``target`` is complete or absent."""
    photo = read(source)
    photo, observation = observe(photo, restorer.task, mask, extend)
    picture = restorer.restore_observations([observation], seeds=[seed])[0]
    target.parent.mkdir(parents=True, exist_ok=True)
    save(target, picture, photo)


def _skip_or_restore(
    restorer: ObservationRestorer, path: Path, target: Path, job: FolderJob
) -> Result:
    if target.exists():
        return Result(path, target, skipped=True)
    clock = time.perf_counter()
    mask = None if job.masks is None else _mask_of(job.masks, path.relative_to(job.source))
    try:
        restore_file(restorer, path, target, job.seed, mask, job.extend)
    except (UserError, MemoryError) as error:
        message = str(error)
        if str(path) not in message:
            message = f"{path}: {message}"
        return Result(path, target, error=message)
    return Result(path, target, seconds=time.perf_counter() - clock)


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Note the settings in a new folder; refuse one that was made with others."""
    path = out / SETTINGS
    out.mkdir(parents=True, exist_ok=True)
    plain = json.loads(json.dumps(settings))
    if path.exists():
        if json.loads(path.read_text()) != plain:
            raise UserError(
                f"{out} holds pictures of another model, seed or sampling: choose another folder"
            )
    elif any(p for p in out.iterdir() if not p.name.startswith(".")):
        raise UserError(f"{out} is not empty: choose a new folder, nothing is overwritten")
    else:
        write_json(path, plain)


def _refuse_collisions(targets: dict[Path, Path]) -> None:
    seen: dict[str, Path] = {}
    for path, target in targets.items():
        key = str(target).lower()  # some file systems take A and a for one name
        if key in seen:
            raise UserError(f"{seen[key]} and {path} would both become {target}: rename one")
        seen[key] = path


def _mask_of(masks: Path, name: Path) -> Path | None:
    found = sorted((masks / name.parent).glob(f"{name.stem}.*"))
    return found[0] if found else None
