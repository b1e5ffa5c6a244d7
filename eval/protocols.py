"""The protocols by name: those of Palette and SR3, those for any photographs, the literature's.

A protocol fixes the size of the pictures, how they are degraded and the metrics. Its digest goes
into the report; change anything and the digest changes.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from palette.degradations import Degradation
from palette.degradations.grayscale import Grayscale
from palette.degradations.jpeg import Jpeg
from palette.degradations.masks import Border, Centre, Hole
from palette.degradations.matlab import SrMatlab
from palette.degradations.palette_paper import PALETTE_JPEG, SrBicubic
from palette.degradations.strokes import FreeForm
from palette.errors import UserError, nearest
from palette.eval.literature_protocols import LITERATURE
from palette.eval.protocol import Protocol
from palette.eval.report import literature, papers
from palette.eval.report.papers import PaperRow
from palette.types import Mask, Params, Spec


@dataclass(frozen=True)
class FreeFormShare:
    """Free-form strokes drawn again until they cover ``share`` of the picture."""

    share: tuple[float, float]
    strokes: FreeForm

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        """Params of :class:`FreeForm`; UserError where no draw in 1000 covers the share."""
        for _ in range(1000):
            params = self.strokes.draw(spec, rng)
            if self.share[0] <= self.mask(params).mean() <= self.share[1]:
                return params
        raise UserError(
            f"no free-form mask covers {self.share[0]:.0%} to {self.share[1]:.0%} of "
            f"{spec.height}×{spec.width} pixels: use larger pictures"
        )

    def mask(self, params: Params) -> Mask:
        return self.strokes.mask(params)


def _palette(
    name: str,
    task: str,
    operator: Degradation,
    paper: tuple[PaperRow, ...],
    *more: str,
    dataset: str = "imagenet-ctest10k",
) -> Protocol:
    return Protocol(
        f"palette-{name}",
        task,
        operator,
        ("fid", "is", "ca", "pd", "psnr", "ssim", "drift", *more),
        side=256,
        dataset=dataset,
        reference_count=50_000,
        paper=paper,
    )


def _jpeg(quality: int, paper: tuple[PaperRow, ...]) -> Protocol:
    operator = Jpeg(worst=quality, best=quality)
    return _palette(f"jpeg-q{quality}", "jpeg-restoration", operator, paper)


def _photos(name: str, task: str, operator: Degradation | None, *more: str) -> Protocol:
    return Protocol(f"photos-{name}", task, operator, ("psnr", "ssim", "drift", *more))


_FREEFORM = Hole(FreeFormShare((0.2, 0.3), FreeForm(strokes=(1, 8))))
_CENTER = Hole(Centre(0.5))
_RIGHT_HALF = Hole(Border(one_side=1, sides=("right",)))

_ALL = (
    _jpeg(5, papers.JPEG_Q5 + literature.JPEG_Q5),
    _jpeg(10, papers.JPEG_Q10 + literature.JPEG_Q10),
    _jpeg(20, papers.JPEG_Q20),
    _palette("colorization", "colorization", Grayscale(), papers.COLORIZATION),
    _palette(
        "colorization-5k",
        "colorization",
        Grayscale(),
        papers.COLORIZATION_5K,
        dataset="imagenet-validation-first-5k",
    ),
    _palette("inpainting-freeform", "inpainting", _FREEFORM, papers.INPAINTING_FREEFORM, "hole"),
    _palette(
        "inpainting-center",
        "inpainting",
        _CENTER,
        papers.INPAINTING_CENTER + literature.INPAINTING_CENTER,
        "hole",
    ),
    _palette("uncropping", "uncropping", _RIGHT_HALF, papers.UNCROPPING, "hole"),
    Protocol(
        "sr3-16-128",
        "super-resolution",
        SrBicubic(8),
        ("psnr", "ssim", "consistency", "drift"),
        side=128,
        resize="area",
        dataset="celeba-hq",
        paper=papers.SR3_16_128,
    ),
    Protocol(
        "sr3-64-256",
        "super-resolution",
        SrBicubic(4),
        ("fid", "is", "psnr", "ssim", "consistency", "drift"),
        side=256,
        resize="area",
        dataset="imagenet-validation",
        reference_count=50_000,
        paper=papers.SR3_64_256,
    ),
    Protocol(
        "imagenet-x4",
        "super-resolution",
        SrMatlab(4),
        ("fid", "is", "ca", "psnr", "ssim", "consistency", "drift"),
        side=256,
        dataset="imagenet-validation",
        reference_count=50_000,
        paper=literature.X4,
    ),
    _photos("super-resolution", "super-resolution", None, "consistency"),
    _photos("jpeg", "jpeg-restoration", PALETTE_JPEG),
    _photos("colorization", "colorization", Grayscale()),
    _photos("inpainting", "inpainting", None, "hole"),
    _photos("uncropping", "uncropping", None, "hole"),
    *LITERATURE,
)

PROTOCOLS: dict[str, Protocol] = {protocol.name: protocol for protocol in _ALL}


def find_protocol(name: str) -> Protocol:
    """The protocol of this name; UserError names the nearest."""
    if name not in PROTOCOLS:
        raise UserError(f"unknown protocol {name!r}: {nearest(name, PROTOCOLS)}")
    return PROTOCOLS[name]
