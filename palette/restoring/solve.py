"""From a batch of conditions to its answer: noise levels, network, tiles, sampler.

On CPUs the network sees one picture or one tile at a time, always. There a batch goes through other
kernels than its pictures alone (convolutions and matrix products choose by shape) and rounds
otherwise, so that a result would depend on its neighbours. On GPUs pictures of one size, and tiles,
share a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from palette.diffusion.guidance import away_from_mean, dynamic_clip, guided
from palette.diffusion.loss import Targets
from palette.diffusion.multistep import dpmpp_2m_sde, dpmpp_3m_sde
from palette.diffusion.samplers import SAMPLERS, ddim, evaluations, repaint
from palette.diffusion.schedule import GAMMA_MAX, GRIDS, Schedule, gamma_of_logsnr, logsnr_grid
from palette.diffusion.steps import Clip, Denoise, Network, Noise, Sampler, hold
from palette.errors import UserError
from palette.machine.format import Format, autocast
from palette.machine.memory import free_bytes, room
from palette.network.denoiser import Denoiser
from palette.restoring.coarse import following
from palette.restoring.pictures import padded
from palette.restoring.sampling import Sampling
from palette.restoring.tiling import Tiles, overlap_of, plan, tiled
from palette.seeding import entropy, normal
from palette.types import Condition

BATCH_PIXELS = 512 * 512
"""On GPUs, pictures of one size and tiles of a picture share a batch of up to this many pixels."""


def together(device: torch.device, pixels: float, free_pixels: float = BATCH_PIXELS) -> int:
    """How many pictures or tiles of ``pixels`` each the network sees at once: on CPUs one."""
    if device.type == "cpu":
        return 1
    return max(1, int(min(BATCH_PIXELS, free_pixels) / pixels))


def levels(sampling: Sampling, schedule: Schedule) -> Tensor:
    """The γ that the sampler visits: (n,), increasing, inside of what was trained.

    As many as ``sampling.steps`` evaluations allow; UserError where they allow none.
    """
    last = min(schedule.gamma_max, GAMMA_MAX)
    if sampling.answer == "mean":
        return logsnr_grid(1, schedule.gamma_min, last)
    if sampling.logsnrs is not None:
        gammas = gamma_of_logsnr(torch.tensor(sampling.logsnrs, dtype=torch.float64))
        return gammas.clamp(schedule.gamma_min, schedule.gamma_max)
    first = schedule.gamma_min
    budget = sampling.steps - (sampling.start == "mean" or sampling.detail > 0)
    if sampling.start != "noise":
        first = max(first, float(gamma_of_logsnr(torch.tensor(sampling.start_logsnr).double())))
    per_step = evaluations(sampling.sampler, 2, sampling.resamplings) - 1
    least = 1 if per_step == 1 else per_step + 1  # a single level would not be that sampler
    if budget < least:
        raise UserError(
            f"steps is {sampling.steps}: {sampling.sampler} started from {sampling.start} takes at "
            f"least {least + sampling.steps - budget} evaluations"
        )
    count = (budget - 1) // per_step + 1
    grid = "logsnr" if sampling.grid == "auto" else sampling.grid
    return GRIDS[grid](count, first, last)


def sample(
    sampling: Sampling,
    schedule: Schedule,
    denoise: Denoise,
    noise: Noise,
    clip: Clip,
    guess: Callable[[], Tensor],
    known: Tensor | None = None,
    nothing: Noise | None = None,
) -> Tensor:
    """Run the sampler: what is diffused, (B, 3, H, W), clean.

    ``guess`` makes what the condition itself would answer; ``known`` holds the known pixels of a
    picture with a hole, 0 in it, and ``clip`` puts them back by
    :func:`palette.diffusion.steps.hold`. ``nothing`` makes the y_t = 0 that the mean answer starts
    from; without, it starts from noise.
    """

    def mean(noise: Noise) -> Tensor:
        first = levels(replace(sampling, answer="mean"), schedule)
        return ddim(denoise, first, nothing or noise, clip, None if nothing else known)

    if sampling.answer == "mean":
        return mean(noise)
    visited = levels(sampling, schedule)
    start = guess() if sampling.start == "condition" else known
    if sampling.start == "mean" or sampling.detail:
        # noise of its own: the sample must not know what the estimate has seen
        estimate = mean(lambda k: noise(-1))
        if sampling.start == "mean":
            start = estimate
        if sampling.detail:
            denoise = away_from_mean(denoise, estimate, sampling.detail, visited)
    return sampler_of(sampling)(denoise, visited, noise, clip, start)


def sampler_of(sampling: Sampling) -> Sampler:
    """The sampler with the options that are its own."""
    with_options: dict[str, Sampler] = {
        "repaint": partial(repaint, resamplings=sampling.resamplings),
        "dpmpp_2m_sde": partial(dpmpp_2m_sde, eta=sampling.eta),
        "dpmpp_3m_sde": partial(dpmpp_3m_sde, eta=sampling.eta),
    }
    return with_options.get(sampling.sampler, SAMPLERS[sampling.sampler])


@dataclass(frozen=True)
class Batch:
    """Conditions of one size on the device, and how they are to be answered."""

    x: Tensor
    """(B, 3, H, W) in [−1, 1], or (B, 4, H, W) with the mask channel; the sides are multiples of
    the network's stride."""
    region: Tensor | None
    """(B, 1, H, W), 1 where the picture is to be made and 0 where it is known; None: everywhere."""
    seeds: tuple[int, ...]
    """Of the noise, one for each condition."""
    sampling: Sampling
    strength: float = 0.0
    """Of the conditioning augmentation, shown to the network."""
    tile: int | None = None
    """Side of the tiles that the network sees; None shows it the whole."""
    coarse: Batch | None = None
    """A single picture reduced, whose low frequencies this one takes (:mod:`coarse`)."""

    @property
    def pixels(self) -> int:
        batch, _, height, width = self.x.shape
        return batch * height * width

    def keyed(self, *key: int | str) -> Batch:
        """With other noise, as ``key`` says, in the reduced picture too."""
        seeds = tuple(entropy(seed, *key) for seed in self.seeds)
        return replace(self, seeds=seeds, coarse=self.coarse and self.coarse.keyed(*key))

    def in_tiles(self, tile: int | None) -> Batch:
        """Of that side, in the reduced picture too where it is larger."""
        return replace(self, tile=tile, coarse=self.coarse and replace(self.coarse, tile=tile))

    def alone(self) -> list[Batch]:
        """A batch of one for each condition."""
        regions = [None] * len(self.x) if self.region is None else self.region.split(1)
        rows = zip(self.x.split(1), regions, self.seeds, strict=True)
        return [replace(self, x=x, region=r, seeds=(seed,)) for x, r, seed in rows]


