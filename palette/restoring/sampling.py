"""How an answer is computed: the choices of a user, and the noise levels that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from torch import Tensor

from palette.diffusion.samplers import (
    SAMPLERS,
    Clip,
    Denoise,
    Noise,
    Sampler,
    ddim,
    dpmpp_2m_sde,
    dpmpp_3m_sde,
    evaluations,
    repaint,
)
from palette.diffusion.schedule import GAMMA_MAX, GRIDS, Schedule, gamma_of_logsnr, logsnr_grid
from palette.errors import UserError, nearest

Answer = Literal["mean", "sample"]
STARTS = ("noise", "condition", "mean")


@dataclass(frozen=True)
class Sampling:
    """How an answer is computed; the defaults are what the documentation measures."""

    answer: Answer = "sample"
    """mean: one evaluation from pure noise, E[y|x], the regression answer. sample: a draw from
    the posterior."""
    steps: int = 8
    """Evaluations of the network for a sample."""
    sampler: str = "dpmpp_2m_sde"
    grid: str = "auto"
    """Where the levels lie. auto: where `palette search` put them for this model, sampler, start
    and number of steps, else logsnr."""
    logsnrs: tuple[float, ...] | None = None
    """The levels themselves, noisiest first; then neither steps nor grid count."""
    samples: int = 1
    """Samples that are averaged."""
    start: Literal["noise", "condition", "mean"] = "noise"
    """What a sample starts from: pure noise, or at ``start_logsnr`` a noised estimate, which is
    the condition itself or the mean answer (one of the evaluations)."""
    start_logsnr: float = -3.0
    """Log-SNR of the first level where the start is an estimate: −3 is 5 % of its power."""
    eta: float = 0.2
    """Fresh noise of the samplers that end in _sde: 1 the reverse SDE, 0 the ODE."""
    resamplings: int = 10
    """How often ``repaint`` makes each step."""
    guidance: float = 1.0
    """Weight of the condition, for models trained with --diffusion.drop-condition: 1 is none,
    more follows it harder; two evaluations for each one."""
    level: float = 0.0
    """Of conditioning augmentation, for models that were trained with it."""
    tile: int | Literal["auto"] = "auto"
    """Side of the tiles that the network sees at once, in pixels of the result. auto: pictures of
    over a megapixel in tiles of 512, smaller ones where free memory does not suffice; name a side
    to have the same pixels on every machine."""

    def __post_init__(self) -> None:
        if self.answer not in ("mean", "sample"):
            raise UserError(f"answer is {self.answer!r}: choose mean or sample")
        if self.steps < 1 or self.samples < 1:
            raise UserError(
                f"steps is {self.steps} and samples is {self.samples}: both must be at least 1"
            )
        if self.start not in STARTS:
            raise UserError(f"start is {self.start!r}: choose noise, condition or mean")
        if not -20 <= self.start_logsnr <= 5:
            raise UserError(f"start_logsnr is {self.start_logsnr}: choose −20 to 5, −3 is usual")
        if not 0 <= self.eta <= 1:
            raise UserError(f"eta is {self.eta}: choose 0 (the ODE) to 1 (the SDE)")
        if self.resamplings < 1:
            raise UserError(f"resamplings is {self.resamplings}: it must be at least 1")
        if not 0 <= self.guidance <= 20:
            raise UserError(f"guidance is {self.guidance}: choose 0 to 20, 1 is none")
        if self.tile != "auto" and self.tile < 1:
            raise UserError(f"tile is {self.tile}: give auto or a side in pixels, e.g. 512")
        if self.sampler not in SAMPLERS:
            raise UserError(f"sampler is {self.sampler!r}: {nearest(self.sampler, SAMPLERS)}")
        if self.grid not in ("auto", *GRIDS):
            raise UserError(f"grid is {self.grid!r}: {nearest(self.grid, ('auto', *GRIDS))}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def levels(sampling: Sampling, schedule: Schedule) -> Tensor:
    """The γ that the sampler visits: (n,), increasing, inside of what was trained.

    As many as ``sampling.steps`` evaluations allow.
    """
    last = min(schedule.gamma_max, GAMMA_MAX)
    if sampling.answer == "mean":
        return logsnr_grid(1, schedule.gamma_min, last)
    if sampling.logsnrs is not None:
        gammas = gamma_of_logsnr(torch.tensor(sampling.logsnrs, dtype=torch.float64))
        return gammas.clamp(schedule.gamma_min, schedule.gamma_max)
    first, budget = schedule.gamma_min, sampling.steps
    if sampling.start != "noise":
        first = max(first, float(gamma_of_logsnr(torch.tensor(sampling.start_logsnr).double())))
        budget -= sampling.start == "mean"
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


def compute(
    sampling: Sampling,
    schedule: Schedule,
    denoise: Denoise,
    noise: Noise,
    clip: Clip,
    guess: Tensor,
    known: Tensor | None = None,
) -> Tensor:
    """Run the sampler: what is diffused, (B, 3, H, W), clean.

    ``guess`` is what the condition itself would answer; ``known`` holds the known pixels of a
    picture with a hole, 0 in it, and ``clip`` puts them back (:func:`palette.diffusion.samplers.hold`).
    """
    gammas = levels(sampling, schedule)
    start = known
    if sampling.answer == "sample" and sampling.start == "condition":
        start = guess
    elif sampling.answer == "sample" and sampling.start == "mean":
        first = levels(replace(sampling, answer="mean"), schedule)
        # noise of its own: the sample's start must not know what the estimate has seen
        start = ddim(denoise, first, lambda k: noise(-1), clip, known)
    return _sampler(sampling)(denoise, gammas, noise, clip, start)


def _sampler(sampling: Sampling) -> Sampler:
    own: dict[str, Sampler] = {
        "repaint": partial(repaint, resamplings=sampling.resamplings),
        "dpmpp_2m_sde": partial(dpmpp_2m_sde, eta=sampling.eta),
        "dpmpp_3m_sde": partial(dpmpp_3m_sde, eta=sampling.eta),
    }
    return own.get(sampling.sampler, SAMPLERS[sampling.sampler])
