"""What training reads: examples by position, and batches of them."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from itertools import tee
from typing import Self

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.crops import Crops
from palette.data.loader import Example, automatic_workers, batches_at, epoch_order
from palette.data.sources import Source
from palette.data.stored import from_stored, is_grey
from palette.diffusion.loss import CHROMA_SHARE, LUMA, LUMA_SHARE, Target
from palette.errors import PictureError, UserError
from palette.seeding import rng
from palette.training.left_out import AT_ONCE, LeftOut
from palette.training.ranks import Ranks
from palette.types import Member, Observation, Params, Picture, Spec, Task

MARGIN = 16
"""Pixels around a crop that are degraded with it and then cut off: what is there depends on the
border of the crop, of which a user's picture knows nothing. Two blocks of JPEG's colours."""
REACH = 4
"""The same for tasks with a scale, in pixels of the small picture: as far as two bicubic kernels
see, that down and that up."""
ONLY_CHROMA = Target(residual=True, chroma=True)
SCALES = 4
"""Steps of --data.resize random within a factor of two."""


@dataclass(frozen=True)
class Batch:
    """Examples on the device, float32: condition ``x`` (B, 3, H, W), or (B, 4, H, W) with the mask
    channel, and target ``y`` (B, 3, H, W)."""

    x: Tensor
    y: Tensor
    positions: range
    """Of its examples in all of the training."""
    region: Tensor | None = None
    """(B, 1, H, W), 1 where the loss counts; None: everywhere."""
    strength: Tensor | None = None
    """(B,) of the conditioning augmentation; None where there is none."""
    task: Tensor | None = None
    """(B,) int64, the number of each example's task; None where there is one task."""


