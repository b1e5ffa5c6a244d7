"""The metrics by name: the words of each for the report, and how it is computed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from palette.eval.metrics import iqa, per_picture, set_metrics
from palette.eval.metrics.cas import Hits
from palette.eval.metrics.cell import Cell
from palette.eval.metrics.consistency import colour_drift, consistency, octave_error
from palette.eval.metrics.distortion import psnr, psnr_b, psnr_b_colour, ssim
from palette.eval.metrics.multiscale import ms_ssim
from palette.eval.metrics.per_picture import Begin, distortion, hole, input_of, plain
from palette.eval.metrics.set_metrics import PictureSet


@dataclass(frozen=True)
class PerPicture:
    """Of every picture and its target; the table shows the mean."""

    begin: Begin


@dataclass(frozen=True)
class PerSet:
    """Of all pictures of a row together, from their Inception features."""

    compute: Callable[[PictureSet], Cell]


@dataclass(frozen=True)
class Trained:
    """Of a classifier trained on a row: the test pictures ``(N,)`` that it knows."""

    known: Callable[[Hits], NDArray[np.bool_]]


@dataclass(frozen=True)
class Metric:
    """The words of a metric for the report, and ``how`` it is computed.

    ``better`` "zero" is for signed errors. ``digits`` follow the point. ``expect`` says what to
    expect of the figure. ``weights`` is the kind of weights file that it needs.
    """

    title: str
    unit: str
    better: Literal["higher", "lower", "zero"]
    digits: int
    how: PerPicture | PerSet | Trained
    expect: str
    weights: str | None = None

    @property
    def per_picture(self) -> bool:
        """Whether every picture has a value of its own."""
        return isinstance(self.how, PerPicture)

    def as_json(self) -> dict[str, Any]:
        """The words alone."""
        return {
            "title": self.title,
            "unit": self.unit,
            "better": self.better,
            "digits": self.digits,
            "expect": self.expect,
            "per_picture": self.per_picture,
        }


def _drift(channel: int, name: str) -> Metric:
    return Metric(
        f"{name} drift",
        "levels",
        "zero",
        2,
        PerPicture(plain(lambda p, _: float(colour_drift(p.answer, p.target)[channel]))),
        f"Mean signed error of {name}. A colour cast shows here long before the eye agrees: "
        "beyond ±1 look for it.",
    )


def _octave(number: int, frequencies: str) -> Metric:
    return Metric(
        f"octave {number}",
        "dB",
        "zero",
        2,
        PerPicture(plain(lambda p, _: octave_error(p.answer, p.target, number))),
        f"Energy at {frequencies} cycle per pixel over the original's. Below 0 detail is missing, "
        "as in every mean answer; above 0 there is more than the truth has: noise.",
    )


def _by_pyiqa(
    name: str, title: str, better: Literal["higher", "lower"], digits: int, expect: str
) -> Metric:
    how = PerPicture(iqa.judged_by(name))
    return Metric(title, "", better, digits, how, expect, weights=iqa.JUDGES[name].weights)


_ALONE = "Looks at the answer alone, without its original: "

_CAS = (
    "Accuracy on real pictures of a classifier trained on this row's pictures alone: highest for "
    "the originals (the real twin), lowest for the degraded inputs, which the baseline enlarges. "
    "Answers near the originals carry what a classifier needs."
)

METRICS: dict[str, Metric] = {
    "psnr": Metric(
        "PSNR",
        "dB",
        "higher",
        2,
        PerPicture(distortion(psnr)),
        "Rewards the average of all plausible pictures: the mean answer should beat the input and "
        "the baseline. Samples of a perfect model lie 3.0 dB below its mean answer (pooled error).",
    ),
    "ssim": Metric(
        "SSIM",
        "",
        "higher",
        4,
        PerPicture(distortion(ssim)),
        "Local structure, 1 is identical. Like PSNR it prefers the smooth mean answer to a sample.",
    ),
    "psnr-b": Metric(
        "PSNR-B",
        "dB",
        "higher",
        2,
        PerPicture(distortion(psnr_b)),
        "PSNR that also counts the steps left between blocks of 8 × 8 pixels, for JPEG: the more "
        "it lies below PSNR, the more blocking is left.",
    ),
    "psnr-b-colour": Metric(
        "PSNR-B, colour",
        "dB",
        "higher",
        2,
        PerPicture(plain(lambda p, s: psnr_b_colour(p.answer, p.target, border=s.border))),
        "PSNR of RGB that also counts the steps between blocks of the luma: what tables of colour "
        "JPEG restoration print as PSNR-B.",
    ),
    "ms-ssim": Metric(
        "MS-SSIM",
        "",
        "higher",
        4,
        PerPicture(plain(lambda p, _: ms_ssim(p.answer, p.target))),
        "SSIM over five scales, for pictures of 176 pixels a side or more; 1 is identical.",
    ),
    "psnr-hole": Metric(
        "PSNR in the hole",
        "dB",
        "higher",
        2,
        PerPicture(plain(lambda p, _: psnr(p.answer, p.target, mask=hole(p)))),
        "Missing pixels alone. Where much is missing a good answer may still differ from the "
        "original: prefer FID or KID there.",
    ),
    "ssim-hole": Metric(
        "SSIM in the hole",
        "",
        "higher",
        4,
        PerPicture(plain(lambda p, _: ssim(p.answer, p.target, mask=hole(p)))),
        "The similarity map averaged over the missing pixels alone.",
    ),
    "consistency": Metric(
        "consistency",
        "1e-5",
        "lower",
        2,
        PerPicture(plain(lambda p, _: consistency(p.answer, input_of(p)))),
        "Mean squared error of the downsampled answer to its own input. Rounding to 8 bits alone "
        "makes about 0.1; SR3 reports 2.7 for 16→128 faces; an answer that ignores its input is "
        "far above.",
    ),
    "drift-red": _drift(0, "red"),
    "drift-green": _drift(1, "green"),
    "drift-blue": _drift(2, "blue"),
    "octave-1": _octave(1, "1/4 and more"),
    "octave-2": _octave(2, "1/8 to 1/4"),
    "octave-3": _octave(3, "1/16 to 1/8"),
    "lpips": Metric(
        "LPIPS",
        "",
        "lower",
        4,
        PerPicture(per_picture.lpips("alexnet")),
        "Distance in AlexNet's features, nearer to what people see than PSNR: a sample may well "
        "beat the mean answer here.",
        weights="alexnet",
    ),
    "lpips-squeeze": Metric(
        "LPIPS-Squeeze",
        "",
        "lower",
        4,
        PerPicture(per_picture.lpips("squeezenet")),
        "LPIPS in SqueezeNet's features, whose file is small. Its figures are not those of LPIPS, "
        "which papers print.",
        weights="squeezenet",
    ),
    "dists": _by_pyiqa(
        "dists", "DISTS", "lower", 4, "Structure and texture in VGG's features, not place by place."
    ),
    "topiq": _by_pyiqa(
        "topiq", "TOPIQ", "higher", 4, "Quality beside the original, as people scored KADID-10k."
    ),
    "niqe": _by_pyiqa(
        "niqe", "NIQE", "lower", 3, f"{_ALONE}how far its statistics are from photographs'."
    ),
    "musiq": _by_pyiqa("musiq", "MUSIQ", "higher", 2, f"{_ALONE}as people scored KonIQ-10k."),
    "clip-iqa": _by_pyiqa(
        "clip-iqa", "CLIP-IQA", "higher", 4, f"{_ALONE}whether CLIP calls it good and sharp."
    ),
    "pd": Metric(
        "PD-GoogLeNet",
        "",
        "lower",
        1,
        PerPicture(per_picture.begin_pd),
        "Distance to the original in pool features of torchvision's GoogLeNet; the paper's PD uses "
        "another Inception-v1, so compare rows here, not with the paper.",
        weights="googlenet",
    ),
    "ca": Metric(
        "CA top-1",
        "%",
        "higher",
        1,
        PerPicture(per_picture.accuracy_within(1)),
        "How often ResNet-50 names the right class. The originals' figure is the ceiling.",
        weights="classifier",
    ),
    "ca-top5": Metric(
        "CA top-5",
        "%",
        "higher",
        1,
        PerPicture(per_picture.accuracy_within(5)),
        "The right class among ResNet-50's first five.",
        weights="classifier",
    ),
    "diversity": Metric(
        "deviation of samples",
        "grey levels",
        "higher",
        2,
        PerPicture(plain(per_picture.diversity)),
        "Standard deviation between samples of one input, over all pixels: 0 would be a model "
        "that always answers the same.",
    ),
    "diversity-lpips": Metric(
        "LPIPS between samples",
        "",
        "higher",
        4,
        PerPicture(per_picture.begin_diversity_lpips),
        "Mean over pairs of samples of one input.",
        weights="alexnet",
    ),
    "diversity-ms-ssim": Metric(
        "MS-SSIM between samples",
        "",
        "lower",
        4,
        PerPicture(plain(per_picture.diversity_ms_ssim)),
        "The first sample against the others; lower is more diverse.",
    ),
    "fid": Metric(
        "FID",
        "",
        "lower",
        2,
        PerSet(set_metrics.fid),
        "Distance between the features of all answers and of all references. The originals' figure "
        "is the floor; a sample should lie nearer to it than the smooth mean answer.",
        weights="inception",
    ),
    "kid": Metric(
        "KID",
        "1e-3",
        "lower",
        3,
        PerSet(set_metrics.kid),
        "Like FID but unbiased, so it may be trusted for few pictures; about 0 (also just below) "
        "says that answers and references cannot be told apart.",
        weights="inception",
    ),
    "is": Metric(
        "IS",
        "",
        "higher",
        2,
        PerSet(set_metrics.score),
        "Inception score over all 1008 outputs, without bias, in chunks of 5000: how certain and "
        "how varied the recognised classes are. It grows with the number of pictures.",
        weights="inception",
    ),
    "precision": Metric(
        "precision",
        "",
        "higher",
        3,
        PerSet(set_metrics.precision_of),
        "Share of the answers that lie among the references in Inception's features (k = 3), as "
        "ADM's tables have it: few artefacts. Depends on the number of pictures.",
        weights="inception",
    ),
    "recall": Metric(
        "recall",
        "",
        "higher",
        3,
        PerSet(set_metrics.recall_of),
        "Share of the references that lie among the answers: no part of what there is to see is "
        "missing. The smooth mean answer loses both.",
        weights="inception",
    ),
    "cas": Metric("CAS top-1", "%", "higher", 1, Trained(lambda hits: hits.top1), _CAS),
    "cas-top5": Metric("CAS top-5", "%", "higher", 1, Trained(lambda hits: hits.top5), _CAS),
}

GROUPS = {
    "drift": ("drift-red", "drift-green", "drift-blue"),
    "octaves": ("octave-1", "octave-2", "octave-3"),
    "hole": ("psnr-hole", "ssim-hole"),
}
"""Short names for several metrics at once."""
