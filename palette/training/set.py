"""What training reads: examples by position, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.crops import Crops
from palette.data.loader import Example, automatic_workers, batches, epoch_order
from palette.data.stored import from_stored
from palette.errors import UserError
from palette.seeding import rng
from palette.types import Params, Picture, Spec, Task


@dataclass(frozen=True)
class Batch:
    """Examples on the device, float32: condition ``x`` and target ``y`` (B, 3, H, W)."""

    x: Tensor
    y: Tensor
    region: Tensor | None = None
    """(B, 1, H, W), 1 where the loss counts; None: everywhere."""
    strength: Tensor | None = None
    """(B,) of the conditioning augmentation; None where there is none."""


@dataclass(frozen=True)
class TrainingSet:
    """Pictures of a source, cropped and degraded: the example at any global position.

    Everything random depends on the seed and the position, on nothing that came before.
    """

    source: CachedSource
    task: Task
    config: RunConfig

    def __post_init__(self) -> None:
        if self.config.data.degrade_on == "device" and not self.task.batched:
            raise UserError(
                f"data.degrade_on is 'device', which {self.config.task} cannot: choose 'worker'"
            )
        if self.task.conditioning != "none" and not self.config.model.strength:
            raise UserError(
                "conditioning augmentation shows the network its strength: add --model.strength"
            )

    def clean(self, position: int) -> Picture:
        """The clean crop, (size, size, 3) in [0, 1]."""
        seed, data = self.config.seed, self.config.data
        index = epoch_order(seed, len(self.source), position)
        crops = Crops(data.size, data.flips)
        return from_stored(crops.crop(self.source.stored(index), rng(seed, "crop", position)))

    def params(self, position: int) -> Params:
        """How the crop is degraded; it depends on the crop's size, not on its pixels."""
        size, seed = self.config.data.size, self.config.seed
        return self.task.draw(Spec(size, size, augment=True), rng(seed, "degrade", position))

    def example(self, position: int) -> Example:
        """float32 arrays: ``x`` and ``y`` (3, size, size) in [−1, 1], where the task has them also
        ``region`` (1, size, size) and ``strength`` ().

        y alone where batches are degraded on the device.
        """
        clean = self.clean(position)
        arrays = {"y": (2 * clean - 1).transpose(2, 0, 1)}
        if self.config.data.degrade_on == "worker":
            observation = self.task.degrade(clean, self.params(position))
            draws = rng(self.config.seed, "condition", position)
            condition = self.task.condition(observation, draws)
            arrays["x"] = condition.x.transpose(2, 0, 1)
            if condition.region is not None:
                arrays["region"] = condition.region[None]
            if condition.strength is not None:
                arrays["strength"] = np.array(condition.strength, np.float32)
        return {key: np.array(value, order="C") for key, value in arrays.items()}

    def batches(self, step: int, stop: int, device: torch.device) -> Iterator[Batch]:
        """The batches of the steps ``step`` to ``stop`` − 1, prepared ahead of their use.

        Each step of the optimizer takes ``train.accumulate`` of them.
        """
        settings = self.config.train
        workers = automatic_workers(device) if settings.workers == "auto" else settings.workers
        first, last = step * settings.accumulate, stop * settings.accumulate
        pin = device.type == "cuda"
        loaded = batches(self.example, settings.batch, first, last, workers, pin)
        for number, arrays in enumerate(loaded, first):
            yield self.on_device(arrays, number * settings.batch, device)

    def on_device(self, arrays: dict[str, Tensor], first: int, device: torch.device) -> Batch:
        """Stacked examples from position ``first`` on, degraded here where no worker did."""
        there = {key: value.to(device, non_blocking=True) for key, value in arrays.items()}
        return Batch(**there) if "x" in there else self._degraded(there["y"], first)

    def _degraded(self, y: Tensor, first: int) -> Batch:
        params = [self.params(first + slot) for slot in range(len(y))]
        x = self.task.condition_batch((y + 1) / 2, params)
        if "augmentation" not in params[0]:
            return Batch(x, y)
        strengths = [one["augmentation"]["level"] for one in params]
        return Batch(x, y, strength=x.new_tensor(strengths))

    def residual_scale(self, count: int = 64) -> float:
        """Root mean square of y − x over the first examples: what makes the residual unit variance.

        At least 0.001, so that a condition that equals its target can be divided by it.
        """
        data = replace(self.config.data, degrade_on="worker")
        alone = replace(self, config=replace(self.config, data=data))
        squares = 0.0
        for position in range(count):
            example = alone.example(position)
            squares += float(np.mean((example["y"] - example["x"]) ** 2))
        return max(math.sqrt(squares / count), 1e-3)
