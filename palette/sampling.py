"""How an answer is computed: the choices of a user, and the noise levels that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import Tensor

from palette.config import nearest
from palette.samplers import SAMPLERS
from palette.schedule import GAMMA_MAX, GRIDS, Schedule

Answer = Literal["mean", "sample"]


@dataclass(frozen=True)
class Sampling:
    """How an answer is computed; the defaults are what the documentation measures."""

    answer: Answer = "sample"
    """mean: one evaluation from pure noise, E[y|x], the regression answer. sample: a draw from
    the posterior."""
    steps: int = 8
    """Evaluations of the network for a sample."""
    sampler: str = "dpmpp_2m"
    grid: str = "logsnr"
    samples: int = 1
    """Samples that are averaged."""
    level: float = 0.0
    """Of conditioning augmentation, for models that were trained with it."""
    tile: int | Literal["auto"] = "auto"
    """Side of the tiles that the network sees at once, in pixels of the result. auto: pictures of
    over a megapixel in tiles of 512, halved where memory does not suffice."""

    def __post_init__(self) -> None:
        if self.answer not in ("mean", "sample"):
            raise ValueError(f"answer is {self.answer!r}: choose mean or sample")
        if self.steps < 1 or self.samples < 1:
            raise ValueError(
                f"steps is {self.steps} and samples is {self.samples}: both must be at least 1"
            )
        if self.tile != "auto" and self.tile < 1:
            raise ValueError(f"tile is {self.tile}: give auto or a side in pixels, e.g. 512")
        if self.sampler not in SAMPLERS:
            raise ValueError(f"sampler is {self.sampler!r}: {nearest(self.sampler, SAMPLERS)}")
        if self.grid not in GRIDS:
            raise ValueError(f"grid is {self.grid!r}: {nearest(self.grid, GRIDS)}")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def levels(sampling: Sampling, schedule: Schedule) -> Tensor:
    """The γ that the sampler visits: (n,), increasing, inside of what was trained."""
    steps = 1 if sampling.answer == "mean" else sampling.steps
    return GRIDS[sampling.grid](steps, schedule.gamma_min, min(schedule.gamma_max, GAMMA_MAX))
