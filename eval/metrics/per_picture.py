"""Metrics of one picture against its target: what they are given, and how they begin."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics.cell import Undefined, Value
from palette.eval.metrics.multiscale import ms_ssim
from palette.eval.metrics.pixels import Pixels
from palette.eval.metrics.weights import Weights


@dataclass(frozen=True)
class Pair:
    """One restored picture beside what is known of it.

    ``answer`` and ``target`` are ``(H, W, 3)`` uint8; ``given`` is the input at its own size;
    ``mask`` ``(H, W)`` is True where the input was missing; ``draws`` are several samples of the
    same input, the answer among them. ``grey``: all of it was one channel, which has no luma.
    """

    answer: Pixels
    target: Pixels
    given: Pixels | None = None
    mask: NDArray[np.bool_] | None = None
    label: str | None = None
    draws: Sequence[Pixels] = ()
    grey: bool = False


@dataclass(frozen=True)
class Setup:
    """What measuring needs beside pictures.

    ``luma`` and ``border``: distortion on luma, without a border. ``weights``: by kind.
    ``labels``: the class of every picture of the evaluation, for classifiers.
    """

    luma: bool = False
    border: int = 0
    weights: Mapping[str, Weights] = field(default_factory=dict)
    labels: Sequence[str] = ()
    device: str = "cpu"


Measure = Callable[[Sequence[Pair]], list[Value]]
Begin = Callable[[Setup], Measure]
"""Loads what a metric needs once, and returns the function that measures."""


def each(function: Callable[[Pair], float]) -> Measure:
    """A measure that goes from pair to pair, and says why where there is no finite value."""

    def value(pair: Pair) -> Value:
        try:
            number = function(pair)
        except Undefined as reason:
            return str(reason)
        return number if math.isfinite(number) else "identical to the target: infinite"

    return lambda pairs: [value(pair) for pair in pairs]


def plain(function: Callable[[Pair, Setup], float]) -> Begin:
    """For a metric that loads nothing."""
    return lambda setup: each(lambda pair: function(pair, setup))


def distortion(measure: Callable[..., float]) -> Begin:
    """For PSNR and the like: on luma and without a border where that is asked for."""
    return plain(
        lambda p, s: measure(p.answer, p.target, luma=s.luma and not p.grey, border=s.border)
    )


def hole(pair: Pair) -> NDArray[np.bool_]:
    """The mask ``(H, W)``."""
    if pair.mask is None:
        raise Undefined("this task has no mask")
    return pair.mask


def input_of(pair: Pair) -> Pixels:
    """What the model was given, ``(h, w, 3)``."""
    if pair.given is None:
        raise Undefined("consistency needs the input")
    return pair.given


def samples_of(pair: Pair) -> Sequence[Pixels]:
    """Two samples or more of one input."""
    if len(pair.draws) < 2:
        raise Undefined("diversity needs two samples or more of an input")
    return pair.draws


def lpips(kind: str) -> Begin:
    """LPIPS by the network that weights of this kind are for."""

    def begin(setup: Setup) -> Measure:
        from palette.eval.metrics.perceptual import lpips_distance

        distance = lpips_distance(setup.weights[kind], setup.device)
        return each(lambda p: distance(p.answer, p.target))

    return begin


def begin_pd(setup: Setup) -> Measure:
    from palette.eval.metrics.perceptual import googlenet_distance

    distance = googlenet_distance(setup.weights["googlenet"], setup.device)
    return each(lambda p: distance(p.answer, p.target))


def accuracy_within(first: int) -> Begin:
    """100 where the right class is among the ``first`` that the classifier names, else 0."""

    def begin(setup: Setup) -> Measure:
        from palette.eval.metrics.classification import class_indices, resnet50

        indices = class_indices(setup.labels, 1000)
        rank = resnet50(setup.weights["classifier"], setup.device)

        def measure(pairs: Sequence[Pair]) -> list[Value]:
            ranked = rank([pair.answer for pair in pairs])[:, :first]
            truth = [indices[str(pair.label)] for pair in pairs]
            return [100.0 * (label in row) for label, row in zip(truth, ranked, strict=True)]

        return measure

    return begin


def begin_diversity_lpips(setup: Setup) -> Measure:
    from palette.eval.metrics.perceptual import lpips_distance

    distance = lpips_distance(setup.weights["alexnet"], setup.device)

    def value(pair: Pair) -> float:
        return float(np.mean([distance(a, b) for a, b in combinations(samples_of(pair), 2)]))

    return each(value)


def diversity(pair: Pair, setup: Setup) -> float:
    variance = np.stack(samples_of(pair)).astype(np.float64).var(axis=0, ddof=1)
    return math.sqrt(variance.mean())


def diversity_ms_ssim(pair: Pair, setup: Setup) -> float:
    first, *others = samples_of(pair)
    return float(np.mean([ms_ssim(first, other) for other in others]))
