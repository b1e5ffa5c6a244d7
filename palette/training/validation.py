"""Validation: fixed crops of pictures that training does not see, and what the model makes of them.

Crops, degradations and noise are keyed by the seed and the position: every validation of a run, and
of a run that was resumed, judges by the same pictures.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from typing import Any

import numpy as np
import torch
from torch.utils.data import default_collate

from palette.checkpoint import Model
from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.sources import Source
from palette.data.stored import is_grey
from palette.diffusion.loss import epsilon_loss
from palette.diffusion.schedule import gamma_of_logsnr
from palette.errors import PictureError, UserError
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Answer
from palette.seeding import generator, rng
from palette.training.left_out import LeftOut
from palette.training.set import TrainingSet
from palette.training.state import State
from palette.types import Member, Observation, Picture, Spec

CACHE_BYTES = 2**28
"""Decoded validation pictures kept in memory."""
LOGSNRS = tuple(range(-8, 9, 2))
"""Noise levels at which the loss is measured."""


@dataclass(frozen=True)
class Case:
    """A clean crop and what a user would hold of it."""

    clean: Picture
    observed: Observation

    def squared_error(self, answer: Picture) -> tuple[float, int]:
        """Summed over the values that were to be made, and their number; in 8 bits."""
        errors = np.square(np.rint(answer * 255) / 255 - self.clean, dtype=np.float64)
        if self.observed.mask is not None:
            errors = errors[self.observed.mask]
        return float(errors.sum()), errors.size


@dataclass(frozen=True)
class Row:
    """PSNR in dB on the crops of one task, of the pooled squared error."""

    baseline: float
    mean: float
    sample: float

    def as_json(self) -> dict[str, float]:
        """With the gain of the mean answer, and how far a sample is below it."""
        differences = {"gain": self.mean - self.baseline, "gap": self.mean - self.sample}
        return {name: round(value, 4) for name, value in {**asdict(self), **differences}.items()}


@dataclass(frozen=True)
class Findings:
    """What a validation found: a row for each task, the better average, the loss by noise level."""

    rows: dict[str, Row]
    decay: float
    loss: dict[int, float]
    """Of the weight inverse-gamma, by log-SNR, of errors as the picture has them."""

    @property
    def gain(self) -> float:
        """Mean over the tasks of the mean answer's gain over the baseline, in dB."""
        return sum(row.mean - row.baseline for row in self.rows.values()) / len(self.rows)

    def as_json(self) -> dict[str, Any]:
        return {
            "gain": round(self.gain, 4),
            "decay": self.decay,
            "tasks": {name: row.as_json() for name, row in self.rows.items()},
            "loss": {str(level): round(value, 4) for level, value in self.loss.items()},
        }


