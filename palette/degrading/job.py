"""What is to be degraded and where it goes. All that forbids a start is said before the work."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from palette.data.images import list_pictures
from palette.degradations import build
from palette.degradations.base import check_severity
from palette.degradations.pins import check_pins
from palette.errors import UserError
from palette.shard import Shard


@dataclass(frozen=True)
class View:
    """One version of one picture; ``source`` and ``output`` are paths below the folders."""

    source: str
    output: str
    index: int
    view: int


@dataclass(frozen=True)
class DegradeJob:
    """What is asked for; :func:`palette.degrade` says what each field is."""

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
    shard: Shard = field(default_factory=Shard)

    @property
    def to_file(self) -> bool:
        """Whether ``out`` is a file, which gets the degraded picture alone."""
        return self.source.is_file() and self.out.suffix != "" and not self.out.is_dir()

    @property
    def records_path(self) -> Path | None:
        if self.records is None and not self.to_file:
            return self.out / f"records{self.shard.suffix}.jsonl"
        return self.records

    @property
    def root(self) -> Path:
        """The folder that the names of the pictures are relative to."""
        return self.source.parent if self.source.is_file() else self.source

    def settings(self) -> dict[str, Any]:
        """What decides a picture beside its source, as its record has it."""
        names = ("name", "scale", "seed", "severity")
        return {name: getattr(self, name) for name in names} | {"pins": dict(self.pins)}

    def views(self) -> Iterator[View]:
        """All pictures to make, of all shards, in their order."""
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

    def check(self) -> None:
        """UserError for what can be refused before the first picture is read."""
        if not self.source.exists():
            raise UserError(f"there is no picture or folder {self.source}: check the path")
        if self.count < 1:
            raise UserError(f"count {self.count} is below 1: it is the versions of each picture")
        check_severity(self.severity)
        if self.to_file and self.count > 1:
            raise UserError(f"{self.count} versions need a folder, not the file {self.out}")
        if self.shard.of > 1 and (self.to_file or self.records or self.contact_sheet):
            raise UserError(
                "a shard makes a folder with its own records: leave out --records and --grid"
            )
        for output in (self.out, self.contact_sheet):
            if output is not None and output.is_file():
                raise UserError(f"{output} exists and is not overwritten: choose another output")
        check_pins(build(self.name, self.scale), self.pins, self.name)