@dataclass(frozen=True)
class TrainingSet:
    """Pictures of a source, cropped and degraded: the example at any global position.

    Each position draws one of the ``members``, the tasks, by weight. Everything random depends on
    the seed and the position, on nothing that came before.
    """

    source: CachedSource
    members: Sequence[Member]
    config: RunConfig
    left_out: LeftOut = field(default_factory=LeftOut)
    """Pictures of the source that cannot be read."""

    @classmethod
    def of(cls, source: Source, members: Sequence[Member], config: RunConfig) -> Self:
        """With as much memory for decoded pictures as the configuration has."""
        return cls(CachedSource(source, int(config.train.cache_gib * 2**30)), members, config)

    def __post_init__(self) -> None:
        self.left_out.prepare(len(self.source))
        for member in self.members:
            if member.task.conditioning != "none" and not self.config.model.strength:
                raise UserError(
                    "conditioning augmentation shows the network its strength: add --model.strength"
                )
        if self.config.data.degrade_on == "device" and not self._on_device_possible():
            raise UserError(
                f"data.degrade_on is 'device', which {self.config.task} cannot: choose 'worker'"
            )

    def _on_device_possible(self) -> bool:
        return len(self.members) == 1 and self.members[0].task.batched

    def number(self, position: int) -> int:
        """Which of the members the example at ``position`` is of."""
        if len(self.members) == 1:
            return 0
        weights = np.array([member.weight for member in self.members])
        draws = rng(self.config.seed, "task", position)
        return int(draws.choice(len(weights), p=weights / weights.sum()))

    def side(self, task: Task) -> int:
        """Of the crop that is degraded: larger than the example, and a multiple of the scale."""
        size = self.config.data.size
        margin = self.margin(task)
        return math.ceil((size + 2 * margin) / task.multiple) * task.multiple

    def margin(self, task: Task) -> int:
        """Pixels above and left of the example in the crop that is degraded.

        A multiple of the scale, so that the small picture's pixels begin where the example does,
        as they do in a user's picture.
        """
        if task.masked:  # a hole belongs to the whole crop, and falsifies nothing beyond it
            return 0
        if task.paired and task.scale is None:  # nothing is computed of a crop
            return 0
        return max(math.ceil(MARGIN / task.multiple), REACH) * task.multiple

    def case(
        self, position: int, task: Task, side: int, params: Params
    ) -> tuple[Picture, Observation]:
        """A clean crop, (side, side, 3) in [0, 1], and what a user would hold of it."""
        clean, given = self.crops(position, task, side)
        return clean, task.degrade(clean, params) if given is None else Observation(given)

    def crops(self, position: int, task: Task, side: int) -> tuple[Picture, Picture | None]:
        """The clean crop, and of a paired task that of its input at the same place."""
        seed, data = self.config.seed, self.config.data
        stored, given = self._stored(position, task)
        draws = rng(seed, "crop", position)
        cut = Crops(self._cut(stored, task, side, draws), data.flips)
        if given is not None:
            pair = cut.pair(stored, given, draws)
            sides = (side, side // task.multiple)
        else:
            pair, sides = [cut.crop(stored, draws)], [side]
        crops = [_reduced(from_stored(crop), to) for crop, to in zip(pair, sides, strict=True)]
        if not task.coloured and rng(seed, "grey", position).random() < data.grey_share:
            luma = np.asarray(LUMA, np.float32)
            crops = [np.repeat((crop @ luma)[..., None], 3, axis=2) for crop in crops]
        return crops[0], crops[1] if task.paired else None

    def _cut(self, stored: NDArray, task: Task, side: int, draws: np.random.Generator) -> int:
        """Side of what is cut out of a picture and reduced to ``side``."""
        data = self.config.data
        if data.resize == "none" or (data.resize == "auto" and not task.resize):
            return side
        most = max(1.0, min(stored.shape[:2]) / side)
        steps = draws.integers(math.floor(SCALES * math.log2(most)) + 1)
        multiple = task.multiple if task.paired else 1  # whole pixels of the input
        return round(side / multiple * 2 ** (steps / SCALES)) * multiple

    def _stored(self, position: int, task: Task) -> tuple[NDArray, NDArray | None]:
        """The picture at a position, and of a paired task its input.

        The next of its epoch takes the place of one that cannot be read, which is left out from
        there on, and of a grey one where the task learns colours.
        """
        seed, count = self.config.seed, len(self.source)
        epoch, place = divmod(position, count)
        failed: list[PictureError] = []
        grey = 0
        for step in range(count):
            index = epoch_order(seed, count, epoch * count + (place + step) % count)
            if self.left_out.holds(index, position):
                continue
            try:
                stored, given = self._read(index, task.paired)
            except PictureError as error:
                self.left_out.add(index, position)
                failed.append(error)
                if len(failed) > AT_ONCE:
                    break
                continue
            if not (task.coloured and is_grey(stored)):
                return stored, given
            grey += 1
        if grey and len(failed) <= AT_ONCE:
            raise UserError(f"all {grey} pictures are grey: add coloured ones to learn from")
        example = f", e.g. {failed[0]}" if failed else ""
        raise PictureError(f"{len(failed)} of {count} pictures in a row cannot be read{example}")

    def _read(self, index: int, paired: bool) -> tuple[NDArray, NDArray | None]:
        """A picture, and its input where the task needs it."""
        if not paired:
            return self.source.stored(index), None
        assert self.source.inputs is not None
        return self.source.stored(index), self.source.inputs.stored(index)

    def params(self, position: int, task: Task) -> Params:
        """How the crop is degraded; it depends on the crop's size, not on its pixels."""
        side = self.side(task)
        return task.draw(Spec(side, side, augment=True), rng(self.config.seed, "degrade", position))

    def example(self, position: int) -> Example:
        """float32 arrays: ``x`` (3 or 4, size, size) and ``y`` (3, size, size) in [−1, 1], where
        there are any also ``region`` (1, size, size), ``strength`` () and ``task`` () int64.

        y alone, of the whole crop, where batches are degraded on the device.
        """
        number = self.number(position)
        task = self.members[number].task
        side = self.side(task)
        if self.config.data.degrade_on == "device":
            clean, _ = self.crops(position, task, side)
            return {"y": np.array((2 * clean - 1).transpose(2, 0, 1), order="C")}
        clean, observation = self.case(position, task, side, self.params(position, task))
        condition = task.condition(observation, rng(self.config.seed, "condition", position))
        inner = self._inner(task)
        layers = {
            "y": (2 * clean - 1)[inner, inner],
            "x": condition.shown(self.config.model.takes_mask)[inner, inner],
        }
        if any(member.task.masked for member in self.members):
            everywhere = np.ones(clean.shape[:2], np.float32)
            region = everywhere if condition.region is None else condition.region
            layers["region"] = region[inner, inner, None]
        arrays: Example = {
            name: np.array(a.transpose(2, 0, 1), order="C") for name, a in layers.items()
        }
        if self.config.model.strength:
            arrays["strength"] = np.array(condition.strength or 0.0, np.float32)
        if len(self.members) > 1:
            arrays["task"] = np.array(number, np.int64)
        return arrays

    def _inner(self, task: Task) -> slice:
        """What is left of the rows, and of the columns, without the margin."""
        return slice(self.margin(task), self.margin(task) + self.config.data.size)

    def passes(self, step: int, ranks: Ranks) -> Iterator[range]:
        """Positions of a step that are this rank's, in passes of at most ``train.batch``.

        All ranks together take ``train.batch`` · ``train.accumulate`` in each step.
        """
        settings = self.config.train
        images = settings.batch * settings.accumulate
        part = ranks.part(images)
        first, last = step * images + part.start, step * images + part.stop
        for start in range(first, last, settings.batch):
            yield range(start, min(start + settings.batch, last))

    def batches(self, step: int, stop: int, ranks: Ranks) -> Generator[Batch, None, None]:
        """The batches of this rank of the steps ``step`` to ``stop`` − 1, prepared ahead."""
        workers, device = self.config.train.workers, ranks.device
        if workers == "auto":
            workers = automatic_workers(device, ranks.local_count)
        self.source.share(max(1, workers) * ranks.local_count)
        passes, same = tee(one for s in range(step, stop) for one in self.passes(s, ranks))
        loaded = batches_at(self.example, passes, workers, pin=device.type == "cuda")
        with closing(loaded):
            for positions, arrays in zip(same, loaded, strict=True):
                yield self.on_device(arrays, positions, device)

    def on_device(self, arrays: dict[str, Tensor], positions: range, device: torch.device) -> Batch:
        """The stacked examples at ``positions``, degraded here where no worker did."""
        there = {key: value.to(device, non_blocking=True) for key, value in arrays.items()}
        if "x" in there:
            return Batch(**there, positions=positions)
        return self._degraded(there["y"], positions)

    def _degraded(self, y: Tensor, positions: range) -> Batch:
        task = self.members[0].task
        params = [self.params(position, task) for position in positions]
        inner = self._inner(task)
        x = task.condition_batch((y + 1) / 2, params)[..., inner, inner]
        if self.config.model.takes_mask:
            x = torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)
        strengths = None
        if self.config.model.strength:
            drawn = [one["augmentation"]["level"] if "augmentation" in one else 0 for one in params]
            strengths = x.new_tensor(drawn)
        return Batch(x, y[..., inner, inner], positions, strength=strengths)

    def grey(self, most: int = 100) -> tuple[int, int]:
        """How many of the first ``most`` pictures are grey, and how many were looked at; those that
        cannot be read were not."""
        seen: list[bool] = []
        for index in range(min(most, len(self.source))):
            with suppress(PictureError):
                seen.append(is_grey(self.source.stored(index)))
        return sum(seen), len(seen)

    def targets(self, residual: bool, balance: bool) -> tuple[Target, ...]:
        """What is diffused of each task, its scales measured; ``residual`` = False: the picture.

        ``balance``: the chroma gets a scale of its own.
        """
        return tuple(
            self._target(number, member.task, balance)
            if residual and member.task.target != "picture"
            else Target()
            for number, member in enumerate(self.members)
        )

    def _target(self, number: int, task: Task, balance: bool, count: int = 64) -> Target:
        """Scales from the root mean square of y − x over the region of a task's first examples.

        At least 0.001, so that a condition that equals its target can be divided by it.
        """
        data = replace(self.config.data, degrade_on="worker")
        config = replace(self.config, data=data)
        alone = replace(self, members=[self.members[number]], config=config)
        parts = np.zeros(3)  # squares of luma, chroma and all three channels
        pixels = 0.0
        for position in range(count):
            example = {k: torch.from_numpy(v)[None] for k, v in alone.example(position).items()}
            error = example["y"] - example["x"][:, :3]
            chroma = ONLY_CHROMA.for_all().project(error)
            region = example.get("region", torch.ones_like(error[:, :1]))
            squares = [(error - chroma).square(), chroma.square(), error.square()]
            parts += [float((square * region).sum()) / 3 for square in squares]
            pixels += float(region.sum())
        shares = np.array([LUMA_SHARE, CHROMA_SHARE, 1.0])
        luma, coloured, whole = np.sqrt(parts / shares / max(pixels, 1)).clip(1e-3).tolist()
        if task.target == "chroma":
            return replace(ONLY_CHROMA, scale=coloured)
        if balance:
            return Target(residual=True, scale=luma, gain=luma / coloured)
        return Target(residual=True, scale=whole)


def _reduced(crop: Picture, side: int) -> Picture:
    """A square crop at ``side`` pixels, by the means of areas."""
    if len(crop) == side:
        return crop
    return np.asarray(cv2.resize(crop, (side, side), interpolation=cv2.INTER_AREA), np.float32)
