"""Records: one JSON line for each degraded picture, enough to make it again bit for bit."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from palette import seeding
from palette.degradations.base import Degradation
from palette.degradations.catalogue import build
from palette.degradations.pins import pin
from palette.errors import UserError
from palette.types import Params, Picture, Spec

SCHEMA = 1

PACKAGES = ("palette-diffusion", "numpy", "opencv-python-headless", "pillow", "torch")
"""What the bits of a result depend on."""


def key(seed: int, index: int, view: int = 0) -> np.random.Generator:
    """The randomness of one view of one picture: no worker, batch or order changes it."""
    return seeding.rng(seed, "degrade", index, view)


def draw(
    degradation: Degradation,
    picture: Picture,
    *,
    seed: int,
    index: int = 0,
    view: int = 0,
    severity: float | None = None,
    pins: Mapping[str, Any] | None = None,
    name: str = "",
) -> Params:
    """The params for one view of one picture; pins are set after everything was drawn."""
    height, width = picture.shape[:2]
    params = degradation.draw(Spec(height, width, severity), key(seed, index, view))
    return pin(params, pins, name) if pins else params


def digest(picture: Picture) -> str:
    """128 bits of the float32 values and the shape, in hexadecimal."""
    content = np.ascontiguousarray(picture, dtype="<f4")
    state = hashlib.blake2b(str(content.shape).encode(), digest_size=16)
    state.update(content.tobytes())
    return state.hexdigest()


def versions() -> dict[str, str]:
    """The installed version of each of :data:`PACKAGES`."""
    return {package: version(package) for package in PACKAGES}


@dataclass(frozen=True)
class Record:
    """How one picture came about.

    ``source`` and ``output`` are paths below the folders of the run; the digests are those of the
    clean picture and of the result before it was rounded for a file.
    """

    name: str
    scale: int | None
    params: Params
    seed: int
    index: int
    view: int
    severity: float | None
    pins: dict[str, Any]
    source: str
    output: str
    source_digest: str
    digest: str
    versions: dict[str, str] = dataclasses.field(default_factory=versions)
    schema: int = SCHEMA

    def line(self) -> str:
        """One line of JSON, without its end."""
        return json.dumps(dataclasses.asdict(self), ensure_ascii=False, allow_nan=False)

    def degradation(self) -> Degradation:
        """The degradation that the record names."""
        return build(self.name, self.scale)

    def replay(self, clean: Picture) -> Picture:
        """The picture again. UserError if ``clean`` is not the picture that was recorded, and where
        the params are none of the degradation."""
        if digest(clean) != self.source_digest:
            raise UserError(
                f"{self.source} is not the picture that was recorded: its digest differs"
            )
        try:
            return self.degradation().apply(clean, self.params)
        except Exception as error:  # params may hold anything at all
            what = " ".join(f"{type(error).__name__}: {error}".split())
            raise UserError(f"{self.source}: its record cannot be replayed: {what}") from error


def parse(line: str) -> Record:
    """A record from its line. UserError for anything that is not one."""
    try:
        values = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise UserError(f"not a record, but {line[:40]!r}: {error}") from None
    fields = {field.name for field in dataclasses.fields(Record)}
    if not isinstance(values, dict) or values.keys() != fields:
        raise UserError(f"not a record: its keys must be {', '.join(sorted(fields))}")
    if values["schema"] != SCHEMA:
        raise UserError(f"record of schema {values['schema']}; this version reads {SCHEMA}")
    for name in ("source", "output"):
        path = PurePosixPath(str(values[name]).replace("\\", "/"))
        if path.is_absolute() or ".." in path.parts:
            raise UserError(f"{name} is {values[name]!r}, which leads out of its folder")
    return Record(**values)


def read(path: str | Path) -> Iterator[Record]:
    """The records of a JSONL file; the line is named where one is not a record."""
    with open(path, encoding="utf-8", errors="surrogateescape") as lines:
        for number, line in enumerate(lines, 1):
            try:
                yield parse(line)
            except UserError as error:
                raise UserError(f"{path}, line {number}: {error}") from None
