"""Protocols of the restoration literature: its test sets, how they are degraded and measured.

Super-resolution is of BT.601 luma, without a border as wide as the scale (Timofte et al. 2013 and
all since); JPEG of every pixel, grey (Dong et al. 2015, ARCNN) or RGB; denoising of every pixel of
RGB, with noise that is neither clipped nor rounded (Zhang et al. 2017, DnCNN).
"""

from __future__ import annotations

from palette.degradations.jpeg import Jpeg
from palette.degradations.matlab import SrMatlab
from palette.degradations.noise import GaussianNoise
from palette.eval.conventions import Conventions
from palette.eval.protocol import Protocol
from palette.eval.report.literature import ROWS

SCALES = (2, 3, 4)
QUALITIES = (10, 20, 30, 40)
SIGMAS = (15, 25, 50)


def _enlarging(dataset: str, scale: int) -> Protocol:
    return _of(
        f"{dataset}-x{scale}",
        "super-resolution",
        SrMatlab(scale),
        Conventions(luma=True, border=scale),
        dataset,
    )


def _jpeg(dataset: str, quality: int, grey: bool) -> Protocol:
    return _of(
        f"{dataset}-{'grey' if grey else 'colour'}-q{quality}",
        "jpeg-restoration",
        Jpeg(quality, quality),
        Conventions(grey=grey),
        dataset,
        "psnr-b" if grey else "psnr-b-colour",
    )


def _denoising(dataset: str, sigma: int) -> Protocol:
    noise = GaussianNoise((sigma, sigma), {"colour": 1.0}, whole=False, clip=False)
    return _of(f"{dataset}-sigma{sigma}", "denoising", noise, Conventions(), dataset)


def _of(
    name: str,
    task: str,
    operator: SrMatlab | Jpeg | GaussianNoise,
    conventions: Conventions,
    dataset: str,
    *more: str,
) -> Protocol:
    return Protocol(
        name,
        task,
        operator,
        ("psnr", "ssim", *more),
        dataset=dataset,
        paper=ROWS.get(name, ()),
        conventions=conventions,
    )


LITERATURE = (
    *(
        _enlarging(dataset, scale)
        for dataset in ("set5", "set14", "b100", "urban100", "manga109", "div2k")
        for scale in SCALES
    ),
    *(_jpeg("live1", quality, grey) for grey in (True, False) for quality in QUALITIES),
    *(_jpeg("classic5", quality, grey=True) for quality in QUALITIES),
    *(
        _denoising(dataset, sigma)
        for dataset in ("cbsd68", "kodak24", "mcmaster")
        for sigma in SIGMAS
    ),
)
