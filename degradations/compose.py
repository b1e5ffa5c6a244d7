"""Composition as data: sequence, random order, choice, with-probability, levels, recipe.

A composition is a degradation. Its params name each step, so that a record reads like a list of
what happened and a pin such as ``jpeg.quality=40`` finds its place::

    {"steps": [{"name": "blur", "params": {…}}, {"name": "jpeg", "params": {…}}]}

Each step draws for the size that the steps before it leave.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from palette.degradations.operator import integer_between, quantile, size_after
from palette.errors import UserError
from palette.types import Degradation, Params, Picture, Spec

Steps = Mapping[str, Degradation]


def _step(steps: Steps, name: str) -> Degradation:
    if name not in steps:
        raise UserError(f"the params name the step {name!r}; there are {', '.join(steps)}")
    return steps[name]


def _draw_in_order(steps: Steps, names: list[str], spec: Spec, rng: np.random.Generator) -> Params:
    drawn = []
    for name in names:
        params = steps[name].draw(spec, rng)
        drawn.append({"name": name, "params": params})
        spec = size_after(steps[name], spec, params)
    return {"steps": drawn}


@dataclass(frozen=True)
class Sequence:
    """Every step in its order. Params: steps (name and params of each, in the order applied)."""

    steps: Steps

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return _draw_in_order(self.steps, list(self.steps), spec, rng)

    def resized(self, spec: Spec, params: Params) -> Spec:
        for step in params["steps"]:
            spec = size_after(_step(self.steps, step["name"]), spec, step["params"])
        return spec

    def apply(self, picture: Picture, params: Params) -> Picture:
        for step in params["steps"]:
            picture = _step(self.steps, step["name"]).apply(picture, step["params"])
        return picture


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
        return _draw_in_order(self.steps, names, spec, rng)


@dataclass(frozen=True)
class Choice:
    """One of several, by weight. Params: name, params."""

    options: Mapping[str, tuple[float, Degradation]]

    def _option(self, name: str) -> Degradation:
        return _step({name: option for name, (_, option) in self.options.items()}, name)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        weights = np.array([weight for weight, _ in self.options.values()])
        name = list(self.options)[rng.choice(len(weights), p=weights / weights.sum())]
        return {"name": name, "params": self._option(name).draw(spec, rng)}

    def resized(self, spec: Spec, params: Params) -> Spec:
        return size_after(self._option(params["name"]), spec, params["params"])

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self._option(params["name"]).apply(picture, params["params"])


@dataclass(frozen=True)
class Sometimes:
    """A step with a probability. Params: on, and the step's params, drawn in any case."""

    probability: float
    step: Degradation

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        on = bool(rng.random() < self.probability)
        return {"on": on, "params": self.step.draw(spec, rng)}

    def resized(self, spec: Spec, params: Params) -> Spec:
        return size_after(self.step, spec, params["params"]) if params["on"] else spec

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self.step.apply(picture, params["params"]) if params["on"] else picture.copy()


@dataclass(frozen=True)
class Levels:
    """One of several steps which grow harsher. Params: level (1 is the mildest), params."""

    levels: tuple[Degradation, ...]

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        level = integer_between(1, len(self.levels), quantile(spec, rng))
        return {"level": level, "params": self.levels[level - 1].draw(spec, rng)}

    def resized(self, spec: Spec, params: Params) -> Spec:
        return size_after(self.levels[params["level"] - 1], spec, params["params"])

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self.levels[params["level"] - 1].apply(picture, params["params"])


class Recipe(ABC):
    """A published pipeline: fields for its knobs and a ``body`` which depends on the clean size.

    Subclasses are frozen dataclasses with a field ``scale``: the result is clean size / scale.
    """

    @abstractmethod
    def body(self, clean: Spec) -> Degradation:
        """The composition for a clean picture of this size."""

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return self.body(spec).draw(spec, rng)

    def resized(self, spec: Spec, params: Params) -> Spec:
        return size_after(self.body(spec), spec, params)

    def apply(self, picture: Picture, params: Params) -> Picture:
        return self.body(Spec(*picture.shape[:2])).apply(picture, params)


def parts(degradation: Degradation) -> Iterator[Degradation]:
    """A degradation and all that it is composed of."""
    yield degradation
    children: list[Degradation] = []
    if isinstance(degradation, Recipe):
        children = [degradation.body(Spec(64, 64))]
    elif isinstance(degradation, Sequence):
        children = list(degradation.steps.values())
    elif isinstance(degradation, Choice):
        children = [option for _, option in degradation.options.values()]
    elif isinstance(degradation, Sometimes):
        children = [degradation.step]
    elif isinstance(degradation, Levels):
        children = list(degradation.levels)
    for child in children:
        yield from parts(child)
