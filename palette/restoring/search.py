"""Search the noise levels of a sampler for one model, so that its samples are like exact ones.

SR3 and WaveGrad chose their few noise levels by a metric on a few pictures (Saharia et al. 2021,
section 4; Chen et al. 2021, section 4.3). Here the metric compares with exact draws from the
posterior: in the mean colour and octave by octave, the energy of the samples and their error.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Literal

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
from palette.restoring.sampling import MOVABLE, Movable, Sampling
from palette.restoring.solve import levels
from palette.seeding import entropy, rng
from palette.types import Observation, Picture, Spec

MOVES = (0.4, 0.2, 0.1, 0.05)
"""How far a level is moved in each round, as a share of the gap to its neighbour."""
GROUPS = 3
"""Smooth crops, busy ones and those between."""
TINY = 1e-20
"""Energies below this are none."""
Place = int | Literal["eta", "detail"]
START_RANGE = 2.0
"""How far the first level of a start from an estimate may be moved at once, in log-SNR."""


@dataclass(frozen=True)
class Crops:
    """Clean crops of one size, what a user would hold of each, and its simplest restoration."""

    clean: list[Picture]
    observed: list[Observation]
    baseline: list[Picture]


def take_crops(
    restorer: Restorer, source: Source, count: int, seed: int = 0, times: int = 1
) -> Crops:
    """``count`` crops of ``times`` the training size, or as near as the task's scale allows.

    Each picture of the source in turn gives one.
    """
    task = restorer.task
    check_inputs(source, task)
    side = times * restorer.model.config.data.size // task.multiple * task.multiple
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


class Trial:
    """Crops to judge a sampling by, and the statistics that its samples are to have.

    Those of exact draws from p(y | x), which follow from the clean crops and the mean answer ŷ
    alone: E‖y − b‖² is the energy of a sample − baseline too, and its error is 2·E‖ŷ − y‖²,
    because a sample and the truth are then independent draws around one mean. They are taken of
    smooth crops, as ŷ shows them, and of busy ones apart: grain in skies would otherwise make up
    for foliage without leaves.
    """

    def __init__(self, restorer: Restorer, crops: Crops) -> None:
        if len(crops.clean) < GROUPS:
            raise UserError(f"pictures is {len(crops.clean)}: {GROUPS} is the least")
        self.restorer, self.crops = restorer, crops
        means = restorer.using(Sampling(answer="mean")).restore_observations(crops.observed)
        busy = [_energies(picture)[1:].sum() for picture in means]
        self.groups = np.array_split(np.argsort(busy, kind="stable"), GROUPS)
        self.goal = np.maximum(self._statistics(crops.clean, means), TINY)
        self.goal[:, 1] *= 2
        self.weights = self.goal[:, 1] / self.goal[:, 1].sum()

    def statistics(self, sampling: Sampling) -> NDArray[np.float64]:
        """Energy of sample − baseline and error, for each group: (groups, 2, 1 + octaves).

        First that of the mean colour, then those of the octaves, coarse to fine. The noise is the
        same in every call, so that statistics differ by the sampling only.
        """
        restorer, crops = self.restorer.using(replace(sampling, answer="sample")), self.crops
        seeds = [entropy(i, "search") for i in range(len(crops.clean))]
        return self._statistics(restorer.restore_observations(crops.observed, seeds=seeds))

    def _statistics(
        self, restored: list[Picture], wrong: list[Picture] | None = None
    ) -> NDArray[np.float64]:
        crops = self.crops
        errors = zip(wrong or restored, crops.clean, strict=True)
        made = zip(restored, crops.baseline, strict=True)
        both = [
            [_energies(z - b) for z, b in made],
            [_energies(z - y) for z, y in errors],
        ]
        rows = np.stack(both, axis=1)
        return np.stack([rows[group].mean(axis=0) for group in self.groups])

    def score(self, sampling: Sampling) -> float:
        """Root mean square of ln(statistic / that of exact draws): 0.05 is typically 5 % off.

        Mean colour and octaves of each group count by how much of the mean answer's error is in
        them: where nothing is unknown, all samples agree.
        """
        logs = np.log(np.maximum(self.statistics(sampling), TINY) / self.goal)
        return float(np.sqrt((np.square(logs).mean(axis=1) * self.weights).sum()))


def _energies(picture: Picture) -> NDArray[np.float64]:
    colour = np.square(picture.mean(axis=(0, 1), dtype=np.float64)).sum()
    return np.concatenate([[colour], octave_energies(picture)])


def search(
    trial: Trial,
    begin: Sampling,
    progress: Callable[[Sampling, float], None] = lambda *_: None,
    move: Sequence[Movable] = MOVABLE,
) -> tuple[Sampling, float]:
    """``begin`` with the levels, eta and detail of the least score for its evaluations; that score.

    Coordinate descent from the levels of ``begin``: each in turn is moved towards one of its
    neighbours and stays where the score fell, with shorter moves in each round. The first level
    moves only where the start is an estimate; from pure noise it has to be the noisiest trained.
    Detail moves only where ``begin`` has some: it costs one of the evaluations. ``move`` says
    what moves at all, UserError where that is nothing; ``progress`` sees every improvement.
    """
    schedule = trial.restorer.solver.schedule
    bounds = torch.tensor([schedule.gamma_min, schedule.gamma_max], dtype=torch.float64)
    low, high = logsnr(bounds).tolist()
    nodes = logsnr(levels(begin, schedule)).tolist()
    movable: list[Place] = []
    if "eta" in move and begin.sampler.endswith("_sde"):
        movable.append("eta")
    if "detail" in move and begin.detail:
        movable.append("detail")
    if "levels" in move:
        movable += range(begin.start == "noise", len(nodes))
    if not movable:
        raise UserError(
            f"nothing of {begin.sampler} is to be moved: detail needs a --detail above 0"
        )
    best = replace(begin, logsnrs=tuple(nodes))
    least = trial.score(best)
    for part in MOVES:
        for i in movable:
            for way in (-1, 1):
                candidate = _moved(best, i, way, part, low, high)
                score = trial.score(candidate)
                if score < least:
                    best, least = candidate, score
                    progress(best, least)
    return best, least


def _moved(
    sampling: Sampling, place: Place, way: int, part: float, low: float, high: float
) -> Sampling:
    """A level, eta or detail, moved up or down by the share ``move`` of what is free."""
    if isinstance(place, str):
        goal, value = max(0, way), getattr(sampling, place)
        return replace(sampling, **{place: value + part * (goal - value)})
    assert sampling.logsnrs is not None
    nodes = list(sampling.logsnrs)
    around = [max(low, nodes[0] - START_RANGE), *nodes, high]
    nodes[place] += part * (around[place + 1 + way] - nodes[place])
    return replace(sampling, logsnrs=tuple(nodes))
