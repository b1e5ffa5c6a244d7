"""What the tasks share: restoring a whole picture, and filling the hole of a masked one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Annotated, ClassVar, Literal

import numpy as np
import tyro
from torch import Tensor

from palette.degradations import Degradation, build
from palette.degradations.base import check_severity
from palette.degradations.batches import stacked
from palette.degradations.fill import FILLS, Fill
from palette.degradations.masks import Hole
from palette.degradations.pins import check_pins, parse_pins, pin
from palette.errors import UserError
from palette.types import Condition, Member, Observation, Params, Picture, Spec, TargetName


@dataclass(frozen=True)
class AnyTask(ABC):
    """What every task can do; :class:`palette.types.Task` describes it all."""

    name: ClassVar[str]
    masked: ClassVar[bool] = False
    paired: ClassVar[bool] = False
    batched: ClassVar[bool] = False
    resize: ClassVar[bool] = False
    coloured: ClassVar[bool] = False

    @property
    def target(self) -> TargetName:
        return "residual"

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        return {}

    def members(self) -> tuple[Member, ...]:
        return (Member(self.name, self),)  # type: ignore[arg-type]

    @abstractmethod
    def draw(self, spec: Spec, rng: np.random.Generator) -> Params: ...

    @abstractmethod
    def degrade(self, clean: Picture, params: Params) -> Observation: ...

    @abstractmethod
    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition: ...

    @abstractmethod
    def baseline(self, observation: Observation) -> Picture: ...

    @abstractmethod
    def finish(self, restored: Picture, observation: Observation) -> Picture: ...

    def condition_batch(self, clean: Tensor, params: Sequence[Params]) -> Tensor:
        raise AssertionError(f"{self.name} is not batched")

    def augment(
        self, observation: Observation, strength: float, rng: np.random.Generator
    ) -> Observation:
        raise AssertionError(f"{self.name} has no conditioning augmentation")


@dataclass(frozen=True)
class DegradedTask(AnyTask):
    """A task whose pictures are damaged by a degradation, with the options that say by which.

    The fields without ``init`` are what :class:`palette.types.Task` asks for; a task that has a
    choice declares the field again, as an option.
    """

    degradation: str = ""
    """A degradation by name, or a mixture such as "bsr:0.7,sr_bicubic:0.3"."""
    severity: float | None = None
    """0 mild to 1 harsh, inside of the published ranges; without it all of them."""
    pins: Annotated[tuple[str, ...], tyro.conf.arg(name="set")] = field(
        default=(), metadata={"key": "set"}
    )
    """Parameters held fixed: palette_jpeg.quality=40 with --degradation palette_jpeg,
    jpeg.quality=40 with bsr."""
    conditioning: tyro.conf.Suppress[str] = field(default="none", init=False, repr=False)
    scale: tyro.conf.Suppress[int | None] = field(default=None, init=False, repr=False)

    def __post_init__(self) -> None:
        check_severity(self.severity)
        check_pins(self.operator, parse_pins(self.pins), self.degradation)

    @property
    def multiple(self) -> int:
        return self.scale or 1

    @property
    def operator(self) -> Degradation:
        """What turns a clean picture into the observed one."""
        return build(self.degradation, self.multiple)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        params = self.operator.draw(replace(spec, severity=self.severity), rng)
        return pin(params, parse_pins(self.pins), self.degradation) if self.pins else params


@dataclass(frozen=True)
class WholePictureTask(DegradedTask):
    """Every pixel is to be made, and the simplest restoration is what the network is shown."""

    conditioning: Literal["none", "noise_conditioning", "blur_conditioning"] = "none"
    """In training, augment what the network is shown and show it the strength (Ho et al. 2022,
    cascades); needs --model.strength. `palette restore --strength` chooses it."""

    batched: ClassVar[bool] = True

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        params = super().draw(spec, rng)
        if not spec.augment or self.conditioning == "none":
            return params
        return {**params, "augmentation": build(self.conditioning).draw(spec, rng)}

    def degrade(self, clean: Picture, params: Params) -> Observation:
        observation = Observation(self.operator.apply(clean, params))
        if "augmentation" not in params:
            return observation
        return self._augmented(observation, params["augmentation"])

    def augment(
        self, observation: Observation, strength: float, rng: np.random.Generator
    ) -> Observation:
        params = build(self.conditioning).draw(Spec(1, 1), rng)
        return self._augmented(observation, {**params, "level": strength})

    def _augmented(self, observation: Observation, params: Params) -> Observation:
        picture = build(self.conditioning).apply(observation.picture, params)
        return replace(observation, picture=picture, strength=params["level"])

    def baseline(self, observation: Observation) -> Picture:
        return observation.picture

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        strength = None if self.conditioning == "none" else observation.strength
        return Condition(2 * self.baseline(observation) - 1, strength=strength)

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        return restored

    def condition_batch(self, clean: Tensor, params: Sequence[Params]) -> Tensor:
        observed = self.operator.apply_batch(clean, params)
        if "augmentation" in params[0]:
            augmentations = [one["augmentation"] for one in params]
            observed = build(self.conditioning).apply_batch(observed, augmentations)
        return 2 * self.baseline_batch(stacked(observed)) - 1

    def baseline_batch(self, observed: Tensor) -> Tensor:
        """``baseline`` of (B, 3, h, w) tensors."""
        return observed


@dataclass(frozen=True)
class HoleTask(DegradedTask):
    """Pixels under a mask are to be made. The loss counts the hole only."""

    fill: Literal["harmonic", "telea", "navier-stokes", "mean", "noise"] = "harmonic"
    """What the network is shown in the hole and starts from: a cheap continuation of the
    surroundings, whose error is diffused. noise: N(0, 1) as in Palette, where the picture itself is
    diffused."""

    masked: ClassVar[bool] = True
    resize: ClassVar[bool] = True

    @property
    def target(self) -> TargetName:
        return "picture" if self.fill == "noise" else "residual"

    @property
    def operator(self) -> Hole:
        operator = super().operator
        if not isinstance(operator, Hole):
            raise UserError(
                f"degradation {self.degradation!r} makes no hole: choose one of masks, "
                f"e.g. palette_inpainting or palette_uncropping"
            )
        return operator

    def degrade(self, clean: Picture, params: Params) -> Observation:
        operator = self.operator
        return Observation(operator.apply(clean, params), operator.mask(params))

    @property
    def _cheapest(self) -> str:
        return "harmonic" if self.fill == "noise" else self.fill

    @property
    def classical(self) -> Mapping[str, Callable[[Observation], Picture]]:
        """The other ways to fill the hole without a network."""
        others = {name: fill for name, fill in FILLS.items() if name != self._cheapest}
        return {f"{name}-fill": partial(_filled, fill) for name, fill in others.items()}

    def baseline(self, observation: Observation) -> Picture:
        """The hole filled without a network; where the network is shown noise, harmonically."""
        return _filled(FILLS[self._cheapest], observation)

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        hole = _hole(observation)
        if self.fill == "noise":
            noise = rng.standard_normal(observation.picture.shape, dtype=np.float32)
            x = np.where(hole[..., None], noise, 2 * observation.picture - 1).astype(np.float32)
        else:
            x = 2 * self.baseline(observation) - 1
        return Condition(x, hole.astype(np.float32))

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        """Known pixels are those of the observation, exactly."""
        return np.where(_hole(observation)[..., None], restored, observation.picture)


def _filled(fill: Fill, observation: Observation) -> Picture:
    return fill(observation.picture, _hole(observation))


def _hole(observation: Observation) -> np.ndarray:
    if observation.mask is None:
        raise UserError("this task needs a mask of what is missing: give one (white = missing)")
    if observation.mask.shape != observation.picture.shape[:2]:
        raise UserError(
            f"the mask is {observation.mask.shape[1]}×{observation.mask.shape[0]} and the picture "
            f"{observation.picture.shape[1]}×{observation.picture.shape[0]} pixels: "
            f"give a mask of the picture's size"
        )
    return observation.mask
