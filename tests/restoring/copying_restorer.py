"""A restorer without a network: what it answers is the picture itself, or what a test wants."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import numpy as np

from palette.types import Observation, Picture


class Copying:
    """Copies pictures and paints holes black; ``before`` may raise."""

    def __init__(
        self, masked: bool = False, before: Callable[[Picture], None] = lambda picture: None
    ) -> None:
        self.task: Any = SimpleNamespace(masked=masked, coloured=False)
        self.before = before
        self.chosen: dict[str, Any] = {"model": "copy", "dtype": "float32"}
        self.count = 0

    def settings(self) -> dict[str, Any]:
        return self.chosen

    def restore_observations(
        self, observations: Sequence[Observation], *, seeds: Sequence[int]
    ) -> list[Picture]:
        (observation,) = observations
        self.before(observation.picture)
        self.count += 1
        missing = np.zeros(observation.picture.shape[:2], bool)
        missing = missing if observation.mask is None else observation.mask
        return [np.where(missing[..., None], np.float32(0), observation.picture)]
