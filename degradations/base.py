"""The base class of all degradations, and what they share: severity and the check of a picture.

An operator decides in ``draw``, which sees the size of a picture and never its pixels, and acts in
``apply``, which draws nothing. So every result can be recorded, replayed and pinned.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from torch import Tensor

from palette.degradations.batches import Batch, Pictures, one_by_one
from palette.errors import UserError
from palette.types import Mask, Params, Picture, Spec

SEVERITY_WINDOW = 0.2
"""The share of a published range that the draws of one severity cover."""


@dataclass(frozen=True)
class Degradation(ABC):
    """A random operator on pictures.

    Subclasses are frozen dataclasses; the first line of their docstring describes them in
    ``palette degradations``. All but ``draw`` and ``apply`` has a default, that of an operator
    which keeps the size and every pixel in its place.
    """

    scale: int | None = field(default=None, init=False, repr=False, compare=False)
    """What divides both sides; None: the degradation takes no scale."""
    bits: int | None = field(default=None, init=False, repr=False, compare=False)
    """Bits per channel that the result is rounded to; None: it is not rounded."""
    codec: ClassVar[bool] = False
    """Whether the picture goes through a file format that holds 8 bits per channel."""
    moves_pixels: ClassVar[bool] = False
    """Whether pixels may change their places, as in a crop or a flip."""

    @abstractmethod
    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        """Plain JSON values that decide everything; noise is a seed."""

    @abstractmethod
    def apply(self, picture: Picture, params: Params) -> Picture:
        """The degraded picture, a new array; the same bits for the same arguments."""

    def apply_batch(self, pictures: Pictures, params: Batch, /) -> list[Tensor]:
        """``apply`` for tensors (3, H, W) in [0, 1] of any sizes, on their device.

        Picture i is what it would be alone. This default takes them through NumPy one by one;
        :func:`palette.degradations.batches.by_size` helps to write a faster one.
        """
        return one_by_one(self.apply, pictures, params)

    def resized(self, spec: Spec, params: Params) -> Spec:
        """The spec of the result, so that later operators can draw for it."""
        return spec

    def mask(self, params: Params) -> Mask | None:
        """(H, W), True where the picture is missing. Only a hole has one: see
        :class:`palette.degradations.masks.Hole`."""
        return None

    def children(self) -> Iterable[Degradation]:
        """The degradations that a composition is made of."""
        return ()

    def walk(self) -> Iterator[Degradation]:
        """This degradation and all that it is made of."""
        yield self
        for child in self.children():
            yield from child.walk()


def check_severity(severity: float | None) -> None:
    """UserError for a severity outside of [0, 1]."""
    if severity is not None and not 0 <= severity <= 1:
        raise UserError(f"severity {severity} is not in [0, 1]: 0 is mild, 1 is harsh")


def quantile(spec: Spec, rng: np.random.Generator) -> float:
    """How harsh a draw is: 0 the mild, 1 the harsh end of a published range.

    Without a severity it is uniform in [0, 1], which gives the published distribution. With a
    severity it is uniform in a window a fifth as wide, which moves from the one end to the other.
    """
    u = rng.random()
    if spec.severity is None:
        return u
    check_severity(spec.severity)
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

    UserError for integers, whose range would have to be guessed, and for other shapes.
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
