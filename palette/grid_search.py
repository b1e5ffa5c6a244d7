"""Search the levels of a sampler for one model, by a proper score on a few pictures.

SR3 and WaveGrad chose their few noise levels by a metric (Saharia et al. 2021, section 4; Chen et
al. 2021, section 4.3). Here the metric is the energy score (Gneiting & Raftery 2007, eq. 21) of the
samples, octave by octave: its expectation is least for samples of the true posterior, so that
neither blur nor noise can win it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray

from palette.data.crops import Crops
from palette.data.sources import Source
from palette.eval.spectrum import octave_energies
from palette.restore import Restorer
from palette.sampling import Sampling, levels
from palette.schedule import SCHEDULES, logsnr
from palette.seeding import entropy, rng
from palette.types import Observation, Picture, Spec

MOVES = (0.4, 0.2, 0.1)
"""How far a level is moved in each round, as a share of the gap to its neighbour."""
START_RANGE = 2.0
"""How far the first level of a start from an estimate may be moved at once, in log-SNR."""


def energy_score(samples: Sequence[Picture], clean: Picture) -> NDArray[np.float64]:
    """E‖Y − y‖ − ½·E‖Y − Y′‖ in each octave, coarse to fine: (n,); less is better.

    ``samples`` are two or more independent restorations Y of one observation of ``clean`` y; the
    norm is the root of the octave's energy.
    """
    count = len(samples)
    if count < 2:
        raise ValueError(f"{count} samples: the energy score needs 2 or more")
    to_clean = np.mean([_norms(sample - clean) for sample in samples], axis=0)
    pairs = [_norms(samples[i] - samples[j]) for i in range(count) for j in range(i)]
    return to_clean - np.mean(pairs, axis=0) / 2


def _norms(difference: Picture) -> NDArray[np.float64]:
    return np.sqrt(octave_energies(difference))


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
    """Pictures to judge a sampling by: ``observed`` of ``clean``, all of one size."""

    def __init__(
        self,
        restorer: Restorer,
        observed: Sequence[Observation],
        clean: Sequence[Picture],
        samples: int = 2,
    ) -> None:
        self.restorer, self.clean, self.samples = restorer, clean, samples
        self.observed = [observation for observation in observed for _ in range(samples)]
        means = restorer.restore_observations(observed, "mean")
        errors = [_norms(mean - y) for mean, y in zip(means, clean, strict=True)]
        self.yardstick = np.mean(errors, axis=0)  # a point forecast's energy score is its error

    def score(self, sampling: Sampling) -> float:
        """The energy score over that of the mean answer, mean of the octaves; less is better.

        The noise is the same in every call, so that scores differ by the sampling only.
        """
        n = self.samples
        seeds = [entropy(i, "search", k) for i in range(len(self.clean)) for k in range(n)]
        restored = self.restorer.using(sampling).restore_observations(self.observed, seeds=seeds)
        scores = [energy_score(restored[i * n : i * n + n], y) for i, y in enumerate(self.clean)]
        return float(np.mean(np.mean(scores, axis=0) / self.yardstick))


def search(
    trial: Trial, begin: Sampling, progress: Callable[[Sampling, float], None] = lambda *_: None
) -> tuple[Sampling, float]:
    """``begin`` with the levels that have the least score for as many evaluations; that score.

    Coordinate descent from the levels of ``begin``: each in turn is moved towards one of its
    neighbours and stays where the score fell, with shorter moves in each round. The first level
    moves only where the start is an estimate; from pure noise it has to be the noisiest trained.
    ``progress`` sees every improvement.
    """
    schedule = SCHEDULES[trial.restorer.model.config.diffusion.schedule]
    nodes = [float(value) for value in logsnr(levels(begin, schedule))]
    bounds = torch.tensor([schedule.gamma_min, schedule.gamma_max], dtype=torch.float64)
    low, high = logsnr(bounds).tolist()
    best = replace(begin, logsnrs=tuple(nodes))
    least = trial.score(best)
    for move in MOVES:
        for i in range(begin.start == "noise", len(nodes)):
            before = nodes[i - 1] if i > 0 else max(low, nodes[0] - START_RANGE)
            after = nodes[i + 1] if i + 1 < len(nodes) else high
            for goal in (before, after):
                moved = list(nodes)
                moved[i] += move * (goal - nodes[i])
                candidate = replace(best, logsnrs=tuple(moved))
                score = trial.score(candidate)
                if score < least:
                    best, least, nodes = candidate, score, moved
                    progress(best, least)
    return best, least
