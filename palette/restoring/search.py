"""Search the noise levels of a sampler for one model: few evaluations with the statistics of many.

SR3 and WaveGrad chose their few noise levels by a metric on a few pictures (Saharia et al. 2021,
section 4; Chen et al. 2021, section 4.3). Here the metric compares with what the same network gives
in hundreds of ancestral steps: in the mean colour and octave by octave, the energy of the samples,
their error and their spread. So PSNR, gap and detail of the slow sampler are the goal.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray

from palette.data.crops import Crops as Cutter
from palette.data.pairs import check_inputs
from palette.data.sources import Source
from palette.diffusion.schedule import logsnr
from palette.errors import UserError
from palette.eval.metrics.spectrum import octave_energies
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.solve import levels
from palette.seeding import entropy, rng
from palette.types import Observation, Picture, Spec

MOVES = (0.4, 0.2, 0.1)
"""How far a level is moved in each round, as a share of the gap to its neighbour."""
ETA = -1
"""Stands among the levels' places for eta, which is moved too."""
START_RANGE = 2.0
"""How far the first level of a start from an estimate may be moved at once, in log-SNR."""


@dataclass(frozen=True)
class Crops:
    """Clean crops of one size, what a user would hold of each, and its simplest restoration."""

    clean: list[Picture]
    observed: list[Observation]
    baseline: list[Picture]


def take_crops(restorer: Restorer, source: Source, count: int, seed: int = 0) -> Crops:
    """``count`` crops of the training size, or as near to it as the task's scale allows.

    Each picture of the source in turn gives one.
    """
    task = restorer.task
    check_inputs(source, task)
    side = restorer.model.config.data.size // task.multiple * task.multiple
    cutter = Cutter(side, flips=False)
    clean, observed = [], []
    for i in range(count):
        index, place = i % len(source), rng(seed, "crop", i)
        if source.inputs is not None:
            crop, given = cutter.pair(source.read(index), source.inputs.read(index), place)
            observation = Observation(given)
        else:
            crop = cutter.crop(source.read(index), place)
            params = task.draw(Spec(side, side), rng(seed, "degrade", i))
            observation = task.degrade(crop, params)
        clean.append(crop)
        observed.append(observation)
    return Crops(clean, observed, [task.baseline(observation) for observation in observed])


def draw_samples(restorer: Restorer, crops: Crops, key: str, count: int) -> list[list[Picture]]:
    """``count`` samples of each crop. The noise depends on ``key`` only, not on the sampling."""
    numbers = range(len(crops.clean))
    seeds = [entropy(i, key, n) for i in numbers for n in range(count)]
    observed = [crops.observed[i] for i in numbers for _ in range(count)]
    samples = restorer.restore_observations(observed, seeds=seeds)
    return [samples[i * count : (i + 1) * count] for i in numbers]


class Trial:
    """Crops to judge a sampling by, and the statistics that are to be matched.

    ``samples``, two or more, are drawn of each crop. The goal is ancestral sampling in
    ``reference_steps`` evaluations.
    """

    def __init__(
        self, restorer: Restorer, crops: Crops, samples: int = 4, reference_steps: int = 250
    ) -> None:
        if samples < 2:
            raise UserError(f"samples is {samples}: their spread needs 2 or more")
        self.restorer, self.crops, self.samples = restorer, crops, samples
        slow = Sampling(sampler="ancestral", steps=reference_steps, grid="logsnr")
        self.goal = self.statistics(slow)

    def statistics(self, sampling: Sampling) -> NDArray[np.float64]:
        """Energy of sample − baseline, error and spread of the samples: (3, 1 + octaves).

        First that of the mean colour, then those of the octaves, coarse to fine. The noise is the
        same in every call, so that statistics differ by the sampling only.
        """
        restorer, n = self.restorer.using(replace(sampling, answer="sample")), self.samples
        drawn = draw_samples(restorer, self.crops, "search", n)
        rows = []
        for y, baseline, group in zip(self.crops.clean, self.crops.baseline, drawn, strict=True):
            mean = np.mean(group, axis=0)
            terms = [(z - baseline, z - y, (z - mean) * math.sqrt(n / (n - 1))) for z in group]
            rows += [[_energies(term) for term in sample] for sample in terms]
        return np.mean(rows, axis=0)

    def score(self, sampling: Sampling) -> float:
        """Root mean square of ln(statistic / that of the goal): 0.05 is typically 5 % off."""
        logs = np.log(self.statistics(sampling) / self.goal)
        return float(np.sqrt(np.mean(np.square(logs))))


def _energies(picture: Picture) -> NDArray[np.float64]:
    colour = np.square(picture.mean(axis=(0, 1), dtype=np.float64)).sum()
    return np.concatenate([[colour], octave_energies(picture)])


def search(
    trial: Trial, begin: Sampling, progress: Callable[[Sampling, float], None] = lambda *_: None
) -> tuple[Sampling, float]:
    """``begin`` with the levels and the eta of the least score for its evaluations, and that score.

    Coordinate descent from the levels of ``begin``: each in turn is moved towards one of its
    neighbours and stays where the score fell, with shorter moves in each round. The first level
    moves only where the start is an estimate; from pure noise it has to be the noisiest trained.
    ``progress`` sees every improvement.
    """
    schedule = trial.restorer.solver.schedule
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
