"""The pictures of an evaluation: the rows of the table, their files, and what is known of each."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from palette.errors import PictureError
from palette.eval import workspace as files
from palette.eval.metrics.pixels import Pixels
from palette.eval.workspace import Workspace
from palette.shard import Shard

Paths = Mapping[str, Path]
"""Picture files by name."""


@dataclass(frozen=True)
class Record:
    """What is known of one picture: its size, its class and how it was degraded.

    ``missing`` is the share of the picture that is to be filled, None where it has no mask;
    ``degradation`` holds the plain values of the draw. ``given_smaller`` is for pictures of
    another tool: whether its input is smaller than the original. ``grey`` is for the protocols of
    the literature: whether the picture is judged as one channel.
    """

    name: str
    height: int
    width: int
    label: str | None
    missing: float | None
    degradation: Mapping[str, Any]
    given_smaller: bool | None = None
    grey: bool | None = None

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        for name in ("given_smaller", "grey"):
            if values[name] is None:
                del values[name]
        return values


@dataclass(frozen=True)
class Row:
    """One row of the table: a key, a title for people, and a picture for every name.

    ``is_input`` pictures may be smaller than their targets: they are enlarged as a screen does.
    """

    key: str
    title: str
    pictures: Paths
    is_input: bool = False


@dataclass(frozen=True)
class Gallery:
    """The pictures of an evaluation, in the order of ``names``.

    ``planned`` are all that were asked for, which blocks are made of; ``failed`` those of them that
    cannot be used, with a sentence each. ``draws`` are several samples of every input; ``records``
    has those of the pictures that are done, which are all ``names`` but in a shard.
    """

    planned: Sequence[str]
    rows: Sequence[Row]
    target: Paths
    given: Paths | None = None
    masks: Paths | None = None
    draws: Sequence[Paths] = ()
    records: Mapping[str, Record] = field(default_factory=dict)
    failed: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def names(self) -> list[str]:
        """The pictures that can be used."""
        return [name for name in self.planned if name not in self.failed]

    def block(self, indices: Iterable[int]) -> list[str]:
        """Those of a block that can be used."""
        return [self.planned[i] for i in indices if self.planned[i] not in self.failed]

    @property
    def labels(self) -> list[str]:
        """The class of every picture that has one."""
        labels = [record.label for record in self.records.values()]
        return [label for label in labels if label is not None]


def failure(name: str, error: Exception) -> dict[str, str]:
    """In place of a record: a sentence that names the picture."""
    text = " ".join(str(error).split())
    return {"name": name, "failed": text if name in text else f"{name}: {text}"}


def read_records(
    workspace: Workspace, planned: Sequence[str], shard: Shard
) -> tuple[dict[str, Record], dict[str, str]]:
    """Of the blocks of a shard: the records, and what is wrong with the pictures without one.

    PictureError where no picture at all can be used.
    """
    records: dict[str, Record] = {}
    failed: dict[str, str] = {}
    for number, _ in files.blocks_of(len(planned)):
        if shard.owns(number):
            for values in files.read_json(workspace.state(files.RECORDS.format(number))):
                if "failed" in values:
                    failed[values["name"]] = values["failed"]
                else:
                    records[values["name"]] = Record(**values)
    if len(failed) == len(planned):
        first = next(iter(failed.values()))
        raise PictureError(f"none of {len(planned)} pictures can be used; the first: {first}")
    return records, failed


def enlarged(given: Pixels, height: int, width: int) -> Pixels:
    """An input at the size of its target, by nearest neighbour: as a screen shows it."""
    down = np.arange(height) * given.shape[0] // height
    right = np.arange(width) * given.shape[1] // width
    return given[down[:, None], right]
