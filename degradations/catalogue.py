"""The degradations by name. A new one is a class and a line in one of the dictionaries.

Other packages add theirs with an entry point of the group ``palette.degradations``, whose value is
a class that needs no arguments, or an instance.
"""

from __future__ import annotations

import dataclasses
import inspect
from importlib.metadata import entry_points

from palette.degradations.base import Degradation
from palette.degradations.blur import Blur, DefocusBlur, MotionBlur, SincBlur, UnsharpMask
from palette.degradations.bsr import Bsr, BsrLight, BsrPlus
from palette.degradations.compose import Choice, Mixture
from palette.degradations.conditioning import BlurConditioning, NoiseConditioning
from palette.degradations.corruptions import CORRUPTIONS
from palette.degradations.grayscale import Grayscale
from palette.degradations.jpeg import Jpeg, Quantise, WebP
from palette.degradations.lama import Lama
from palette.degradations.masks import AnyShape, Border, Boxes, Centre, Hole
from palette.degradations.matlab import SrMatlab
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.palette_paper import (
    PALETTE_INPAINTING,
    PALETTE_JPEG,
    PALETTE_UNCROPPING,
    SrBicubic,
)
from palette.degradations.real_esrgan import RealEsrgan
from palette.degradations.resize import GaussianShrink, Rescale, Shrink
from palette.degradations.sensor import SensorNoise
from palette.degradations.strokes import FreeForm
from palette.errors import UserError, nearest

Entry = type[Degradation] | tuple[Degradation, str]
"""A class, whose docstring's first line describes it, or an instance and its description."""

PIPELINES: dict[str, Entry] = {
    "sr_bicubic": SrBicubic,
    "sr_matlab": SrMatlab,
    "bsr": Bsr,
    "bsr_light": BsrLight,
    "bsr_plus": BsrPlus,
    "real_esrgan": RealEsrgan,
    "palette_jpeg": (PALETTE_JPEG, "JPEG of quality 5–30, the low ones more often (Palette)."),
    "photo_jpeg": (
        Choice({"usual": (0.7, Jpeg(5, 40)), "full": (0.3, Jpeg(5, 40, subsampling="4:4:4"))}),
        "JPEG of quality 5–40, 30 % of it with full colour resolution.",
    ),
    "palette_inpainting": (PALETTE_INPAINTING, "A hole of strokes (60 %) or boxes (Palette)."),
    "palette_uncropping": (
        PALETTE_UNCROPPING,
        "Half of the area is missing, at one side or all around (Palette).",
    ),
    "lama_thin": (Hole(Lama("thin")), "A hole of many thin strokes (LaMa)."),
    "lama_medium": (Hole(Lama("medium")), "A hole of some strokes or boxes (LaMa)."),
    "lama_thick": (Hole(Lama("thick")), "A hole of few thick strokes or large boxes (LaMa)."),
}
"""What papers published."""

OPERATORS: dict[str, Entry] = {
    "grayscale": Grayscale,
    "jpeg": Jpeg,
    "webp": WebP,
    "quantise": Quantise,
    "gaussian_blur": Blur,
    "anisotropic_blur": (Blur(isotropic=False), "Elliptic Gaussian, both σ 0.1–3, any angle."),
    "generalised_blur": (
        Blur("generalised", isotropic=False, beta=(0.5, 4.0)),
        "Elliptic exp(−q^β/2), β 0.5–4: from pointed to flat.",
    ),
    "plateau_blur": (
        Blur("plateau", isotropic=False, beta=(1.0, 2.0)),
        "Elliptic 1/(1 + q^β), β 1–2: long tails.",
    ),
    "sinc_blur": SincBlur,
    "motion_blur": MotionBlur,
    "defocus_blur": DefocusBlur,
    "unsharp": (
        UnsharpMask(weight=(0.2, 1.0)),
        "Unsharp mask of weight 0.2–1: sharpens where there is detail.",
    ),
    "shrink": Shrink,
    "gaussian_shrink": GaussianShrink,
    "rescale": Rescale,
    "gaussian_noise": GaussianNoise,
    "white_noise": (
        GaussianNoise((5, 50), {"colour": 1.0}, whole=False),
        "Gaussian noise of σ 5–50 of 255, each channel for itself.",
    ),
    "speckle_noise": SpeckleNoise,
    "poisson_noise": PoissonNoise,
    "sensor_noise": SensorNoise,
    "noise_conditioning": NoiseConditioning,
    "blur_conditioning": BlurConditioning,
    "free_form": (Hole(FreeForm()), "A hole of zigzag strokes (DeepFill v2)."),
    "boxes": (Hole(Boxes()), "A hole of 1–5 boxes, 10–40 % of the area."),
    "centre": (Hole(Centre()), "The middle is missing, half as wide and high."),
    "border": (Hole(Border()), "Half of the area is missing, at one side or all around."),
}
"""The parts that pipelines are made of."""

