"""What training reads: examples by position."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.crops import Crops
from palette.data.loader import epoch_order
from palette.data.stored import from_stored
from palette.errors import UserError
from palette.seeding import rng
from palette.types import BatchTask, Params, Picture, Spec, Task


@dataclass(frozen=True)
class TrainingSet:
    """The training sample at a global position: condition ``x``, target ``y``, ``region``.

    All are (C, H, W) float32, x and y in [−1, 1]; region only where the task has a mask.
    """

    source: CachedSource
    task: Task
    config: RunConfig

    def __post_init__(self) -> None:
        if self.config.data.degrade_on == "device" and not isinstance(self.task, BatchTask):
            raise UserError(
                f"data.degrade_on is 'device', which {self.config.task} cannot: choose 'worker'"
            )
        if getattr(self.task, "conditioning", "none") != "none" and not self.config.model.level:
            raise UserError(
                "conditioning augmentation tells the network its level: add --model.level"
            )

    def clean(self, position: int) -> Picture:
        """The clean crop, (size, size, 3) in [0, 1]."""
        seed, data = self.config.seed, self.config.data
        index = epoch_order(seed, len(self.source), position)
        crops = Crops(data.size, data.flips)
        return from_stored(crops.crop(self.source.stored(index), rng(seed, "crop", position)))

    def params(self, position: int) -> Params:
        """How the sample is degraded; it depends on the crop's size, not on its pixels."""
        size, seed = self.config.data.size, self.config.seed
        return self.task.draw(Spec(size, size, augment=True), rng(seed, "degrade", position))

    def __call__(self, position: int) -> dict[str, np.ndarray]:
        clean = self.clean(position)
        sample = {"y": (2 * clean - 1).transpose(2, 0, 1)}
        if self.config.data.degrade_on == "worker":
            observation = self.task.degrade(clean, self.params(position))
            draws = rng(self.config.seed, "condition", position)
            condition = self.task.condition(observation, draws)
            sample["x"] = condition.x.transpose(2, 0, 1)
            if condition.region is not None:
                sample["region"] = condition.region[None]
            if condition.level is not None:
                sample["level"] = np.array(condition.level, np.float32)
        return {key: np.array(value, order="C") for key, value in sample.items()}

    def on_device(self, batch: dict[str, Tensor], first: int) -> dict[str, Tensor]:
        """What is left to do where a batch, from position ``first``, is to be used."""
        if "x" in batch:
            return batch
        assert isinstance(self.task, BatchTask)
        params = [self.params(first + slot) for slot in range(len(batch["y"]))]
        x = self.task.condition_batch((batch["y"] + 1) / 2, params)
        if "augmentation" not in params[0]:
            return {**batch, "x": x}
        levels = [one["augmentation"]["level"] for one in params]
        return {**batch, "x": x, "level": x.new_tensor(levels)}


def measure_residual_scale(samples: TrainingSet, count: int = 64) -> float:
    """Root mean square of y − x over the first samples: what makes the residual unit variance."""
    config = replace(samples.config, data=replace(samples.config.data, degrade_on="worker"))
    alone = replace(samples, config=config)
    squares = []
    for position in range(count):
        sample = alone(position)
        squares.append(float(np.mean((sample["y"] - sample["x"]) ** 2)))
    return max(math.sqrt(sum(squares) / count), 1e-3)
