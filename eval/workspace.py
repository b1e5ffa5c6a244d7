"""The folder of one evaluation: pictures by row and name, small state files, written whole or not.

Every picture that a number rests on lies here as PNG, so that any other tool can check it::

    manifest.json              settings, picture names, weights' digest: what must not change
    reference/NAME.png         the clean picture, cropped as the task needs
    input/NAME.png             what the model was given, at its own size
    mask/NAME.png              white where the picture is missing (inpainting, uncropping)
    baseline/NAME.png  mean/NAME.png  sample/NAME.png  sample-1/NAME.png …
    state/                     finished blocks: records, rows, features
    report.html  report.json  rows.csv
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.errors import IntegrityError, UserError
from palette.eval.metrics.distortion import Pixels
from palette.files import sha256, write_bytes

SUFFIXES = frozenset(
    {".png", ".jpg", ".jpeg", ".jpe", ".webp", ".bmp", ".tif", ".tiff", ".ppm", ".gif", ".jp2"}
)

BLOCK = 16
"""Pictures in a block."""


@dataclass(frozen=True)
class Workspace:
    """Paths below ``root``, and writes that are complete or not at all."""

    root: Path

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
        if hasattr(os, "sync"):
            os.sync()


def claim(root: Path, manifest: dict[str, Any], reference: str | Path | None = None) -> Workspace:
    """The folder for these settings: a new one, or the one where they were begun.

    ``reference`` is an ``.npz`` with statistics for FID; a copy of it joins the folder.
    """
    workspace, path = Workspace(root), root / "manifest.json"
    if reference is None:
        manifest["reference"] = None
    else:
        from palette.eval.metrics.frechet import Gaussian

        statistics = Gaussian.load(Path(reference))
        manifest["reference"] = {"sha256": sha256(Path(reference)), "count": statistics.count}
    manifest = json.loads(json.dumps(manifest))  # tuples become lists, as in the file
    if path.exists():
        found = read_json(path)
        differing = sorted(
            key for key in {*found, *manifest} if found.get(key) != manifest.get(key)
        )
        if differing:
            raise IntegrityError(
                f"{root} holds an evaluation with another {', '.join(differing)}: "
                "choose another folder, or delete it"
            )
    elif root.exists() and any(not p.name.startswith(".") for p in root.iterdir()):
        raise IntegrityError(f"{root} is not empty and holds no evaluation: choose a new folder")
    else:
        write_json(path, manifest)
    copy = workspace.state("reference.npz")
    if reference is not None and not copy.exists():
        copy.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(copy, Path(reference).read_bytes())
    return workspace


def versions() -> dict[str, str]:
    """The packages that figures depend on."""
    from importlib.metadata import version

    packages = ("palette-diffusion", "torch", "torchvision", "numpy", "scikit-image", "pillow")
    return {package: version(package) for package in packages}


def read_pixels(path: Path) -> Pixels:
    """A PNG of the workspace as ``(H, W, 3)`` uint8."""
    from PIL import Image

    with Image.open(path) as image:
        return np.array(image.convert("RGB"))


def read_mask(path: Path) -> NDArray[np.bool_]:
    """A mask file as ``(H, W)``, True where it is white: where the picture was missing."""
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image.convert("L")) > 127


def write_json(path: Path, value: Any) -> None:
    """Save plain JSON (NaN and infinity are refused) with a stable order of keys."""
    text = json.dumps(value, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False) + "\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    write_bytes(path, text.encode())


def read_json(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def digest(value: Any) -> str:
    """SHA-256 of a plain JSON value, the same on every machine."""
    import hashlib

    text = json.dumps(value, sort_keys=True, allow_nan=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


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
    """Number the blocks of pictures: the unit of work, of resuming and of sharding."""
    for number, start in enumerate(range(0, count, BLOCK)):
        yield number, range(start, min(start + BLOCK, count))


@contextmanager
def stopwatch(workspace: Workspace, stage: str) -> Iterator[None]:
    """Add the seconds of a stage to ``state/times.json``, which no other file depends on."""
    import time

    start = time.perf_counter()
    try:
        yield
    finally:
        path = workspace.state("times.json")
        times = read_json(path) if path.exists() else {}
        times[stage] = times.get(stage, 0.0) + time.perf_counter() - start
        write_json(path, times)