DEGRADATIONS: dict[str, Entry] = {
    **PIPELINES,
    **OPERATORS,
    **{
        f"imagenet_c_{name}": (corruption, f"ImageNet-C's {name.replace('_', ' ')}, 5 strengths.")
        for name, corruption in CORRUPTIONS.items()
    },
}
"""Everything that comes with the package."""

GROUP = "palette.degradations"


def names() -> list[str]:
    """All that :func:`build` knows, those of other packages included."""
    return [*DEGRADATIONS, *(point.name for point in entry_points(group=GROUP))]


def about(name: str) -> str:
    """One line about a degradation."""
    degradation, described = _find(name)
    return described or (inspect.getdoc(degradation) or "").partition("\n")[0]


def build(name: str, scale: int | None = None) -> Degradation:
    """The degradation ``name``, or the mixture ``"bsr:0.7,sr_bicubic:0.3"`` of several.

    ``scale`` divides the size of the picture, where the degradation takes one (4 otherwise).
    Raises UserError for an unknown name, a scale below 1, a scale for a degradation which keeps
    the size (scale 1 is fine there), and a mixture which gives more than one size.
    """
    if ":" in name or "," in name:
        return _mixture(name, scale)
    degradation, _ = _find(name)
    if scale is None:
        return degradation
    if scale < 1:
        raise UserError(f"scale {scale} is below 1: it divides the size of the picture")
    if degradation.scale is not None:
        return dataclasses.replace(degradation, scale=scale)
    if scale != 1:
        raise UserError(f"{name} keeps the size of the picture: it takes no scale {scale}")
    return degradation


def _find(name: str) -> tuple[Degradation, str]:
    """The degradation of this name, and its description if it has one of its own."""
    entry = DEGRADATIONS.get(name)
    for point in entry_points(group=GROUP, name=name) if entry is None else ():
        entry = point.load()
    if entry is None:
        raise UserError(f"unknown degradation {name!r}: {nearest(name, names())}")
    if isinstance(entry, tuple):
        return entry
    degradation = entry() if isinstance(entry, type) else entry
    if not isinstance(degradation, Degradation):
        raise UserError(
            f"the entry point {name} of the group {GROUP} is {degradation!r}: it has to be a "
            f"palette.degradations.base.Degradation"
        )
    return degradation, ""


def _mixture(text: str, scale: int | None) -> Degradation:
    weights: dict[str, float] = {}
    for part in text.split(","):
        name, _, weight = part.strip().partition(":")
        try:
            weights[name] = float(weight)
        except ValueError:
            weights[name] = 0.0
        if weights[name] <= 0:
            raise UserError(f"mixture part {part!r}: write NAME:WEIGHT with a weight above 0")
    parts = {name: build(name, scale) for name in weights}
    scales = {name: part.scale or 1 for name, part in parts.items()}
    if len(set(scales.values())) > 1:
        raise UserError(f"a mixture gives one size, but the scales are {scales}: pass scale=1")
    shapes = {name: part.shape for name, part in parts.items() if isinstance(part, Hole)}
    if not shapes:
        options = {name: (weights[name], part) for name, part in parts.items()}
        return Mixture(options, scale=scales.popitem()[1])
    if len(shapes) < len(parts):
        raise UserError(f"{text!r} mixes masks with other degradations: a task needs the one kind")
    return Hole(AnyShape({name: (weights[name], shape) for name, shape in shapes.items()}))
