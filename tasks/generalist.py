"""One network for several tasks: each training example draws its task by weight."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, ClassVar

import tyro

from palette.config import from_dict, options_of
from palette.errors import UserError, nearest
from palette.tasks.choosing import available, make_task
from palette.types import Member, Task


@dataclass(frozen=True)
class Generalist:
    """Several tasks in one network, each with its own target and its own share of the examples."""

    name: ClassVar[str] = "generalist"

    tasks: str = "super-resolution:2,jpeg-restoration:2,colorization:1,inpainting:1,uncropping:1"
    """Tasks with their weights; one without a weight has weight 1."""
    scale: str = "4"
    """Scales of the tasks that have one, e.g. 2,3,4, which share the weight."""
    parts: Annotated[Mapping[str, Mapping[str, Any]], tyro.conf.Suppress] = field(
        default_factory=dict
    )
    """In a TOML file: options of a task, and tasks under names of your own, which then may stand in
    ``tasks``: [options.parts.real-x4] task = "super-resolution", degradation = "bsr_light"."""

    def __post_init__(self) -> None:
        self.members()

    def members(self) -> tuple[Member, ...]:
        """The tasks, super-resolution with two scales as super-resolution-x2 and -x4."""
        unused = set(self.parts) - {name for name, _ in self._weights()}
        if unused:
            raise UserError(f"parts.{min(unused)} is not in tasks: add it there, with a weight")
        members = [m for name, weight in self._weights() for m in self._part(name, weight)]
        names = [member.name for member in members]
        if len(set(names)) < len(names):
            raise UserError(f"tasks is {self.tasks!r}: name each task once")
        return tuple(members)

    def _weights(self) -> Iterator[tuple[str, float]]:
        for part in self.tasks.split(","):
            name, _, weight = part.strip().partition(":")
            try:
                value = float(weight or 1)
            except ValueError:
                value = 0.0
            if not 0 < value < math.inf:
                raise UserError(f"tasks holds {part!r}: write NAME:WEIGHT with a weight above 0")
            yield name, value

    def _part(self, name: str, weight: float) -> list[Member]:
        options = dict(self.parts.get(name, {}))
        task = options.pop("task", name)
        own = options_of(available()[task]).get("scale") if task in available() else None
        scaled = own is not None and own.default is not None  # None: the pairs decide it
        if not scaled or "scale" in options:
            return [Member(name, make_task(task, options), weight)]
        scales = self._scales()
        return [
            Member(f"{name}-x{s}", make_task(task, {**options, "scale": s}), weight / len(scales))
            for s in scales
        ]

    def _scales(self) -> list[int]:
        try:
            return [int(scale) for scale in self.scale.split(",")]
        except ValueError:
            raise UserError(f"scale is {self.scale!r}: give numbers, e.g. 2,3,4") from None


def trainable() -> dict[str, type[Any]]:
    """What a network can be trained for: the tasks by name, and several at once."""
    return {**available(), Generalist.name: Generalist}


def make_trainable(name: str, options: Mapping[str, Any]) -> Task | Generalist:
    """One of :func:`trainable` with its options; UserError names the choices."""
    if name not in trainable():
        raise UserError(f"task is {name!r}: {nearest(name, trainable())}")
    return from_dict(trainable()[name], options)