@dataclass(frozen=True)
class Solver:
    """A network in its format on its device, with what it was trained to diffuse."""

    denoiser: Denoiser
    format: Format
    device: torch.device
    target: Targets
    schedule: Schedule
    task: int = 0
    """The number of the task, for networks that serve several."""
    hides: bool = False
    """Whether the mean answer starts from y_t = 0: what ``diffusion.mean_share`` taught."""

    @property
    def stride(self) -> int:
        """Sides of what the network sees are multiples of this."""
        return self.denoiser.unet.architecture.stride

    def room(self, pixels: int) -> float:
        """Pixels that the network may see at once, in the memory that ``pixels`` of state leave."""
        architecture = self.denoiser.unet.architecture
        return room(architecture, self.format.dtype, free_bytes(self.device), pixels)

    def batch(
        self, conditions: Sequence[Condition], seeds: Sequence[int], sampling: Sampling
    ) -> Batch:
        """Conditions of one size, padded to the stride and brought to the device."""
        regions = [c.region[..., None] for c in conditions if c.region is not None]
        mask = self.denoiser.unet.architecture.takes_mask
        return Batch(
            x=self._tensor([c.shown(mask) for c in conditions]),
            region=self._tensor(regions) if regions else None,
            seeds=tuple(seeds),
            sampling=sampling,
            strength=conditions[0].strength or 0.0,  # one for all: it is that of the sampling
        )

    @torch.inference_mode()
    def solve(self, batch: Batch) -> NDArray[np.float32]:
        """The answers, (B, H, W, 3) in [0, 1], padded as the batch is."""
        y = self._solved(batch)
        return y.add_(1).div_(2).clamp_(0, 1).permute(0, 2, 3, 1).float().cpu().numpy()

    def _solved(self, batch: Batch) -> Tensor:
        """The answers, (B, 3, H, W) in [−1, 1]."""
        x, region, sampling = batch.x, batch.region, batch.sampling
        network = self._network(batch.strength)
        clip: Clip = partial(self.target.clip, x=x)
        if sampling.guidance != 1:
            network = guided(network, sampling.guidance)
            clip = dynamic_clip(self.target, x)
        denoise: Denoise = partial(network, x)
        tiles = self._tiles(batch)
        if tiles is not None:
            each, state = tiles.height * tiles.width, x.shape[-2] * x.shape[-1]
            denoise = tiled(network, x, tiles, together(self.device, each, self.room(state)))
        if batch.coarse is not None:
            assert region is not None
            assert batch.coarse.region is not None
            coarse = self._solved(batch.coarse)
            clip = following(clip, self.target, x, region, coarse, batch.coarse.region)

        def guess() -> Tensor:  # made where it is asked for: pictures can be large
            z = self.target.guess(x)
            if region is None:
                return z
            return (z * (1 - region)).contiguous()  # the hole of x may be noise

        known = None
        if region is not None:
            known = guess()
            clip = hold(clip, known, region)
        noise = self._noise(batch)
        nothing = partial(self._nothing, batch) if self.hides else None
        z = sample(sampling, self.schedule, denoise, noise, clip, guess, known, nothing)
        return self.target.decode(z, x)

    def _network(self, strength: float) -> Network:
        task = torch.tensor([self.task], device=self.device)

        def network(x: Tensor, y_t: Tensor, gamma: Tensor) -> Tensor:
            gamma = gamma[:1]  # one noise level for all, embedded once
            with autocast(self.device, self.format.dtype):
                return self.denoiser(x, y_t, gamma, torch.full_like(gamma, strength), task)

        return self.target.projected(network)

    def _noise(self, batch: Batch) -> Noise:
        shape = (3, *batch.x.shape[2:])

        def noise(k: int) -> Tensor:
            drawn = normal(batch.seeds, shape, k)
            if self.device.type == "cuda":  # drawn while the device computes, which waits for none
                drawn = drawn.pin_memory().to(self.device, non_blocking=True)
            return self.target.project(drawn.to(self.device))

        return noise

    def _nothing(self, batch: Batch, k: int) -> Tensor:
        return torch.zeros(len(batch.seeds), 3, *batch.x.shape[2:], device=self.device)

    def _tiles(self, batch: Batch) -> Tiles | None:
        """Two tiles or more of a single picture; None where the network sees it whole."""
        if batch.tile is None:
            return None
        height, width = batch.x.shape[-2:]
        tiles = plan(height, width, batch.tile, overlap_of(batch.tile), self.stride)
        return tiles if len(tiles) > 1 else None

    def _tensor(self, arrays: Sequence[NDArray[np.float32]]) -> Tensor:
        """(H, W, C) arrays to a (B, C, H, W) tensor on the device."""
        fitting = [padded(array, self.stride) for array in arrays]
        if len(fitting) == 1 and self.device.type == "cpu":  # no copy; nothing writes to it
            return torch.from_numpy(fitting[0])[None].permute(0, 3, 1, 2)
        return torch.from_numpy(np.stack(fitting)).to(self.device).permute(0, 3, 1, 2).contiguous()
