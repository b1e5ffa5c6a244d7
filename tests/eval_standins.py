"""A task, a model and a source that are small enough to test the engine with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from skimage import data
from torch import Tensor

from palette.eval.request import Asked
from palette.seeding import rng
from palette.types import Condition, Member, Observation, Params, Picture, Spec, TargetName, Task


@dataclass(frozen=True)
class Halving:
    """Half of the size by box average; a stand-in for a task, independent of the real ones."""

    name: ClassVar[str] = "halving"
    masked: ClassVar[bool] = False
    paired: ClassVar[bool] = False
    batched: ClassVar[bool] = False
    resize: ClassVar[bool] = False
    coloured: ClassVar[bool] = False
    target: TargetName = "residual"
    conditioning: str = "none"
    scale: int = 2
    multiple: int = 2
    classical: Mapping[str, Callable[[Observation], Picture]] = field(default_factory=dict)

    def members(self) -> tuple[Member, ...]:
        return (Member(self.name, self),)

    def draw(self, spec: Spec, rng: np.random.Generator) -> Params:
        return {"shade": float(rng.uniform(0.9, 1.0))}

    def degrade(self, clean: Picture, params: Params) -> Observation:
        h, w = clean.shape[:2]
        low = clean.reshape(h // 2, 2, w // 2, 2, 3).mean((1, 3)) * params["shade"]
        return Observation(low.astype(np.float32))

    def condition(self, observation: Observation, rng: np.random.Generator) -> Condition:
        return Condition(self.baseline(observation) * 2 - 1)

    def condition_batch(self, clean: Tensor, params: Sequence[Params]) -> Tensor:
        raise NotImplementedError

    def augment(
        self, observation: Observation, strength: float, rng: np.random.Generator
    ) -> Observation:
        raise NotImplementedError

    def baseline(self, observation: Observation) -> Picture:
        return observation.picture.repeat(2, 0).repeat(2, 1)

    def finish(self, restored: Picture, observation: Observation) -> Picture:
        return restored


@dataclass
class Brighten:
    """A "model" that undoes the mean shade, and whose samples add noise."""

    task: Task = field(default_factory=Halving)
    digest: str = "d" * 64
    calls: int = 0

    def describe(self) -> dict[str, Any]:
        return {"name": "brighten"}

    def restore_observations(
        self, observations: list[Observation], *, answer: Asked, seeds: list[int]
    ) -> list[Picture]:
        self.calls += 1
        restored = []
        for observation, seed in zip(observations, seeds, strict=True):
            picture = self.task.baseline(observation) / 0.95
            if answer == "sample":
                picture = picture + rng(seed).normal(0, 0.03, picture.shape)
            restored.append(np.clip(picture, 0, 1).astype(np.float32))
        return restored


@dataclass(frozen=True)
class Crops:
    """Crops of one photograph, of several sizes, as a source."""

    count: int = 5
    labels: None = None
    inputs: None = None

    @property
    def ids(self) -> list[str]:
        return [f"set/{index:03d}.JPEG" for index in range(self.count)]

    def __len__(self) -> int:
        return self.count

    def read(self, index: int) -> Picture:
        size = 33 + index % 7
        crop = data.astronaut()[5 * index : 5 * index + size, 100 : 100 + size + 4]
        return (crop / 255).astype(np.float32)

    def fingerprint(self) -> str:
        return f"crops-{self.count}"


class CheapInception:
    """In place of the network: 2048 features by a fixed projection of 8×8 means."""

    def __init__(self, weights: object, device: str) -> None:
        generator = np.random.default_rng(0)
        self.projection = generator.normal(size=(192, 2048)).astype(np.float32)
        self.head = generator.normal(size=(2048, 1008)) / 50

    def features(self, pictures: Sequence[np.ndarray]) -> np.ndarray:
        means = []
        for picture in pictures:
            rows = np.array_split(picture.astype(np.float32) / 255, 8, axis=0)
            cells = [cell.mean((0, 1)) for row in rows for cell in np.array_split(row, 8, axis=1)]
            means.append(np.concatenate(cells))
        return np.stack(means) @ self.projection

    def logits(self, features: np.ndarray) -> np.ndarray:
        return features.astype(np.float64) @ self.head
