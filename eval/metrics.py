"""The metrics of a picture against its target, by name, with what a reader should know of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palette.eval.distortion import Pixels, Undefined, psnr, ssim


@dataclass(frozen=True)
class Pair:
    """One restored picture beside what is known of it.

    ``answer`` and ``target`` are ``(H, W, 3)`` uint8; ``given`` is the input at its own size;
    ``mask`` ``(H, W)`` is True where the input was missing.
    """

    answer: Pixels
    target: Pixels
    given: Pixels | None = None
    mask: NDArray[np.bool_] | None = None
    label: str | None = None


@dataclass(frozen=True)
class Convention:
    """How distortion is measured: RGB of the whole picture, or luma without a border."""

    luma: bool = False
    border: int = 0


Value = float | str
"""A finite number, or the reason why there is none."""

Measure = Callable[[Sequence[Pair]], list[Value]]


@dataclass(frozen=True)
class Metric:
    """A per-picture metric: its words for the report, and how to begin measuring."""

    title: str
    unit: str
    better: Literal["higher", "lower"]
    digits: int
    expect: str
    begin: Callable[[Convention], Measure]


def _each(function: Callable[[Pair], float]) -> Measure:
    """A measure that goes from pair to pair, and says why where there is no finite value."""

    def value(pair: Pair) -> Value:
        try:
            number = function(pair)
        except Undefined as reason:
            return str(reason)
        return number if math.isfinite(number) else "identical to the target: the ratio is infinite"

    return lambda pairs: [value(pair) for pair in pairs]


def _psnr(how: Convention) -> Measure:
    return _each(lambda p: psnr(p.answer, p.target, luma=how.luma, border=how.border))


def _ssim(how: Convention) -> Measure:
    return _each(lambda p: ssim(p.answer, p.target, luma=how.luma, border=how.border))


METRICS: dict[str, Metric] = {
    "psnr": Metric(
        "PSNR",
        "dB",
        "higher",
        2,
        "Rewards the average of all plausible pictures: the mean answer should beat the input and "
        "the baseline. One sample of a perfect model lies 3.0 dB below its mean answer.",
        _psnr,
    ),
    "ssim": Metric(
        "SSIM",
        "",
        "higher",
        4,
        "Local structure, 1 is identical. Like PSNR it prefers the smooth mean answer to a sample.",
        _ssim,
    ),
}


def lookup(names: Sequence[str]) -> dict[str, Metric]:
    """The metrics of these names, in this order."""
    unknown = [name for name in names if name not in METRICS]
    if unknown:
        raise ValueError(f"unknown metric {unknown[0]!r}: choose from {', '.join(METRICS)}")
    return {name: METRICS[name] for name in names}
