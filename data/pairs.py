"""Pairs: pictures as they should be, and of each of them what a user would hold."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from numpy.typing import NDArray

from palette.data.images import SUFFIXES
from palette.data.sources import SizedSource, Source, digest
from palette.data.split import subset
from palette.errors import PictureError, UserError, some
from palette.types import Params, Picture, Task

LARGEST_SCALE = 8
"""How many times larger a target may be than its input."""


class Pairs:
    """A source of targets, whose ``inputs`` are what a user would hold of each, in their order.

    Partners have the same path below their folders, whatever their suffixes. ``scale`` is how many
    times larger every target is than its input. ``targets_at`` and ``inputs_at`` say in errors
    where the pictures are. Raises UserError for pictures without a partner or with two, for sizes
    that are neither equal nor an exact scale apart, and for more than one scale; PictureError where
    no header can be read.

    ``records``: what was drawn to make each input, by its name, where that is known; ``drawn`` has
    it in the order of the targets.
    """

    def __init__(
        self,
        targets: SizedSource,
        inputs: SizedSource,
        targets_at: str,
        inputs_at: str,
        records: Mapping[str, Params] | None = None,
    ) -> None:
        partners = _partners(targets, inputs, targets_at, inputs_at)
        self._targets = targets
        self.ids, self.labels = targets.ids, targets.labels
        self.inputs = subset(inputs, partners)
        self.scale = _one_scale(targets, inputs, partners)
        self.drawn = None if records is None else [records[name] for name in self.inputs.ids]

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        return self._targets.read(index)

    def stored(self, index: int) -> NDArray:
        return self._targets.stored(index)

    def fingerprint(self) -> str:
        records = [] if self.drawn is None else [json.dumps(self.drawn)]
        return digest([self._targets.fingerprint(), self.inputs.fingerprint(), *records])


def check_inputs(source: Source, task: Task) -> None:
    """UserError where a task cannot be judged by the pictures because of their inputs."""
    if source.inputs is None:
        if task.paired:
            raise UserError(
                f"{task.name} makes no inputs of its own: name those of --data with --data.input"
            )
        return
    if task.masked:
        frozen = isinstance(source, Pairs) and source.drawn is not None
        cure = (
            "name the folder clean/ by --data, mask/ by --mask-files"
            if frozen
            else ("leave --data.input out")
        )
        raise UserError(f"{task.name} makes holes in the pictures: {cure}")
    if isinstance(source, Pairs) and source.scale != (task.scale or 1):
        raise UserError(
            f"the pairs have the scale ×{source.scale}, the model ×{task.scale or 1}: "
            f"choose pairs of its scale"
        )


def _partners(
    targets: SizedSource, inputs: SizedSource, targets_at: str, inputs_at: str
) -> list[int]:
    """For each target the index of its input."""
    named, given = _by_name(targets.ids, targets_at), _by_name(inputs.ids, inputs_at)
    lonely = [ids for name, ids in named.items() if name not in given]
    if len(lonely) == len(named):
        raise UserError(
            f"no picture has a partner, e.g. {lonely[0]} of {targets_at} has none in {inputs_at}, "
            f"which has {inputs.ids[0]}: let partners have the same path below their folders"
        )
    if lonely:
        raise UserError(
            f"{len(lonely)} of {len(named)} pictures of {targets_at} have no partner in "
            f"{inputs_at}: {some(lonely)}; add these there, or take them away here"
        )
    if more := [ids for name, ids in given.items() if name not in named]:
        raise UserError(
            f"{len(more)} of {len(given)} pictures of {inputs_at} have no partner in "
            f"{targets_at}: {some(more)}; add these there, or take them away here"
        )
    places = {name: index for index, name in enumerate(inputs.ids)}
    return [places[given[name]] for name in named]


def _by_name(ids: Sequence[str], where: str) -> dict[str, str]:
    """The pictures by their path without its suffix."""
    named: dict[str, str] = {}
    for name in ids:
        path = PurePosixPath(name)
        stem = str(path.with_suffix("")) if path.suffix.lower() in SUFFIXES else name
        if stem in named:
            raise UserError(
                f"{named[stem]} and {name} of {where} would both be the partner of {stem}: keep one"
            )
        named[stem] = name
    return named


def _one_scale(targets: SizedSource, inputs: SizedSource, partners: Sequence[int]) -> int:
    """How many times larger all targets are than their inputs."""
    found: dict[int, list[str]] = defaultdict(list)
    unread: list[PictureError] = []
    for index, partner in enumerate(partners):
        try:
            (height, width), (h, w) = targets.size(index), inputs.size(partner)
        except PictureError as error:  # whoever reads the pair names it
            unread.append(error)
            continue
        scale = height // h
        if (height, width) != (h * scale, w * scale) or not 1 <= scale <= LARGEST_SCALE:
            raise UserError(
                f"{targets.ids[index]} has {width}×{height} pixels and its input {w}×{h}: make "
                f"them equal, or the target exactly 2 to {LARGEST_SCALE} times as large"
            )
        found[scale].append(targets.ids[index])
    if not found:
        raise unread[0]
    if len(found) > 1:
        named = "; ".join(f"×{scale}: {some(found[scale])}" for scale in sorted(found))
        raise UserError(f"the pairs have several scales ({named}): train on one at a time")
    return next(iter(found))
