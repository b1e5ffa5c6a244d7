"""Damage as disks, networks and editors do it; JSON and TOML also by changing values."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Callable
from typing import Any

import numpy as np
import tomli_w

Draws = np.random.Generator

EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
"""Values at which counts, sizes and offsets overflow."""
ODD = (None, True, -1, 0, 1.5, 1e308, 10**30, "", "../../etc", "\x00", [], {}, [[]], {"a": {}})
"""What may stand in place of any value of a text."""


def mutated(whole: bytes, suffix: str, draws: Draws) -> bytes:
    """One to four pieces of damage. The same for the same ``draws``."""
    structured = {".json": _changed_json, ".toml": _changed_toml}.get(suffix)
    if structured is not None and draws.random() < 0.7:
        return structured(whole, draws)
    data = bytearray(whole)
    for _ in range(int(draws.integers(1, 5)) if draws.random() < 0.4 else 1):
        WAYS[int(draws.integers(len(WAYS)))](data, draws)
    return bytes(data)


def _place(data: bytearray, draws: Draws) -> int:
    """Anywhere, half of the time among the first 256 bytes, where the headers are."""
    reach = min(len(data), 256) if draws.random() < 0.5 else len(data)
    return int(draws.integers(max(1, reach)))


def _flip_a_bit(data: bytearray, draws: Draws) -> None:
    if data:
        data[_place(data, draws)] ^= 1 << int(draws.integers(8))


def _set_a_byte(data: bytearray, draws: Draws) -> None:
    if data:
        data[_place(data, draws)] = int(draws.integers(256))


def _set_a_number(data: bytearray, draws: Draws) -> None:
    """Of two or four bytes, in either order."""
    width = int(draws.choice([2, 4]))
    value = int(draws.choice(EXTREMES)) % 256**width
    at, order = _place(data, draws), "little" if draws.random() < 0.5 else "big"
    data[at : at + width] = value.to_bytes(width, order)  # type: ignore[arg-type]


def _cut(data: bytearray, draws: Draws) -> None:
    del data[_place(data, draws) :]


def _zero_a_sector(data: bytearray, draws: Draws) -> None:
    at = _place(data, draws) // 512 * 512
    data[at : at + 512] = bytes(len(data[at : at + 512]))


def _noise(data: bytearray, draws: Draws) -> None:
    at, length = _place(data, draws), int(draws.integers(1, 64))
    data[at : at + length] = draws.bytes(len(data[at : at + length]))


def _delete(data: bytearray, draws: Draws) -> None:
    at = _place(data, draws)
    del data[at : at + int(draws.integers(1, 32))]


def _repeat(data: bytearray, draws: Draws) -> None:
    at, length = _place(data, draws), int(draws.integers(1, 64))
    data[at:at] = data[at : at + length]


def _append(data: bytearray, draws: Draws) -> None:
    data += draws.bytes(int(draws.integers(1, 64)))


WAYS: tuple[Callable[[bytearray, Draws], None], ...] = (
    _flip_a_bit,
    _flip_a_bit,
    _set_a_byte,
    _set_a_number,
    _cut,
    _zero_a_sector,
    _noise,
    _delete,
    _repeat,
    _append,
)


def _changed_json(whole: bytes, draws: Draws) -> bytes:
    return json.dumps(_changed(json.loads(whole), draws)).encode()


def _changed_toml(whole: bytes, draws: Draws) -> bytes:
    values = _without_none(_changed(tomllib.loads(whole.decode()), draws))
    try:
        return tomli_w.dumps(values).encode()
    except (TypeError, AttributeError):  # no table at its top
        return b"= 1"


def _changed(value: Any, draws: Draws) -> Any:
    """With an odd value in some place, a place less or one more."""
    places = list(_places(value))
    holder, key = places[int(draws.integers(len(places)))]
    if holder is None:
        return _odd(draws)
    way = draws.random()
    if way < 0.25:
        del holder[key]
    elif way < 0.35 and isinstance(holder, dict):
        holder[f"{key}x"] = holder.pop(key)
    else:
        holder[key] = _odd(draws)
    return value


def _odd(draws: Draws) -> Any:
    return ODD[int(draws.integers(len(ODD)))]


def _places(value: Any) -> Any:
    """Every container and key below a value; the value itself has none."""
    yield None, None
    below = [value]
    while below:
        holder = below.pop()
        keys = holder if isinstance(holder, dict) else range(len(holder))
        for key in list(keys):
            yield holder, key
            if isinstance(holder[key], dict | list):
                below.append(holder[key])


def _without_none(value: Any) -> Any:
    """As TOML has no null."""
    if isinstance(value, dict):
        return {k: _without_none(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [_without_none(v) for v in value if v is not None]
    return value
