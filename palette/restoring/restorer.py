"""A model made callable: observations in, restored pictures out."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import replace
from itertools import groupby, islice
from pathlib import Path
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor

from palette.checkpoint import SEARCHED_FOR, Model
from palette.diffusion.guidance import dynamic_clip, guided
from palette.diffusion.samplers import Clip, Denoise, Network, hold
from palette.diffusion.schedule import SCHEDULES
from palette.errors import UserError
from palette.machine.device import choose_device
from palette.machine.format import Format, autocast, choose
from palette.machine.memory import free_bytes, is_out_of_memory, room
from palette.restoring.coarse import grid, guard, reduced
from palette.restoring.folder import Result, restore_folder
from palette.restoring.pictures import Extend, from_photo, observe, to_photo
from palette.restoring.sampling import Answer, Sampling, compute
from palette.restoring.tiling import overlap_of, plan, tiled
from palette.seeding import entropy, normal, rng
from palette.types import AugmentingTask, Condition, Observation, Picture, Task

BATCH_PIXELS = 512 * 512
"""Pictures of one size, and tiles of a picture, share a batch up to this many pixels."""
WHOLE_PIXELS = 1024 * 1024
"""tile = auto: pictures of up to this many pixels are not tiled."""
TILES = (512, 256, 128, 64)
"""Sides that tile = auto tries, the first that memory suffices for."""


class Restorer:
    """Runs a model's network on observations of its task.

    A picture's result depends on its observation, its seed and the sampling only: neither on the
    batch that it is in nor on what was restored before.
    """

    def __init__(
        self,
        model: Model,
        task: Task,
        sampling: Sampling | None = None,
        device: str = "auto",
        precision: str | Format = "auto",
    ) -> None:
        self.model = model
        self.task = task
        self.sampling = sampling or Sampling()
        self.device = choose_device(device)
        denoiser = model.denoiser.to(self.device)
        choice = choose(denoiser, precision, "restore") if isinstance(precision, str) else precision
        self.format = choice
        self.denoiser = choice.for_restoring(denoiser)

    def using(self, sampling: Sampling) -> Restorer:
        """The same network, sampled otherwise."""
        other = copy(self)
        other.sampling = sampling
        return other

    @property
    def dtype(self) -> torch.dtype:
        return self.format.dtype

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        return str(self.model.info["sha256"])

    def describe(self) -> dict[str, Any]:
        """What the model is, as plain JSON values."""
        return {
            **self.model.info,
            "sampling": self._at_searched_levels(self.sampling).as_json(),
            "device": self.device.type,
            "dtype": str(self.dtype)[6:],
            "memory_format": self.format.memory,
        }

    def restore(
        self,
        pictures: Any,
        *,
        answer: Answer | None = None,
        steps: int | None = None,
        seed: int = 0,
        mask: Any = None,
        extend: Extend | None = None,
    ) -> Any:
        """Restore a path, PIL picture, array or tensor, or a list of them, each to its own kind.

        A path gives a PIL picture. ``mask`` (True or white = missing) or ``extend`` (pixels to add
        at left, top, right, bottom) is for models that fill holes; with a list, give a list of
        masks. ValueError names what does not fit.
        """
        several = isinstance(pictures, list | tuple)
        values = list(pictures) if several else [pictures]
        masks = list(mask) if several and mask is not None else [mask] * len(values)
        if len(masks) != len(values):
            raise UserError(f"{len(values)} pictures came with {len(masks)} masks: give one each")
        observed = [
            observe(to_photo(value), self.task.masked, one, extend)
            for value, one in zip(values, masks, strict=True)
        ]
        seeds = [entropy(seed, "picture", i) for i in range(len(values))]
        restored = self.restore_observations([o for _, o in observed], answer, steps, seeds)
        results = [
            from_photo(picture, photo, like)
            for picture, (photo, _), like in zip(restored, observed, values, strict=True)
        ]
        return results if several else results[0]

    def restore_folder(
        self,
        source: str | Path,
        out: str | Path,
        seed: int = 0,
        masks: str | Path | None = None,
        extend: Extend | None = None,
        recursive: bool = True,
    ) -> Iterator[Result]:
        """Stream the results of a folder: see :func:`palette.restoring.folder.restore_folder`."""
        where = None if masks is None else Path(masks)
        return restore_folder(self, Path(source), Path(out), seed, where, extend, recursive)

    def restore_observations(
        self,
        observations: Sequence[Observation],
        answer: Answer | None = None,
        steps: int | None = None,
        seeds: Sequence[int] | None = None,
    ) -> list[Picture]:
        """One restored picture, (H, W, 3) float32 in [0, 1], for each observation and its seed.

        ``answer`` and ``steps`` stand in for those of ``self.sampling``; seeds default to 0, 1 …
        """
        sampling = replace(
            self.sampling,
            answer=answer or self.sampling.answer,
            steps=self.sampling.steps if steps is None else steps,
        )
        sampling = self._at_searched_levels(sampling)
        seeds = range(len(observations)) if seeds is None else seeds
        if sampling.level:
            if not isinstance(self.task, AugmentingTask):
                raise UserError(f"level is {sampling.level}: this task takes none")
            observations = [
                self.task.augment(observation, sampling.level, rng(seed, "augment"))
                for observation, seed in zip(observations, seeds, strict=True)
            ]
        if sampling.guidance != 1 and not self.model.config.diffusion.drop_condition:
            raise UserError(
                f"guidance is {sampling.guidance}, but this model always saw its condition: train "
                f"with --diffusion.drop-condition 0.1, or leave guidance at 1"
            )
        conditions = (  # made when their turn has come: each is as large as its result
            self.task.condition(observation, rng(seed, "condition"))
            for observation, seed in zip(observations, seeds, strict=True)
        )
        restored: list[Picture] = []
        for batch in _batches(conditions, sampling.tile):
            here = slice(len(restored), len(restored) + len(batch))
            mean = self._fitting(batch, [entropy(s, "sample", 0) for s in seeds[here]], sampling)
            for n in range(1, sampling.samples):
                keys = [entropy(seed, "sample", n) for seed in seeds[here]]
                mean += self._fitting(batch, keys, sampling)
            mean /= sampling.samples
            restored += [
                self.task.finish(picture, observation)
                for picture, observation in zip(mean, observations[here], strict=True)
            ]
        return restored

    def _at_searched_levels(self, sampling: Sampling) -> Sampling:
        if sampling.grid != "auto" or sampling.logsnrs is not None or sampling.answer == "mean":
            return sampling
        for found in self.model.searched:
            if all(found[name] == getattr(sampling, name) for name in SEARCHED_FOR):
                return replace(sampling, logsnrs=tuple(found["logsnrs"]), eta=found["eta"])
        return sampling

    def _fitting(
        self, conditions: Sequence[Condition], seeds: Sequence[int], sampling: Sampling
    ) -> np.ndarray:
        """Run; with tile = auto, halve the tile and run again where memory does not suffice.

        A batch of pictures is first taken apart.
        """
        if sampling.tile != "auto":
            return self._run(conditions, seeds, sampling, sampling.tile)
        height, width = conditions[0].x.shape[:2]
        tile = self._auto_tile(len(conditions) * height * width, sampling)
        while tile is None or len(conditions) == 1:
            try:
                return self._run(conditions, seeds, sampling, tile)
            except (RuntimeError, MemoryError) as error:
                smaller = TILES[0] if tile is None else tile // 2
                if not is_out_of_memory(error) or (len(conditions) == 1 and smaller < TILES[-1]):
                    raise
            # here the failed run is forgotten, and its tensors with it
            if self.device.type == "cuda":
                torch.cuda.empty_cache()
            if len(conditions) == 1:
                print(f"out of memory: trying tiles of {smaller}", file=sys.stderr)
            tile = smaller
        alone = zip(conditions, seeds, strict=True)
        return np.concatenate([self._fitting([c], [s], sampling) for c, s in alone])

    def _auto_tile(self, pixels: int, sampling: Sampling) -> int | None:
        """The side that free memory suffices for; None: no tiles, for up to a megapixel."""
        room = self._room(pixels, sampling)
        if pixels <= min(WHOLE_PIXELS, room):
            return None
        tile = next((side for side in TILES if side**2 <= room), TILES[-1])
        if tile < TILES[0]:
            print(f"little free memory: tiles of {tile}", file=sys.stderr)
        return tile

    def _room(self, pixels: int, sampling: Sampling) -> float:
        """Pixels that the network may see at once, in the memory that ``pixels`` of state leave."""
        evaluations = 1 if sampling.guidance == 1 else 2
        free = free_bytes(self.device)
        return room(self.model.config.model, self.dtype, free, pixels) / evaluations

    @torch.inference_mode()
    def _run(
        self,
        conditions: Sequence[Condition],
        seeds: Sequence[int],
        sampling: Sampling,
        tile: int | None,
    ) -> np.ndarray:
        height, width = conditions[0].x.shape[:2]
        stride = self.model.config.model.stride
        x = self._tensor([_pad(c.x, stride) for c in conditions])  # (B, 3, H, W)
        regions = [_pad(c.region[..., None], stride) for c in conditions if c.region is not None]
        region = self._tensor(regions) if regions else None  # (B, 1, H, W)
        # one level for all: it is that of the sampling
        z = self._solve(x, region, conditions[0].level or 0.0, seeds, sampling, tile)
        y = self.model.target.decode(z, x)[..., :height, :width]
        return (y + 1).div_(2).clamp_(0, 1).permute(0, 2, 3, 1).float().cpu().numpy()

    def _solve(
        self,
        x: Tensor,
        region: Tensor | None,
        level: float,
        seeds: Sequence[int],
        sampling: Sampling,
        tile: int | None,
    ) -> Tensor:
        """What is diffused, clean, (B, 3, H, W), for the condition ``x`` of the same size."""
        target, stride = self.model.target, self.model.config.model.stride
        height, width = x.shape[-2:]

        def forward(x: Tensor, y_t: Tensor, gamma: Tensor) -> Tensor:
            # one noise level for all, embedded once: to the last bit the same in any batch
            gamma = gamma[:1]
            with autocast(self.device, self.dtype):
                return self.denoiser(x, y_t, gamma, torch.full_like(gamma, level))

        network: Network = forward
        if sampling.guidance != 1:
            network = guided(forward, sampling.guidance)
        denoise: Denoise = lambda y_t, gamma: network(x, y_t, gamma)  # noqa: E731
        clip: Clip = lambda z: target.clip(z, x)  # noqa: E731
        if sampling.guidance != 1:
            clip = dynamic_clip(target, x)

        def noise(k: int) -> Tensor:
            drawn = normal(seeds, tuple(x.shape[1:]), k)
            if self.device.type == "cuda":  # drawn while the device computes, which waits for none
                return drawn.pin_memory().to(self.device, non_blocking=True)
            return drawn.to(self.device)

        tiles = None if tile is None else plan(height, width, tile, overlap_of(tile), stride)
        if tile is not None and tiles is not None and len(tiles) > 1:
            fitting = min(BATCH_PIXELS, self._room(height * width, sampling))
            together = max(1, int(fitting / (tiles.height * tiles.width)))
            denoise = tiled(network, x, tiles, together)
            if region is not None:
                # a quarter of the sides at most: a sixteenth of the time
                longest = max(stride, min(tile, max(height, width) // 4 // stride * stride))
                keys = [entropy(seed, "coarse") for seed in seeds]
                fill = normal(keys, (3, longest, longest), "hole").to(x)
                small, hole = reduced(x, region, longest, stride, fill)
                coarse = self._solve(small, hole, level, keys, sampling, None)
                clip = guard(clip, coarse, hole, region, grid(height, width, tile // 2))
        guess, known = target.guess(x), None
        if region is not None:
            guess = known = (guess * (1 - region)).contiguous()  # the hole of x is noise
            clip = hold(clip, known, region)
        schedule = SCHEDULES[self.model.config.diffusion.schedule]
        return compute(sampling, schedule, denoise, noise, clip, guess, known)

    def _tensor(self, arrays: Sequence[np.ndarray]) -> Tensor:
        """(H, W, C) arrays to a (B, C, H, W) tensor on the device."""
        if len(arrays) == 1 and self.device.type == "cpu":  # where it lies, not to be written to
            return torch.from_numpy(arrays[0])[None].permute(0, 3, 1, 2)
        return torch.from_numpy(np.stack(arrays)).to(self.device).permute(0, 3, 1, 2).contiguous()


def _batches(
    conditions: Iterable[Condition], tile: int | Literal["auto"]
) -> Iterator[list[Condition]]:
    """Runs of neighbours of one size, cut so that a batch stays small; tiled pictures go alone."""
    for (height, width), group in groupby(conditions, key=lambda c: c.x.shape[:2]):
        alone = tile != "auto" and max(height, width) > tile
        most = 1 if alone else max(1, BATCH_PIXELS // (height * width))
        while batch := list(islice(group, most)):
            yield batch


def _pad(array: np.ndarray, stride: int) -> np.ndarray:
    """Reflect at the bottom and at the right until both sides are multiples of ``stride``."""
    down, right = (-side % stride for side in array.shape[:2])
    if down == right == 0:
        return array
    return np.pad(array, ((0, down), (0, right), (0, 0)), mode="reflect")
