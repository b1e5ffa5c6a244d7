"""Pins: a parameter set by hand, whatever was drawn. ``jpeg.quality=40``, ``sensor.on=true``.

A pin is NAME.PARAM: NAME is that of a step, or of anything around it, or of the whole; without a
NAME it holds everywhere. All other parameters stay as drawn, so pinning one changes nothing else.
What a pipeline has to pin is what its draws hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from palette.degradations.base import Degradation
from palette.errors import UserError, nearest
from palette.seeding import rng
from palette.types import Params, Spec

Pins = Mapping[str, Any]
"""NAME.PARAM to a plain JSON value."""

_STRUCTURE = {"name", "level", "steps", "params"}
_TRIAL_DRAWS = 300
"""Enough to meet a step with a probability of 0.03 almost for certain (1 − 10⁻⁴)."""


def parse_pins(texts: Sequence[str]) -> dict[str, Any]:
    """``["jpeg.quality=40"]`` to ``{"jpeg.quality": 40}``; values are JSON, or else strings."""
    pins: dict[str, Any] = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UserError(f"pin {text!r}: write NAME.PARAM=VALUE, e.g. jpeg.quality=40")
        try:
            pins[name] = json.loads(value)
        except json.JSONDecodeError:
            pins[name] = value
    return pins


def pin(params: Params, pins: Pins, name: str = "") -> Params:
    """A copy of ``params`` with the pinned values; ``name`` is that of the whole."""
    copy = json.loads(json.dumps(params))
    for names, node in _nodes(copy, (name,)):
        for key in _pinnable_keys(node):
            for spelling in _spellings(names, key):
                if spelling in pins:
                    node[key] = pins[spelling]
    return copy


def pinnable(degradation: Degradation, name: str = "") -> dict[str, Any]:
    """Every pin that the degradation has, with a value that was drawn for it."""
    found: dict[str, Any] = {}
    for i in range(_TRIAL_DRAWS):
        params = degradation.draw(Spec(64, 64), rng(i, "pinnable"))
        for names, node in _nodes(params, (name,)):
            for key in _pinnable_keys(node):
                for spelling in _spellings(names, key):
                    found.setdefault(spelling, node[key])
    return found


def check_pins(degradation: Degradation, pins: Pins, name: str = "") -> None:
    """UserError for a pin that the degradation does not have or whose type is another."""
    known = pinnable(degradation, name) if pins else {}
    for spelling, value in pins.items():
        if spelling not in known:
            choices = [key for key in known if "." in key] or known
            raise UserError(f"nothing to pin as {spelling!r}: {nearest(spelling, choices)}")
        if not _same_kind(value, known[spelling]):
            raise UserError(f"pin {spelling}={value!r}: write a value like {known[spelling]!r}")


def _same_kind(value: Any, example: Any) -> bool:
    if isinstance(example, bool) or isinstance(value, bool):
        return isinstance(example, bool) and isinstance(value, bool)
    if isinstance(example, float):
        return isinstance(value, int | float)
    return isinstance(value, type(example))


def _nodes(params: Params, names: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Params]]:
    """All dictionaries of parameters within ``params``, each with the names around it."""
    if "name" in params:
        names = (*names, params["name"])
    yield names, params
    for child in [*params.get("steps", []), params.get("params")]:
        if isinstance(child, dict):
            yield from _nodes(child, names)


def _pinnable_keys(node: Params) -> list[str]:
    """What around a step decides which step it is cannot be pinned: its params were drawn."""
    return ["on"] * ("on" in node) if _STRUCTURE & node.keys() else list(node)


def _spellings(names: tuple[str, ...], key: str) -> list[str]:
    return [key, *(f"{name}.{key}" for name in names if name)]
