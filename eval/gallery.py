"""The pictures of an evaluation: the rows of the table, their files, and what is known of each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from palette.eval.metrics.pixels import Pixels

Paths = Mapping[str, Path]
"""Picture files by name."""


@dataclass(frozen=True)
class Record:
    """What is known of one picture: its size, its class and how it was degraded.

    ``missing`` is the share of the picture that is to be filled, None where it has no mask;
    ``degradation`` holds the plain values of the draw. ``given_smaller`` is for pictures of
    another tool: whether its input is smaller than the original.
    """

    name: str
    height: int
    width: int
    label: str | None
    missing: float | None
    degradation: Mapping[str, Any]
    given_smaller: bool | None = None

    def as_json(self) -> dict[str, Any]:
        values = asdict(self)
        if self.given_smaller is None:
            del values["given_smaller"]
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

    ``draws`` are several samples of every input; ``records`` has those of the pictures that are
    done, which are all but in a shard.
    """

    names: Sequence[str]
    rows: Sequence[Row]
    target: Paths
    given: Paths | None = None
    masks: Paths | None = None
    draws: Sequence[Paths] = ()
    records: Mapping[str, Record] = field(default_factory=dict)

    @property
    def labels(self) -> list[str]:
        """The class of every picture that has one."""
        labels = [record.label for record in self.records.values()]
        return [label for label in labels if label is not None]


def enlarged(given: Pixels, height: int, width: int) -> Pixels:
    """An input at the size of its target, by nearest neighbour: as a screen shows it."""
    down = np.arange(height) * given.shape[0] // height
    right = np.arange(width) * given.shape[1] // width
    return given[down[:, None], right]
