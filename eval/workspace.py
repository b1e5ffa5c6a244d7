"""The folder of one evaluation: pictures by row and name, and small state files.

Every file is complete or absent. Every picture behind a number is here as PNG, so that any other
tool can check it::

    manifest.json         settings, picture names, weights' digest: what must not change
    reference/NAME.png    the clean picture, cropped as the task needs
    input/NAME.png        what the model was given, at its own size
    mask/NAME.png         white where the picture is missing (inpainting, uncropping)
    baseline/NAME.png  telea-fill/NAME.png …  mean/NAME.png  sample/NAME.png  sample-1/NAME.png …
    state/                finished blocks: records, values, features
    report.html  report.json  rows.csv
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.errors import IntegrityError, UserError
from palette.eval.metrics.frechet import Gaussian
from palette.eval.metrics.pixels import SUFFIXES
from palette.files import sha256, visible, write_bytes
from palette.progress import Progress
from palette.shard import Shard

BLOCK = 16
"""Pictures in a block: the unit of work, of resuming and of sharding."""

RECORDS = "records-{:05d}.json"
VALUES = "values-{:05d}.json"
"""State files of a block, by its number."""


@dataclass(frozen=True)
class Workspace:
    """Paths below ``root``, and writes that are complete or not at all.

    ``part`` names the shard that works here: what it alone may write has it in its name.
    """

    root: Path
    part: str = ""

    def picture(self, row: str, name: str) -> Path:
        return self.root / row / f"{name}.png"

    def state(self, name: str) -> Path:
        return self.root / "state" / name

    def pictures(self, row: str, names: Iterable[str]) -> dict[str, Path]:
        return {name: self.picture(row, name) for name in names}

    def write_pixels(self, row: str, name: str, pixels: NDArray[np.uint8]) -> None:
        """Save ``(H, W, 3)`` or ``(H, W)`` uint8 as PNG, complete or not at all."""
        from PIL import Image

        path = self.picture(row, name)
        path.parent.mkdir(parents=True, exist_ok=True)
        # Not flushed to the disk one by one, which takes longer than the writing: see ``settle``.
        temporary = path.with_name(f".{path.name}.partial")
        Image.fromarray(pixels).save(temporary, "PNG", compress_level=3)
        os.replace(temporary, path)

    def settle(self) -> None:
        """Let the pictures reach the disk, before a record says that they are there."""
        if hasattr(os, "sync"):  # Windows has no such call
            os.sync()


def claim(root: Path, manifest: Mapping[str, Any], reference: Path | None = None) -> Workspace:
    """The folder for these settings: a new one, or the one where they were begun.

    ``reference`` is an ``.npz`` with statistics for FID; a copy of it joins the folder. UserError
    for a folder that holds anything else.
    """
    workspace, path = Workspace(root), root / "manifest.json"
    known = None
    if reference is not None:
        known = {"sha256": sha256(reference), "count": Gaussian.load(reference).count}
    # tuples become lists, as in the file
    manifest = json.loads(json.dumps({**manifest, "reference": known}))
    if path.exists():
        found = read_json(path)
        if not isinstance(found, dict):
            raise damaged(path)
        differing = sorted(
            key for key in {*found, *manifest} if found.get(key) != manifest.get(key)
        )
        if differing:
            raise UserError(
                f"{root} holds another evaluation, which differs in {', '.join(differing)}: "
                "choose another folder, or delete it"
            )
    elif root.exists() and any(visible(root)):
        raise UserError(f"{root} is not empty and holds no evaluation: choose a new folder")
    else:
        write_json(path, manifest)
    copy = workspace.state("reference.npz")
    if reference is not None and not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(copy, reference.read_bytes())
    return workspace


def versions() -> dict[str, str]:
    """The packages that figures depend on."""
    from importlib.metadata import version

    packages = ("palette-diffusion", "torch", "torchvision", "numpy", "scikit-image", "pillow")
    return {package: version(package) for package in packages}


def write_json(path: Path, value: Any) -> None:
    """Save plain JSON (NaN and infinity are refused) with a stable order of keys."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())


def read_json(path: Path) -> Any:
    """IntegrityError for a file that is damaged or not there."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise missing(path) from None
    except ValueError:
        raise damaged(path) from None


def missing(path: Path) -> IntegrityError:
    return IntegrityError(f"{path} is missing: run this evaluation, and every shard, to its end")


def damaged(path: Path) -> IntegrityError:
    return IntegrityError(f"{path} is damaged: delete it and run again")


def names_of(ids: Iterable[str]) -> list[str]:
    """File names, without suffix, of picture ids; two ids with one name are an error."""
    names: list[str] = []
    owner: dict[str, str] = {}
    for identity in ids:
        path = PurePosixPath(identity.replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts or not path.name:
            raise UserError(f"picture id {identity!r} leaves the folder: use a relative path")
        if path.suffix.lower() in SUFFIXES:
            path = path.with_suffix("")
        name = str(path)
        if name.casefold() in owner:
            raise UserError(
                f"pictures {owner[name.casefold()]!r} and {identity!r} would share the name "
                f"{name!r}: rename one of them"
            )
        owner[name.casefold()] = identity
        names.append(name)
    return names


def blocks_of(count: int) -> Iterator[tuple[int, range]]:
    """The blocks of ``count`` pictures: the number of each, and the indices of its pictures."""
    for number, start in enumerate(range(0, count, BLOCK)):
        yield number, range(start, min(start + BLOCK, count))


def unfinished(
    workspace: Workspace, files: str, count: int, shard: Shard, doing: str
) -> Iterator[tuple[Path, range]]:
    """The blocks of a shard whose state file is still to be written, with a progress bar.

    ``files`` is the name of these files by the block's number, such as :data:`RECORDS`. Yields the
    path of the file and the indices of the pictures.
    """
    owned = ((number, block) for number, block in blocks_of(count) if shard.owns(number))
    paths = {workspace.state(files.format(number)): block for number, block in owned}
    left = {path: block for path, block in paths.items() if not path.exists()}
    total, ahead = (sum(map(len, blocks.values())) for blocks in (paths, left))
    with Progress(total, doing, done=total - ahead) as bar:
        for path, block in left.items():
            yield path, block
            bar.update(len(block))


@contextmanager
def stopwatch(workspace: Workspace, stage: str) -> Iterator[None]:
    """Add the seconds of a stage to those of this part. No other file depends on them."""
    import time

    start = time.perf_counter()
    try:
        yield
    finally:
        path = workspace.state(f"times{workspace.part}.json")
        times = read_json(path) if path.exists() else {}
        times[stage] = times.get(stage, 0.0) + time.perf_counter() - start
        write_json(path, times)


def times_of(workspace: Workspace) -> dict[str, float]:
    """Seconds by stage, of all parts together."""
    times: dict[str, float] = {}
    for path in sorted(workspace.state("").glob("times*.json")):
        for stage, seconds in read_json(path).items():
            times[stage] = times.get(stage, 0.0) + seconds
    return times
