"""How many passes of the network an answer takes: what a bar counts to, and what is allowed."""

from __future__ import annotations

import math
from collections.abc import Iterable

from palette.restoring.coarse import reduction
from palette.restoring.restorer import Restorer
from palette.restoring.solve import together
from palette.restoring.tiling import automatic, overlap_of, plan
from palette.types import Observation

MOST_STEPS = 250
"""That may be asked for, of a model that takes no more where nobody asks."""


def most_steps(restorers: Iterable[Restorer]) -> int:
    """That may be asked for; models of the literature may take a thousand of themselves."""
    return max(MOST_STEPS, *(restorer.sampling.steps for restorer in restorers))


def evaluations(restorer: Restorer, observation: Observation) -> int:
    """For one answer of this size. An estimate where memory is short, as tiles are halved then."""
    height, width = (side * (restorer.task.scale or 1) for side in observation.picture.shape[:2])
    passes = _passes(restorer, height, width)
    deep = reduction(observation, restorer.model.config.data.size / 2)
    if deep > 1:  # a reduced picture is restored first
        passes += _passes(restorer, math.ceil(height / deep), math.ceil(width / deep))
    sampling = restorer.sampling
    return passes * (1 if sampling.answer == "mean" else sampling.steps)


def _passes(restorer: Restorer, height: int, width: int) -> int:
    """For one evaluation: more than one where the picture is restored in tiles."""
    solver, tile = restorer.solver, restorer.sampling.tile
    stride = solver.stride
    height, width = (math.ceil(side / stride) * stride for side in (height, width))
    room = solver.room(height * width)
    side = automatic(height * width, room) if tile == "auto" else tile
    if side is None or max(height, width) <= side:
        return 1
    tiles = plan(height, width, side, overlap_of(side), stride)
    return math.ceil(len(tiles) / together(solver.device, tiles.height * tiles.width, room))
