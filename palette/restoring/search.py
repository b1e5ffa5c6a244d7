"""Search the levels of a sampler for one model: few evaluations with the statistics of many.

SR3 and WaveGrad chose their few noise levels by a metric on a few pictures (Saharia et al. 2021,
section 4; Chen et al. 2021, section 4.3). Here the metric compares with what the same network gives
in hundreds of ancestral steps: in the mean colour and octave by octave, the energy of the samples,
their error and their spread. So PSNR, gap and detail of the slow sampler are what is aimed at.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from palette.data.crops import Crops
from palette.data.sources import Source
from palette.diffusion.schedule import SCHEDULES, logsnr
from palette.errors import UserError
from palette.eval.metrics.spectrum import octave_energies
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling, levels
from palette.seeding import entropy, rng
from palette.types import Observation, Picture, Spec

MOVES = (0.4, 0.2, 0.1)
"""How far a level is moved in each round, as a share of the gap to its neighbour."""
ETA = -1
"""Stands among the levels' places for eta, which is moved too."""
START_RANGE = 2.0
"""How far the first level of a start from an estimate may be moved at once, in log-SNR."""


def crops(
    restorer: Restorer, source: Source, count: int, seed: int = 0
) -> tuple[list[Observation], list[Picture]]:
    """What a user would hold of ``count`` clean crops of the training size, and those crops.

    Each picture of the source in turn gives one.
    """
    side, task = restorer.model.config.data.size, restorer.task
    cut = Crops(side, flips=False)
    clean = [cut.crop(source.read(i % len(source)), rng(seed, "crop", i)) for i in range(count)]
    draws = [task.draw(Spec(side, side), rng(seed, "degrade", i)) for i in range(count)]
    return [task.degrade(c, params) for c, params in zip(clean, draws, strict=True)], clean


class Trial:
    """Pictures to judge a sampling by: ``observed`` of ``clean``, all of one size.

    ``samples``, two or more, are drawn of each; so many ``reference_steps`` of ancestral sampling
    are what is to be matched.
    """

    def __init__(
        self,
        restorer: Restorer,
        observed: Sequence[Observation],
        clean: Sequence[Picture],
        samples: int = 4,
        reference_steps: int = 250,
    ) -> None:
        if samples < 2:
            raise UserError(f"{samples} samples: their spread needs 2 or more")
        self.restorer, self.clean, self.samples = restorer, clean, samples
        self.baseline = [restorer.task.baseline(observation) for observation in observed]
        self.observed = [observation for observation in observed for _ in range(samples)]
        slow = Sampling(sampler="ancestral", steps=reference_steps, grid="logsnr")
        self.goal = self.statistics(slow)

    def statistics(self, sampling: Sampling) -> NDArray[np.float64]:
        """Energy of sample − baseline, error and spread of the samples: (3, 1 + n).

        First that of the mean colour, then those of the octaves, coarse to fine.

        The noise is the same in every call, so that statistics differ by the sampling only.
        """
        n = self.samples
        seeds = [entropy(i, "search", k) for i in range(len(self.clean)) for k in range(n)]
        restored = self.restorer.using(sampling).restore_observations(self.observed, seeds=seeds)
        rows = []
        for i, (y, baseline) in enumerate(zip(self.clean, self.baseline, strict=True)):
            group = restored[i * n : i * n + n]
            mean = np.mean(group, axis=0)
            terms = [(z - baseline, z - y, (z - mean) * math.sqrt(n / (n - 1))) for z in group]
            rows += [[_energies(term) for term in sample] for sample in terms]
        return np.mean(rows, axis=0)

    def score(self, sampling: Sampling) -> float:
        """Root mean square of ln(statistic / that of the reference); .05 is 5 % off, typically."""
        logs = np.log(self.statistics(sampling) / self.goal)
        return float(np.sqrt(np.mean(np.square(logs))))


def _energies(picture: Picture) -> NDArray[np.float64]:
    colour = np.square(picture.mean(axis=(0, 1), dtype=np.float64)).sum()
    return np.concatenate([[colour], octave_energies(picture)])


def search(
    trial: Trial, begin: Sampling, progress: Callable[[Sampling, float], None] = lambda *_: None
) -> tuple[Sampling, float]:
    """``begin`` with the levels, and the eta, of the least score for its evaluations; that score.

    Coordinate descent from the levels of ``begin``: each in turn is moved towards one of its
    neighbours and stays where the score fell, with shorter moves in each round. The first level
    moves only where the start is an estimate; from pure noise it has to be the noisiest trained.
    ``progress`` sees every improvement.
    """
    schedule = SCHEDULES[trial.restorer.model.config.diffusion.schedule]
    bounds = torch.tensor([schedule.gamma_min, schedule.gamma_max], dtype=torch.float64)
    low, high = logsnr(bounds).tolist()
    nodes = logsnr(levels(begin, schedule)).tolist()
    movable = range(begin.start == "noise", len(nodes))
    if begin.sampler.endswith("_sde"):
        movable = (ETA, *movable)
    best = replace(begin, logsnrs=tuple(nodes))
    least = trial.score(best)
    for move in MOVES:
        for i in movable:
            for way in (-1, 1):
                candidate = _moved(best, i, way, move, low, high)
                score = trial.score(candidate)
                if score < least:
                    best, least = candidate, score
                    progress(best, least)
    return best, least


def _moved(sampling: Sampling, i: int, way: int, move: float, low: float, high: float) -> Sampling:
    """Level ``i``, or :data:`ETA`, moved up or down by the share ``move`` of what is free."""
    if i == ETA:
        goal = max(0, way)
        return replace(sampling, eta=sampling.eta + move * (goal - sampling.eta))
    assert sampling.logsnrs is not None
    nodes = list(sampling.logsnrs)
    around = [max(low, nodes[0] - START_RANGE), *nodes, high]
    nodes[i] += move * (around[i + 1 + way] - nodes[i])
    return replace(sampling, logsnrs=tuple(nodes))
