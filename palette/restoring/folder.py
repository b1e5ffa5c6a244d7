"""Restoring files: streamed, resumable, inputs untouched, outputs complete or absent."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.data.images import list_pictures, read, write
from palette.errors import PictureError, UserError
from palette.files import write_json
from palette.restoring.pictures import Extend, fit_alpha, observe
from palette.seeding import entropy

if TYPE_CHECKING:
    from palette.restoring.restorer import Restorer

MANIFEST = "palette-restored.json"


@dataclass(frozen=True)
class Result:
    """What became of one input."""

    source: Path
    target: Path
    seconds: float = 0.0
    skipped: bool = False
    """It was there already, from a run with the same settings."""
    error: str | None = None


def restore_folder(
    restorer: Restorer,
    source: Path,
    out: Path,
    seed: int = 0,
    masks: Path | None = None,
    extend: Extend | None = None,
    recursive: bool = True,
    suffix: str = ".png",
    shard: tuple[int, int] = (0, 1),
) -> Iterator[Result]:
    """Restore every picture below ``source`` to the same relative path below ``out``.

    A picture's result depends on its relative path and the seed, not on its neighbours. ``masks``
    is a folder with a mask of the same stem for each picture. ``shard`` (i, n) takes every n-th
    picture. A picture that fails is yielded with its error and the rest goes on. Run again, it
    continues; ``out`` holding pictures of other settings is a ValueError, as are two inputs with
    one output.
    """
    paths = [p for p in list_pictures(source, recursive) if out.resolve() not in p.parents]
    if source.resolve() == out.resolve():
        raise UserError(f"{out} is the folder of the inputs: choose another output folder")
    targets = {path: (out / path.relative_to(source)).with_suffix(suffix) for path in paths}
    _refuse_collisions(targets)
    if not paths:
        raise UserError(f"{source} holds no pictures")
    manifest = out / (MANIFEST if shard[1] == 1 else f"{shard[0]}-of-{shard[1]}-{MANIFEST}")
    settings = {
        "model": restorer.digest,
        "sampling": restorer.sampling.as_json(),
        "seed": seed,
        "extend": extend,
    }
    _claim(out, settings)
    results: list[dict[str, Any]] = []
    for path in paths[shard[0] :: shard[1]]:
        target, name = targets[path], path.relative_to(source)
        mask = None if masks is None else _mask_of(masks, name)
        result = _skip_or_restore(restorer, path, target, seed, name.as_posix(), mask, extend)
        results.append({"source": name.as_posix(), "error": result.error})
        yield result
    write_json(manifest, {"settings": settings, "pictures": results})


def restore_file(
    restorer: Restorer,
    source: Path,
    target: Path,
    seed: int = 0,
    mask: Path | None = None,
    extend: Extend | None = None,
    name: str | None = None,
) -> None:
    """Restore one file. Raises PictureError or ValueError; ``target`` is complete or absent.

    ``name`` keys the noise; without it the file's own name.
    """
    photo = read(source)
    photo, observation = observe(photo, restorer.task.masked, mask, extend)
    key = entropy(seed, "picture", name or source.name)
    picture = restorer.restore_observations([observation], seeds=[key])[0]
    alpha = None if photo.alpha is None else fit_alpha(photo.alpha, picture)
    target.parent.mkdir(parents=True, exist_ok=True)
    deep = photo.bit_depth == 16 and target.suffix.lower() == ".png"
    write(target, picture, alpha, 16 if deep else 8)


def _skip_or_restore(
    restorer: Restorer,
    path: Path,
    target: Path,
    seed: int,
    name: str,
    mask: Path | None,
    extend: Extend | None,
) -> Result:
    if target.exists():
        return Result(path, target, skipped=True)
    clock = time.perf_counter()
    try:
        restore_file(restorer, path, target, seed, mask, extend, name)
    except (PictureError, ValueError, MemoryError) as error:
        message = str(error)
        if str(path) not in message:
            message = f"{path}: {message}"
        return Result(path, target, error=message)
    return Result(path, target, seconds=time.perf_counter() - clock)


def _claim(out: Path, settings: dict[str, Any]) -> None:
    """Note the settings in a new folder; refuse one that was made with others."""
    import json

    path = out / ".palette-settings.json"
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
        key = str(target).lower()  # some file systems do not tell case apart
        if key in seen:
            raise UserError(f"{seen[key]} and {path} would both become {target}: rename one")
        seen[key] = path


def _mask_of(masks: Path, name: Path) -> Path | None:
    found: Sequence[Path] = sorted((masks / name.parent).glob(f"{name.stem}.*"))
    return found[0] if found else None
