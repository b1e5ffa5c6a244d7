"""Real-ESRGAN's second-order degradation: Wang et al. 2021, section 3 and its training settings."""

from __future__ import annotations

import math
from dataclasses import dataclass

from palette.degradations.base import Degradation
from palette.degradations.blur import Blur, SincBlur
from palette.degradations.compose import Choice, Recipe, Sequence, Sometimes
from palette.degradations.jpeg import Jpeg, Quantise
from palette.degradations.noise import GaussianNoise, PoissonNoise
from palette.degradations.resize import Rescale, ResizeTo
from palette.degradations.resize_matrices import shrunk
from palette.types import Spec

METHODS = ("linear", "cubic", "pool")
GREY_NOISE = 0.4
PEAK = 256.0
"""Photons of a white pixel. The published code counts the grey values of the picture instead (256
for a photograph), which makes a flat picture noisier than the same grey within a photograph."""


def blur(sigma: tuple[float, float]) -> Degradation:
    """Sinc in 0.1 of the cases; else one of the Gaussian family."""
    generalised, plateau = (0.5, 4.0), (1.0, 2.0)
    family: dict[str, tuple[float, Degradation]] = {
        "isotropic": (0.45, Blur(sigma=sigma)),
        "anisotropic": (0.25, Blur(isotropic=False, sigma=sigma)),
        "generalised": (0.12, Blur("generalised", True, sigma, beta=generalised)),
        "generalised_anisotropic": (0.03, Blur("generalised", False, sigma, beta=generalised)),
        "plateau": (0.12, Blur("plateau", True, sigma, beta=plateau)),
        "plateau_anisotropic": (0.03, Blur("plateau", False, sigma, beta=plateau)),
    }
    return Choice({"sinc": (0.1, SincBlur()), "family": (0.9, Choice(family))})


def rescale(
    shares: tuple[float, float, float],
    factors: tuple[float, float],
    of: tuple[float, float] | None = None,
) -> Degradation:
    """Enlarge, shrink or keep a size with these probabilities, within these factors."""
    up, down, keep = shares
    return Choice(
        {
            "up": (up, Rescale((1.0, factors[1]), methods=METHODS, of=of)),
            "down": (down, Rescale((1.0, factors[0]), methods=METHODS, of=of)),
            "keep": (keep, Rescale((1.0, 1.0), methods=METHODS, of=of)),
        }
    )


def noise(harshest_255: int, strength: tuple[float, float]) -> Degradation:
    """Gaussian from a deviation of 1, or Poisson, evenly; grey in 0.4 of the cases."""
    kinds = {"colour": 1 - GREY_NOISE, "grey": GREY_NOISE}
    gaussian = GaussianNoise((1, harshest_255), kinds, whole=False)
    poisson = PoissonNoise((PEAK, PEAK), strength, GREY_NOISE)
    return Choice({"gaussian": (0.5, gaussian), "poisson": (0.5, poisson)})


@dataclass(frozen=True)
class RealEsrgan(Recipe):
    """Blur, resize, noise, JPEG, twice, then the final size, sinc and JPEG (Real-ESRGAN).

    The first resize is relative to the clean size, the second one to the final size.
    """

    scale: int = 4

    def body(self, clean: Spec) -> Sequence:
        low = clean.height / self.scale, clean.width / self.scale
        height, width = shrunk(clean.height, self.scale), shrunk(clean.width, self.scale)
        final = ResizeTo(height, width, METHODS)
        sinc = Sometimes(0.8, SincBlur(lowest=math.pi / 3, lowest_wide=math.pi / 3))
        jpeg = Jpeg()
        endings: dict[str, tuple[float, Degradation]] = {
            "jpeg_last": (0.5, Sequence({"resize": final, "sinc": sinc, "jpeg": jpeg})),
            "sinc_last": (0.5, Sequence({"jpeg": jpeg, "resize": final, "sinc": sinc})),
        }
        return Sequence(
            {
                "blur": blur((0.2, 3.0)),
                "rescale": rescale((0.2, 0.7, 0.1), (0.15, 1.5)),
                "noise": noise(30, (0.05, 3.0)),
                "jpeg": jpeg,
                "blur_again": Sometimes(0.8, blur((0.2, 1.5))),
                "rescale_again": rescale((0.3, 0.4, 0.3), (0.3, 1.2), of=low),
                "noise_again": noise(25, (0.05, 2.5)),
                "end": Choice(endings),
                "file": Quantise(8),
            }
        )
