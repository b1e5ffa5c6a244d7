"""The formula of an ICC profile: tone curves, and for RGB a matrix to XYZ under D50.

Source: ICC.1:2022, sections 8.3 (matrix profiles), 10.6 (curves), 10.18 (parametric curves).
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError

Curve = Callable[[NDArray[np.float64]], NDArray[np.float64]]
"""Encoded value to linear light, both in [0, 1]."""


@dataclass(frozen=True)
class Formula:
    """``curves`` of each channel, one for grey; ``matrix`` (3, 3) from linear RGB to XYZ."""

    curves: tuple[Curve, ...]
    matrix: NDArray[np.float64] | None


def formula(profile: bytes) -> Formula:
    """UserError for a profile of tables, or one that lacks a part of its formula."""
    try:
        tags = _tags(profile)
        if b"A2B0" in tags:
            raise UserError("it holds tables")
        if b"kTRC" in tags:
            return Formula((_curve(tags[b"kTRC"]),), None)
        curves = tuple(_curve(tags[name]) for name in (b"rTRC", b"gTRC", b"bTRC"))
        columns = [_xyz(tags[name]) for name in (b"rXYZ", b"gXYZ", b"bXYZ")]
    except (KeyError, struct.error) as error:
        raise UserError("it lacks a matrix or curves") from error
    return Formula(curves, np.stack(columns, axis=-1))


def _tags(profile: bytes) -> dict[bytes, bytes]:
    (count,) = struct.unpack_from(">I", profile, 128)
    rows = [struct.unpack_from(">4sII", profile, 132 + 12 * i) for i in range(min(count, 100))]
    return {name: profile[offset : offset + size] for name, offset, size in rows}


def _xyz(tag: bytes) -> NDArray[np.float64]:
    return np.array(struct.unpack_from(">3i", tag, 8)) / 65536


def _curve(tag: bytes) -> Curve:
    if tag[:4] == b"para":
        return _parametric_curve(tag)
    if tag[:4] != b"curv":
        raise UserError(f"its tone curve is of type {tag[:4]!r}")
    (count,) = struct.unpack_from(">I", tag, 8)
    table = np.array(struct.unpack_from(f">{count}H", tag, 12), np.float64)
    if count == 0:
        return lambda v: v
    if count == 1:
        return lambda v: v ** (table[0] / 256)
    return lambda v: np.interp(v, np.linspace(0, 1, count), table / 65535)


def _parametric_curve(tag: bytes) -> Curve:
    """ICC.1:2022 table 68. Forms 0 to 2 are forms 3 and 4 with some parameters fixed."""
    (form,) = struct.unpack_from(">H", tag, 8)
    count = {0: 1, 1: 3, 2: 4, 3: 5, 4: 7}.get(form)
    if count is None:
        raise UserError(f"its tone curve is of form {form}")
    p = [n / 65536 for n in struct.unpack_from(f">{count}i", tag, 12)]
    if form == 0:
        g, a, b, c, d, e, f = p[0], 1.0, 0.0, 0.0, 0.0, 0.0, 0.0
    elif form in (1, 2):  # (a·v + b)^g + k from −b/a on, k below
        g, a, b = p[:3]
        k = p[3] if form == 2 else 0.0
        c, d, e, f = 0.0, -b / a if a else 0.0, k, k
    else:
        g, a, b, c, d, e, f = [*p, 0.0, 0.0][:7]
    return lambda v: np.where(v >= d, np.maximum(a * v + b, 0) ** g + e, c * v + f)
