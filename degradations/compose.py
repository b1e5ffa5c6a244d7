"""Composition as data: sequence, random order, choice, with a probability, by strength, recipe.

A composition is a degradation. Its params name each step, so that a record reads like a list of
what happened and a pin such as ``jpeg.quality=40`` finds its place::

    {"steps": [{"name": "blur", "params": {…}}, {"name": "jpeg", "params": {…}}]}

Each step draws for the size that the steps before it leave. In a batch, pictures that share their
next step go through it together.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, TypeVar

import numpy as np
from torch import Tensor

from palette.degradations.base import Degradation, integer_between, quantile
from palette.degradations.batches import Batch, Pictures, grouped
from palette.errors import UserError
from palette.types import Params, Picture, Spec

T = TypeVar("T")


def _step(steps: Mapping[str, T], name: str) -> T:
    if name not in steps:
        raise UserError(f"the params name the step {name!r}; there are {', '.join(steps)}")
    return steps[name]


@dataclass(frozen=True)
class Sequence(Degradation):
    """Every step in its order. Params: steps (name and params of each, in the order applied)."""

    steps: Mapping[str, Degradation]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return self._draw(list(self.steps), spec, rng)

    def _draw(self, names: list[str], spec: Spec, rng: np.random.Generator) -> Params:
        drawn = []
        for name in names:
            params = self.steps[name].draw(spec, rng)
            drawn.append({"name": name, "params": params})
            spec = self.steps[name].resized(spec, params)
        return {"steps": drawn}

    def apply(self, picture: Picture, params: Params) -> Picture:
        for step in params["steps"]:
            picture = self._step(step["name"]).apply(picture, step["params"])
        return picture

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        def together(name: str, some: list[Tensor], steps: Batch) -> list[Tensor]:
            return self._step(name).apply_batch(some, [step["params"] for step in steps])

        for position in range(len(self.steps)):
            steps = [one["steps"][position] for one in params]
            pictures = grouped(lambda _, step: step["name"], pictures, steps, together)
        return list(pictures)

    def resized(self, spec: Spec, params: Params) -> Spec:
        for step in params["steps"]:
            spec = self._step(step["name"]).resized(spec, step["params"])
        return spec

    def children(self) -> Iterable[Degradation]:
        return self.steps.values()

    def _step(self, name: str) -> Degradation:
        return _step(self.steps, name)


@dataclass(frozen=True)
class RandomOrder(Sequence):
    """Every step in a random order. ``before`` = (a, b) has a and b exchanged if b came first.

    Params: steps, in the order applied.
    """

    before: tuple[str, str] | None = None

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        names = [list(self.steps)[i] for i in rng.permutation(len(self.steps))]
        if self.before is not None:
            first, second = sorted(names.index(name) for name in self.before)
            names[first], names[second] = self.before
        return self._draw(names, spec, rng)


class _OneOf(Degradation):
    """Several steps, of which a value in the params chooses one.

    Params: that value, by the name ``key``, and params, those of the step.
    """

    key: ClassVar[str]

    @abstractmethod
    def _chosen(self, value: Any) -> Degradation: ...

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self._chosen(params[self.key]).apply(picture, params["params"])

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        def together(value: Any, some: list[Tensor], theirs: Batch) -> list[Tensor]:
            return self._chosen(value).apply_batch(some, [one["params"] for one in theirs])

        return grouped(lambda _, one: one[self.key], pictures, params, together)

    def resized(self, spec: Spec, params: Params) -> Spec:
        return self._chosen(params[self.key]).resized(spec, params["params"])


@dataclass(frozen=True)
class Choice(_OneOf):
    """One of several, by weight. Params: name, params."""

    key: ClassVar[str] = "name"
    options: Mapping[str, tuple[float, Degradation]]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weights = np.array([weight for weight, _ in self.options.values()])
        name = list(self.options)[rng.choice(len(weights), p=weights / weights.sum())]
        return {"name": name, "params": self._chosen(name).draw(spec, rng)}

    def _chosen(self, value: str) -> Degradation:
        return _step(self.options, value)[1]

    def children(self) -> Iterable[Degradation]:
        return [option for _, option in self.options.values()]


@dataclass(frozen=True)
class Mixture(Choice):
    """Several degradations of one ``scale``, by weight. Params: name, params."""

    scale: int = field(default=1, kw_only=True)


@dataclass(frozen=True)
class Sometimes(_OneOf):
    """A step with a probability. Params: on, and the step's params, drawn in any case."""

    key: ClassVar[str] = "on"
    probability: float
    step: Degradation

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        on = bool(rng.random() < self.probability)
        return {"on": on, "params": self.step.draw(spec, rng)}

    def _chosen(self, value: bool) -> Degradation:
        return self.step if value else _Nothing()

    def children(self) -> Iterable[Degradation]:
        return (self.step,)


class _Nothing(Degradation):
    """The picture as it is."""

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {}

    def apply(self, picture: Picture, params: Params) -> Picture:
        return picture.copy()

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        return list(pictures)


@dataclass(frozen=True)
class Strengths(_OneOf):
    """One of several steps which grow harsher. Params: level (1 is the mildest), params."""

    key: ClassVar[str] = "level"
    steps: tuple[Degradation, ...]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        strength = integer_between(1, len(self.steps), quantile(spec, rng))
        return {"level": strength, "params": self._chosen(strength).draw(spec, rng)}

    def _chosen(self, value: int) -> Degradation:
        return self.steps[value - 1]

    def children(self) -> Iterable[Degradation]:
        return self.steps


class Recipe(Degradation):
    """A published pipeline: fields for what can be set, and a ``body`` for a clean size.

    Subclasses are frozen dataclasses with a field ``scale``: the result is clean size / scale.
    """

    @abstractmethod
    def body(self, clean: Spec) -> Degradation:
        """The composition for a clean picture of this size."""

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return self.body(spec).draw(spec, rng)

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self.body(Spec(*picture.shape[:2])).apply(picture, params)

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        def together(size: tuple[int, int], some: list[Tensor], theirs: Batch) -> list[Tensor]:
            return self.body(Spec(*size)).apply_batch(some, theirs)

        return grouped(lambda picture, _: tuple(picture.shape[1:]), pictures, params, together)

    def resized(self, spec: Spec, params: Params) -> Spec:
        return self.body(spec).resized(spec, params)

    def children(self) -> Iterable[Degradation]:
        return (self.body(Spec(64, 64)),)
