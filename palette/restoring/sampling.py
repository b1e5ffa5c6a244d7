"""How an answer is computed: the choices of a user as plain data, without torch.

What follows from them, the noise levels and the run of the sampler, is in
:mod:`palette.restoring.solve`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal, get_args

import tyro

from palette.errors import UserError, nearest

Answer = Literal["mean", "sample"]
SamplerName = Literal[
    "ancestral",
    "ancestral_beta",
    "repaint",
    "ddim",
    "heun",
    "dpmpp_2m",
    "dpmpp_3m",
    "dpmpp_2m_sde",
    "dpmpp_3m_sde",
    "unipc",
]
GridName = Literal["auto", "logsnr", "karras", "palette", "sr3", "ddpm"]
Start = Literal["noise", "condition", "mean"]
Movable = Literal["levels", "eta", "detail"]
"""What `palette search` may move."""
MOVABLE: tuple[Movable, ...] = get_args(Movable)
CHOICES = {
    "answer": Literal["auto", Answer],
    "sampler": SamplerName,
    "grid": GridName,
    "start": Start,
}


@dataclass(frozen=True)
class Route:
    """The route from noise to a sample: what `palette search` looks for a better form of."""

    steps: int = 8
    """Evaluations of the network for one sample."""
    sampler: SamplerName = "dpmpp_2m_sde"
    """The solver that leads from noise to the picture."""
    start: Start = "noise"
    """What a sample starts from: pure noise, or an estimate that is noised to --start-logsnr. The
    estimate is the condition itself or the mean answer, which is one of the evaluations."""
    start_logsnr: float = -3.0
    """Log-SNR of the first noise level where the start is an estimate; -3 leaves it 5 % of the
    power."""
    eta: float = 0.2
    """Fresh noise of the samplers that end in _sde: 1 is the reverse SDE, 0 the ODE."""
    detail: float = 0.0
    """Draw samples away from the mean answer by this share for every factor of 10 in SNR while
    noise hides the detail: for models whose samples are too smooth. 0.2 is usual, with an eta of 1.
    The mean answer is one of the evaluations."""


@dataclass(frozen=True)
class Sampling(Route):
    """How an answer is computed; the defaults are what the documentation measures."""

    answer: Literal["auto", Answer] = "auto"
    """mean: one evaluation, E[y|x], the regression answer, smooth and near the
    truth. sample: a draw from the posterior, with detail. auto: what the model says of the task,
    samples where it says nothing or where something else is chosen of how they are made."""
    samples: int = 1
    """Samples that are averaged."""
    grid: GridName = "auto"
    """The noise levels that the sampler visits. auto: what `palette search` found for this model,
    sampler, start and number of steps, unless you choose eta or detail; otherwise logsnr. palette,
    sr3, ddpm: steps of the published schedules."""
    logsnrs: Annotated[tuple[float, ...] | None, tyro.conf.Suppress] = None
    """The noise levels themselves as log-SNRs, noisiest first, instead of steps and grid."""
    resamplings: int = 10
    """How often the sampler repaint makes each step."""
    guidance: float = 1.0
    """Weight of the condition, for models trained with --diffusion.drop-condition: 1 changes
    nothing, more follows it harder. Every evaluation is then made twice."""
    strength: Annotated[float, tyro.conf.arg(aliases=["--level"])] = 0.0
    """Of the conditioning augmentation, for models that were trained with it."""
    tile: int | Literal["auto"] = "auto"
    """Side of the tiles that the network sees at once, in pixels of the result. auto: tiles of 512
    for pictures above a megapixel, smaller ones where free memory does not suffice. With a side
    given, every machine uses the same tiles."""

    def __post_init__(self) -> None:
        for name, choice in CHOICES.items():
            value, known = getattr(self, name), get_args(choice)
            if value not in known:
                raise UserError(f"{name} is {value!r}: {nearest(value, known)}")
        for name in ("steps", "samples", "resamplings"):
            if getattr(self, name) < 1:
                raise UserError(f"{name} is {getattr(self, name)}: it must be at least 1")
        if not -20 <= self.start_logsnr <= 5:
            raise UserError(f"start_logsnr is {self.start_logsnr}: choose -20 to 5, -3 is usual")
        if not 0 <= self.eta <= 1:
            raise UserError(f"eta is {self.eta}: choose 0 (the ODE) to 1 (the SDE)")
        if not 0 <= self.guidance <= 20:
            raise UserError(f"guidance is {self.guidance}: choose 0 to 20, 1 changes nothing")
        if not 0 <= self.detail <= 1:
            raise UserError(f"detail is {self.detail}: choose 0 to 1, 0 changes nothing")
        if self.tile != "auto" and self.tile < 1:
            raise UserError(f"tile is {self.tile}: give auto or a side in pixels, e.g. 512")

    def as_json(self) -> dict[str, Any]:
        return asdict(self)
