"""What every operator shares: severity, the size after an operator, and the check of a picture."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np

from palette.errors import UserError
from palette.types import Degradation, Params, Picture, Spec

SEVERITY_WINDOW = 0.2
"""Which share of a published range a draw of one severity covers."""


class Resizing(Degradation, Protocol):
    """A degradation whose result has another size than its input."""

    def resized(self, spec: Spec, params: Params) -> Spec:
        """The spec of the result, so that later operators can draw for it."""
        ...


def size_after(degradation: Degradation, spec: Spec, params: Params) -> Spec:
    """The spec of ``degradation.apply(picture, params)``; operators without ``resized`` keep it."""
    if not hasattr(degradation, "resized"):  # isinstance of a Protocol takes ten times as long
        return spec
    return cast(Resizing, degradation).resized(spec, params)


def quantile(spec: Spec, rng: np.random.Generator) -> float:
    """How harsh a draw is: 0 the mild, 1 the harsh end of a published range.

    Without a severity it is uniform in [0, 1], which gives the published distribution. With a
    severity it is uniform in a window a fifth as wide, which moves from the one end to the other.
    """
    u = rng.random()
    if spec.severity is None:
        return u
    if not 0 <= spec.severity <= 1:
        raise UserError(f"severity {spec.severity} is not in [0, 1]: 0 is mild, 1 is harsh")
    return spec.severity * (1 - SEVERITY_WINDOW) + u * SEVERITY_WINDOW


def between(mild: float, harsh: float, u: float) -> float:
    """The uniform range from ``mild`` to ``harsh`` at quantile ``u``."""
    return mild + u * (harsh - mild)


def integer_between(mild: int, harsh: int, u: float) -> int:
    """The integers from ``mild`` to ``harsh``, both included and equally likely, at ``u``."""
    count = abs(harsh - mild) + 1
    step = min(int(u * count), count - 1)
    return mild + step if harsh >= mild else mild - step


def check(picture: Picture) -> Picture:
    """The picture as contiguous float32 ``(H, W, 3)``, copied only where it has to be.

    Integers and other shapes are a ValueError: guessing their range would spoil them in silence.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or min(picture.shape[:2]) < 1:
        raise UserError(f"a picture has the shape (H, W, 3), not {picture.shape}")
    if picture.dtype.kind != "f":
        raise UserError(
            f"a picture is float32 in [0, 1], not {picture.dtype}: divide by the largest value"
        )
    return np.ascontiguousarray(picture, dtype=np.float32)


def clipped(values: np.ndarray) -> Picture:
    """``values`` as a picture: float32, within [0, 1]. The caller's own array is changed."""
    values = np.asarray(values, dtype=np.float32)
    return np.clip(values, 0, 1, out=values)


def round_to_bits(picture: Picture, bits: int = 8) -> Picture:
    """The nearest picture that a file of ``bits`` per channel can hold."""
    levels = np.float32(2**bits - 1)
    scaled = picture * levels
    np.rint(scaled, out=scaled)
    scaled /= levels
    return clipped(scaled)
