"""The metrics of a picture against its target, by name, with what a reader should know of them."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics.consistency import colour_drift, consistency
from palette.eval.metrics.distortion import Pixels, Undefined, psnr, ssim
from palette.eval.metrics.multiscale import ms_ssim
from palette.eval.metrics.weights import Weights


@dataclass(frozen=True)
class Pair:
    """One restored picture beside what is known of it.

    ``answer`` and ``target`` are ``(H, W, 3)`` uint8; ``given`` is the input at its own size;
    ``mask`` ``(H, W)`` is True where the input was missing; ``draws`` are several samples of the
    same input, the answer among them.
    """

    answer: Pixels
    target: Pixels
    given: Pixels | None = None
    mask: NDArray[np.bool_] | None = None
    label: str | None = None
    draws: Sequence[Pixels] = ()


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


Value = float | str
"""A finite number, or the reason why there is none."""

Measure = Callable[[Sequence[Pair]], list[Value]]


@dataclass(frozen=True)
class Metric:
    """A per-picture metric: its words for the report, and how to begin measuring.

    ``better`` "zero" is for signed errors. ``weights`` is the kind of file that it needs.
    """

    title: str
    unit: str
    better: Literal["higher", "lower", "zero"]
    digits: int
    expect: str
    begin: Callable[[Setup], Measure]
    weights: str | None = None


def each(function: Callable[[Pair], float]) -> Measure:
    """A measure that goes from pair to pair, and says why where there is no finite value."""

    def value(pair: Pair) -> Value:
        try:
            number = function(pair)
        except Undefined as reason:
            return str(reason)
        return number if math.isfinite(number) else "identical to the target: infinite"

    return lambda pairs: [value(pair) for pair in pairs]


def hole(pair: Pair) -> NDArray[np.bool_]:
    if pair.mask is None:
        raise Undefined("this task has no mask")
    return pair.mask


def _draws(pair: Pair) -> Sequence[Pixels]:
    if len(pair.draws) < 2:
        raise Undefined("diversity needs two samples or more of an input")
    return pair.draws


def _psnr(setup: Setup) -> Measure:
    return each(lambda p: psnr(p.answer, p.target, luma=setup.luma, border=setup.border))


def _ssim(setup: Setup) -> Measure:
    return each(lambda p: ssim(p.answer, p.target, luma=setup.luma, border=setup.border))


def _ms_ssim(setup: Setup) -> Measure:
    return each(lambda p: ms_ssim(p.answer, p.target))


def _psnr_hole(setup: Setup) -> Measure:
    return each(lambda p: psnr(p.answer, p.target, mask=hole(p)))


def _ssim_hole(setup: Setup) -> Measure:
    return each(lambda p: ssim(p.answer, p.target, mask=hole(p)))


def _consistency(setup: Setup) -> Measure:
    def value(pair: Pair) -> float:
        if pair.given is None:
            raise Undefined("consistency needs the input")
        return consistency(pair.answer, pair.given)

    return each(value)


def _drift(channel: int) -> Callable[[Setup], Measure]:
    return lambda setup: each(lambda p: float(colour_drift(p.answer, p.target)[channel]))


def _lpips(setup: Setup) -> Measure:
    from palette.eval.metrics.perceptual import lpips_distance

    distance = lpips_distance(setup.weights["alexnet"], setup.device)
    return each(lambda p: distance(p.answer, p.target))


def _pd(setup: Setup) -> Measure:
    from palette.eval.metrics.perceptual import googlenet_distance

    distance = googlenet_distance(setup.weights["googlenet"], setup.device)
    return each(lambda p: distance(p.answer, p.target))


def _accuracy(within: int) -> Callable[[Setup], Measure]:
    def begin(setup: Setup) -> Measure:
        from palette.eval.metrics.classification import class_indices, resnet50

        indices = class_indices(setup.labels, 1000)
        rank = resnet50(setup.weights["classifier"], setup.device)

        def measure(pairs: Sequence[Pair]) -> list[Value]:
            ranked = rank([pair.answer for pair in pairs])[:, :within]
            truth = [indices[str(pair.label)] for pair in pairs]
            return [100.0 * (label in row) for label, row in zip(truth, ranked, strict=True)]

        return measure

    return begin


def _diversity_lpips(setup: Setup) -> Measure:
    from palette.eval.metrics.perceptual import lpips_distance

    distance = lpips_distance(setup.weights["alexnet"], setup.device)

    def value(pair: Pair) -> float:
        return float(np.mean([distance(a, b) for a, b in combinations(_draws(pair), 2)]))

    return each(value)


def _diversity_ms_ssim(setup: Setup) -> Measure:
    def value(pair: Pair) -> float:
        first, *others = _draws(pair)
        return float(np.mean([ms_ssim(first, other) for other in others]))

    return each(value)


def _diversity_deviation(setup: Setup) -> Measure:
    def value(pair: Pair) -> float:
        variance = np.stack(_draws(pair)).astype(np.float64).var(axis=0, ddof=1)
        return math.sqrt(variance.mean())

    return each(value)


def _drift_metric(channel: int, name: str) -> Metric:
    return Metric(
        f"{name} drift",
        "levels",
        "zero",
        2,
        f"Mean signed error of {name}. A colour cast shows here long before the eye agrees: "
        "beyond ±1 look for it.",
        _drift(channel),
    )


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
    "ms-ssim": Metric(
        "MS-SSIM",
        "",
        "higher",
        4,
        "SSIM over five scales, for pictures of 176 pixels a side or more; 1 is identical.",
        _ms_ssim,
    ),
    "psnr-hole": Metric(
        "PSNR in the hole",
        "dB",
        "higher",
        2,
        "Missing pixels alone. Where much is missing a good answer may still differ from the "
        "original: prefer FID or KID there.",
        _psnr_hole,
    ),
    "ssim-hole": Metric(
        "SSIM in the hole",
        "",
        "higher",
        4,
        "The similarity map averaged over the missing pixels alone.",
        _ssim_hole,
    ),
    "consistency": Metric(
        "consistency",
        "1e-5",
        "lower",
        2,
        "Mean squared error of the downsampled answer to its own input. Rounding to 8 bits alone "
        "makes about 0.1; SR3 reports 2.7 for 16→128 faces; an answer that ignores its input is "
        "far above.",
        _consistency,
    ),
    "drift-red": _drift_metric(0, "red"),
    "drift-green": _drift_metric(1, "green"),
    "drift-blue": _drift_metric(2, "blue"),
    "lpips": Metric(
        "LPIPS",
        "",
        "lower",
        4,
        "Distance in AlexNet's features, nearer to what people see than PSNR: a sample may well "
        "beat the mean answer here.",
        _lpips,
        weights="alexnet",
    ),
    "pd": Metric(
        "PD-GoogLeNet",
        "",
        "lower",
        1,
        "Distance to the original in pool features of torchvision's GoogLeNet; the paper's PD uses "
        "another Inception-v1, so compare rows here, not with the paper.",
        _pd,
        weights="googlenet",
    ),
    "ca": Metric(
        "CA top-1",
        "%",
        "higher",
        1,
        "How often ResNet-50 names the right class. The originals' figure is the ceiling.",
        _accuracy(1),
        weights="classifier",
    ),
    "ca-top5": Metric(
        "CA top-5",
        "%",
        "higher",
        1,
        "The right class among ResNet-50's first five.",
        _accuracy(5),
        weights="classifier",
    ),
    "diversity": Metric(
        "deviation of samples",
        "grey levels",
        "higher",
        2,
        "Standard deviation between samples of one input, over all pixels: 0 would be a model "
        "that always answers the same.",
        _diversity_deviation,
    ),
    "diversity-lpips": Metric(
        "LPIPS between samples",
        "",
        "higher",
        4,
        "Mean over pairs of samples of one input.",
        _diversity_lpips,
        weights="alexnet",
    ),
    "diversity-ms-ssim": Metric(
        "MS-SSIM between samples",
        "",
        "lower",
        4,
        "The first sample against the others; lower is more diverse.",
        _diversity_ms_ssim,
    ),
}
