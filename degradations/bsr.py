"""BSR, BSR-light and BSR-plus: Zhang et al. 2021, "Designing a Practical Degradation Model".

BSR applies blur twice, two resizes, noise, JPEG and the camera in a random order and a JPEG last.
BSR-light is the milder variant that latent diffusion's super-resolution was trained with; BSR-plus
adds Poisson and speckle noise and resizes in both directions. The camera noise, which the paper
names and no released code has, is :class:`palette.degradations.sensor.SensorNoise`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from palette.degradations.base import Degradation
from palette.degradations.blur import Blur
from palette.degradations.compose import Choice, RandomOrder, Recipe, Sequence, Sometimes
from palette.degradations.jpeg import Jpeg
from palette.degradations.noise import GaussianNoise, PoissonNoise, SpeckleNoise
from palette.degradations.resize import GaussianShrink, Rescale, ResizeTo
from palette.degradations.resize_matrices import shrunk
from palette.degradations.sensor import SensorNoise
from palette.types import Spec

Sizes = tuple[int, int]
"""Of kernels, from and to, odd."""


def blur(
    scale: int, strength: float = 1.0, long: Sizes = (7, 25), round_: Sizes = (7, 25)
) -> Degradation:
    """Half of the time anisotropic with variances U(0, 4 + scale), else isotropic with
    σ U(0, 2 + 0.2 scale); both times ``strength``, with kernels of these sizes."""
    variance = strength * (4 + scale)
    sigma = strength * (2 + 0.2 * scale)
    options = {
        "anisotropic": (
            0.5,
            Blur(isotropic=False, sigma=(0.0, variance**0.5), sizes=long, power=2),
        ),
        "isotropic": (0.5, Blur(sigma=(0.0, sigma), sizes=round_)),
    }
    return Choice(options)


def down(scale: int, resize: float) -> Degradation:
    """By 1 / U(1, 2 scale) with probability ``resize``, else Gaussian and every scale-th pixel."""
    return Choice(
        {
            "resize": (resize, Rescale(factor=(1.0, 2.0 * scale), divide=True)),
            "gaussian_shrink": (1 - resize, GaussianShrink(scale, sigma=(0.1, 0.6 * scale))),
        }
    )


Steps = Callable[[tuple[int, int], int], Degradation]
"""The final size and a scale to the steps of a model."""


def perhaps_halved(clean: Spec, scale: int, steps: Steps) -> Degradation:
    """For scale 4, a quarter of the time: halve the picture, then go on as for scale 2."""
    final = shrunk(clean.height, scale), shrunk(clean.width, scale)
    if scale != 4:
        return steps(final, scale)
    half = shrunk(clean.height, 2), shrunk(clean.width, 2)
    halve = Choice(
        {"random": (0.5, ResizeTo(*half)), "bicubic": (0.5, ResizeTo(*half, ("matlab",)))}
    )
    return Choice(
        {
            "at_once": (0.75, steps(final, 4)),
            "halved": (0.25, Sequence({"halve": halve, "then": steps(final, 2)})),
        }
    )


def bsr_steps(final: tuple[int, int], scale: int) -> Degradation:
    """Seven steps in a random order, with "down" before "resize", then JPEG."""
    shuffled: dict[str, Degradation] = {
        "blur": blur(scale),
        "blur_again": blur(scale),
        "down": down(scale, resize=0.75),
        "resize": ResizeTo(*final),
        "noise": GaussianNoise(),
        "jpeg": Sometimes(0.9, Jpeg()),
        "sensor": Sometimes(0.25, SensorNoise()),
    }
    shuffle = RandomOrder(shuffled, before=("down", "resize"))
    return Sequence({"shuffle": shuffle, "jpeg": Jpeg()})


def bsr_light_steps(final: tuple[int, int], scale: int) -> Degradation:
    """One blur, a quarter as wide; noise of deviation 1–2; JPEG of quality 80–95; no camera.

    The published sizes of kernels, 5–14 and 5–7, are rounded down to odd ones.
    """
    shuffled: dict[str, Degradation] = {
        "blur": blur(scale, 0.25, long=(5, 13), round_=(5, 7)),
        "down": down(scale, resize=0.8),
        "resize": ResizeTo(*final),
        "noise": GaussianNoise(level_255=(1, 2)),
        "jpeg": Sometimes(0.9, Jpeg(worst=80)),
    }
    shuffle = RandomOrder(shuffled, before=("down", "resize"))
    return Sequence({"shuffle": shuffle, "jpeg": Jpeg(worst=80)})


def up_or_down(scale: int) -> Degradation:
    """Up by U(1, 2) in 0.2, down by U(0.5 / scale, 1) in 0.7 of the cases; else keep."""
    return Choice(
        {
            "up": (0.2, Rescale(factor=(1.0, 2.0))),
            "down": (0.7, Rescale(factor=(1.0, 0.5 / scale))),
            "keep": (0.1, Rescale(factor=(1.0, 1.0))),
        }
    )


def noises(suffix: str = "") -> dict[str, Degradation]:
    """Gaussian noise always, each of the others in 0.1 of the cases."""
    steps: dict[str, Degradation] = {
        "noise": GaussianNoise(),
        "poisson": Sometimes(0.1, PoissonNoise()),
        "speckle": Sometimes(0.1, SpeckleNoise()),
        "sensor": Sometimes(0.1, SensorNoise()),
    }
    return {name + suffix: step for name, step in steps.items()}


def bsr_plus_steps(final: tuple[int, int], scale: int) -> Degradation:
    """Thirteen steps, half of the time all shuffled, else the noises alone, each four of them;
    then the final size and JPEG."""
    first: dict[str, Degradation] = {"blur": blur(scale), "rescale": up_or_down(scale)}
    second = {f"{name}_again": step for name, step in first.items()}
    jpeg: dict[str, Degradation] = {"jpeg": Jpeg()}
    shuffled = RandomOrder(first | noises() | jpeg | second | noises("_again"))
    once, again = RandomOrder(noises()), RandomOrder(noises("_again"))
    in_order = Sequence(first | {"noises": once} | jpeg | second | {"noises_again": again})
    order = Choice({"shuffled": (0.5, shuffled), "in_order": (0.5, in_order)})
    return Sequence({"order": order, "resize": ResizeTo(*final), "jpeg": Jpeg()})


@dataclass(frozen=True)
class Bsr(Recipe):
    """Two blurs, two resizes, noise, JPEG, camera in random order, then JPEG (BSRGAN)."""

    scale: int = 4

    def body(self, clean: Spec) -> Degradation:
        return perhaps_halved(clean, self.scale, bsr_steps)


@dataclass(frozen=True)
class BsrLight(Recipe):
    """The milder BSR of latent diffusion's super-resolution."""

    scale: int = 4

    def body(self, clean: Spec) -> Degradation:
        return perhaps_halved(clean, self.scale, bsr_light_steps)


@dataclass(frozen=True)
class BsrPlus(Recipe):
    """BSR with Poisson and speckle noise and resizes up and down, 13 steps.

    Its sharpened target is left to the caller.
    """

    scale: int = 4

    def body(self, clean: Spec) -> Degradation:
        final = shrunk(clean.height, self.scale), shrunk(clean.width, self.scale)
        return bsr_plus_steps(final, self.scale)