class Validation:
    """The fixed crops of every task, and the judgement of a state by them."""

    def __init__(self, source: Source, members: Sequence[Member], config: RunConfig) -> None:
        self.members, self.config = members, config
        self.source = CachedSource(source, CACHE_BYTES)
        self.left_out = LeftOut()
        """Pictures that cannot be read."""
        self.left_out.prepare(len(source))

    @cached_property
    def cases(self) -> list[list[Case]]:
        """Of every task, ``data.val_crops`` crops of twice the training size."""
        count = self.config.data.val_crops
        return [
            [self._case(member, number * count + i) for i in range(count)]
            for number, member in enumerate(self.members)
        ]

    def prepare(self) -> None:
        """Cut the crops, so that pictures that do not suit stop a run before its first step."""
        count, coloured = len(self.source), any(member.task.coloured for member in self.members)
        if coloured and not any(self._has_colours(i) for i in range(count)):
            raise UserError(
                f"all {count} pictures for validation are grey, which says nothing of colours: "
                f"name others with --val, or hold out more with --data.val-share"
            )
        _ = self.cases

    def _has_colours(self, index: int) -> bool:
        """As far as can be told: a picture that cannot be read is named when it is cropped."""
        try:
            return not is_grey(self.source.stored(index))
        except PictureError:
            return True

    def judge(self, state: State, models: dict[float, Model]) -> Findings:
        """Restore the crops by the model of each average; the better one also draws samples."""
        form, where = state.format, self.config.train.device
        restorers = {
            decay: Restorer(model, self.members, device=where, precision=form)
            for decay, model in models.items()
        }
        means = {decay: self._psnrs(restorer, "mean") for decay, restorer in restorers.items()}
        best = max(means, key=lambda decay: sum(means[decay]))
        samples, baselines = self._psnrs(restorers[best], "sample"), self._baselines
        columns = zip(self.members, baselines, means[best], samples, strict=True)
        rows = {member.name: Row(*values) for member, *values in columns}
        return Findings(rows, best, self._losses(state, models[best]))

    def strip(self, state: State, model: Model, most: int = 4) -> Picture:
        """Rows of baseline | mean | sample | clean: the first crop of each task, of one four."""
        where = self.config.train.device
        restorer = Restorer(model, self.members, device=where, precision=state.format)
        rows = []
        for number, cases in enumerate(self.cases):
            for i, case in enumerate(cases[: 1 if len(self.members) > 1 else most]):
                made = [self._restored(restorer, number, answer, [i])[0] for answer in ANSWERS]
                baseline = self.members[number].task.baseline(case.observed)
                rows.append(np.concatenate([baseline, *made, case.clean], axis=1))
        width = max(row.shape[1] for row in rows)
        padded = [np.pad(r, ((0, 0), (0, width - r.shape[1]), (0, 0))) for r in rows]
        return np.concatenate(padded)

    def _crops(self, members: Sequence[Member]) -> TrainingSet:
        return TrainingSet(self.source, members, self.config, self.left_out)

    def _case(self, member: Member, position: int) -> Case:
        task, data = member.task, self.config.data
        side = math.ceil(2 * data.size / task.multiple) * task.multiple
        crops = self._crops([member])
        params = task.draw(Spec(side, side), rng(self.config.seed, "validation", position))
        return Case(*crops.case(position, task, side, params))

    def _restored(
        self, restorer: Restorer, number: int, answer: Answer, which: Sequence[int]
    ) -> list[Picture]:
        observed = [self.cases[number][i].observed for i in which]
        return restorer.doing(number).restore_observations(observed, answer, seeds=which)

    def _psnrs(self, restorer: Restorer, answer: Answer) -> list[float]:
        """Of each task."""
        psnrs = []
        for number, cases in enumerate(self.cases):
            restored = self._restored(restorer, number, answer, range(len(cases)))
            psnrs.append(_psnr(cases, restored))
        return psnrs

    @cached_property
    def _baselines(self) -> list[float]:
        """Of each task; no training changes them."""
        rows = zip(self.members, self.cases, strict=True)
        return [_psnr(cs, [m.task.baseline(c.observed) for c in cs]) for m, cs in rows]

    @torch.inference_mode()
    def _losses(self, state: State, model: Model) -> dict[int, float]:
        """Over examples of the training size, as many of each task as it has crops."""
        crops = self._crops(self.members)
        device = next(state.denoiser.parameters()).device
        count = self.config.data.val_crops * len(self.members)
        stacked = default_collate([crops.example(position) for position in range(count)])
        batch = crops.on_device(stacked, range(count), device)
        target, denoiser = state.targets_of(batch.task), model.denoiser.to(device)
        denoise = target.projected(
            lambda x, y_t, gamma: denoiser(x, y_t, gamma, batch.strength, batch.task)
        )
        y = target.encode(batch.y, batch.x)
        losses = {}
        for level in LOGSNRS:
            draws = generator(self.config.seed, "validation noise", level)
            noise = target.project(torch.randn(y.shape, generator=draws).to(device))
            gamma = gamma_of_logsnr(torch.full((count,), float(level))).to(device)
            weight, seen = "inverse-gamma", target.as_in_picture
            loss = epsilon_loss(denoise, batch.x, y, gamma, noise, batch.region, 2, weight, seen)
            losses[level] = float(loss.mean())
        return losses


ANSWERS: tuple[Answer, ...] = ("mean", "sample")


def _psnr(cases: Sequence[Case], answers: Sequence[Picture]) -> float:
    """−10·log10 of the pooled mean squared error; 100 where nothing differs."""
    parts = [case.squared_error(answer) for case, answer in zip(cases, answers, strict=True)]
    error, count = (sum(column) for column in zip(*parts, strict=True))
    return -10 * math.log10(max(error / max(count, 1), 1e-10))
