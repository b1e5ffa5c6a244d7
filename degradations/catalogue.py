"""The degradations by name. A new one is one line in :data:`DEGRADATIONS`.

Other packages add theirs with an entry point of the group ``palette.degradations``, whose value is
a degradation or a class which makes one without arguments.
"""

from __future__ import annotations

import dataclasses
from importlib.metadata import entry_points
from typing import Any

from palette.degradations.blur import Blur, DefocusBlur, MotionBlur, SincBlur, UnsharpMask
from palette.degradations.bsr import Bsr, BsrLight, BsrPlus
from palette.degradations.compose import Choice
from palette.degradations.conditioning import BlurConditioning, NoiseConditioning
from palette.degradations.corruptions import CORRUPTIONS
from palette.degradations.grayscale import Grayscale
from palette.degradations.jpeg import Jpeg, Quantise, WebP
from palette.degradations.lama import Lama
from palette.degradations.masks import AnyShape, Border, Boxes, Centre, Hole
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
from palette.types import Degradation

PIPELINES: dict[str, Degradation] = {
    "sr_bicubic": SrBicubic(),
    "bsr": Bsr(),
    "bsr_light": BsrLight(),
    "bsr_plus": BsrPlus(),
    "real_esrgan": RealEsrgan(),
    "palette_jpeg": PALETTE_JPEG,
    "palette_inpainting": PALETTE_INPAINTING,
    "palette_uncropping": PALETTE_UNCROPPING,
    "lama_thin": Hole(Lama("thin")),
    "lama_medium": Hole(Lama("medium")),
    "lama_thick": Hole(Lama("thick")),
}
"""What papers published."""

OPERATORS: dict[str, Degradation] = {
    "grayscale": Grayscale(),
    "jpeg": Jpeg(),
    "webp": WebP(),
    "quantise": Quantise(),
    "gaussian_blur": Blur(),
    "anisotropic_blur": Blur(isotropic=False),
    "generalised_blur": Blur("generalised", isotropic=False, beta=(0.5, 4.0)),
    "plateau_blur": Blur("plateau", isotropic=False, beta=(1.0, 2.0)),
    "sinc_blur": SincBlur(),
    "motion_blur": MotionBlur(),
    "defocus_blur": DefocusBlur(),
    "unsharp": UnsharpMask(weight=(0.2, 1.0)),
    "shrink": Shrink(),
    "gaussian_shrink": GaussianShrink(),
    "rescale": Rescale(),
    "gaussian_noise": GaussianNoise(),
    "speckle_noise": SpeckleNoise(),
    "poisson_noise": PoissonNoise(),
    "sensor_noise": SensorNoise(),
    "noise_conditioning": NoiseConditioning(),
    "blur_conditioning": BlurConditioning(),
    "free_form": Hole(FreeForm()),
    "boxes": Hole(Boxes()),
    "centre": Hole(Centre()),
    "border": Hole(Border()),
}
"""The parts that pipelines are made of."""

DEGRADATIONS: dict[str, Degradation] = {
    **PIPELINES,
    **OPERATORS,
    **{f"imagenet_c_{name}": corruption for name, corruption in CORRUPTIONS.items()},
}
"""Name to degradation: everything that comes with the package."""

GROUP = "palette.degradations"


def names() -> list[str]:
    """All that :func:`build` knows, those of other packages included."""
    return [*DEGRADATIONS, *(point.name for point in entry_points(group=GROUP))]


def build(name: str, scale: int | None = None) -> Degradation:
    """The degradation ``name``, or the mixture ``"bsr:0.7,sr_bicubic:0.3"`` of several.

    ``scale`` divides the size where the degradation has a field of that name (4 otherwise).
    Raises ValueError for an unknown name, a scale below 1, a scale for a degradation which keeps
    the size (scale 1 is fine there), and a mixture which gives more than one size.
    """
    if ":" in name or "," in name:
        return _mixture(name, scale)
    degradation = _find(name)
    if scale is None:
        return degradation
    if scale < 1:
        raise UserError(f"scale {scale} is below 1: it divides the size of the picture")
    if hasattr(degradation, "scale"):
        return dataclasses.replace(degradation, scale=scale)
    if scale != 1:
        raise UserError(f"{name} keeps the size of the picture: it takes no scale {scale}")
    return degradation


def _find(name: str) -> Any:
    if name in DEGRADATIONS:
        return DEGRADATIONS[name]
    for point in entry_points(group=GROUP, name=name):
        loaded = point.load()
        return loaded() if isinstance(loaded, type) else loaded
    raise UserError(f"unknown degradation {name!r}: {nearest(name, names())}")


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
    scales = {name: getattr(part, "scale", 1) for name, part in parts.items()}
    if len(set(scales.values())) > 1:
        raise UserError(f"a mixture gives one size, but the scales are {scales}: pass scale=1")
    holes = {name: part for name, part in parts.items() if isinstance(part, Hole)}
    if not holes:
        return Mixture({name: (weights[name], parts[name]) for name in parts}, scales.popitem()[1])
    if len(holes) < len(parts):
        raise UserError(f"{text!r} mixes masks with other degradations: a task needs the one kind")
    return Hole(AnyShape({name: (weights[name], hole.shape) for name, hole in holes.items()}))


@dataclasses.dataclass(frozen=True)
class Mixture(Choice):
    """Several degradations of one ``scale``, by weight. Params: name, params."""

    scale: int = 1
