"""Whether what was exported answers as palette does, at sizes that are whole, odd and small."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

import numpy as np
import torch
from torch import Tensor

from palette.diffusion.steps import levels_of
from palette.errors import UserError
from palette.exporting.graphs import Graph
from palette.restoring.keys import noise_key
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.solve import levels
from palette.seeding import entropy, normal, rng
from palette.types import Observation, Picture

TOLERANCE = 1e-4
"""Of a restored picture in [0, 1], and of ε̂."""
PLAIN_TOLERANCE = 1e-5
"""Of ε̂, of networks with a plain output: ŷ = (y_t − σ·ε̂)/α makes σ/α times as much of it."""
SIZES = ((64, 64), (37, 53), (19, 90))
"""Height and width of the pictures that are compared."""
Run = Callable[[Mapping[str, Tensor]], Tensor]
"""What was exported: tensors by their names → its output."""


def noise_of(restorer: Restorer, observation: Observation, seed: int = 0) -> Tensor:
    """(1, 3, H, W): what the mean answer of this observation starts from in palette."""
    stride, scale = restorer.solver.stride, restorer.task.scale or 1
    height, width = (-(-side * scale // stride) * stride for side in observation.picture.shape[:2])
    return normal([entropy(noise_key(observation, seed), "sample", 0)], (3, height, width), 0)


def as_inputs(restorer: Restorer, observation: Observation, seed: int = 0) -> dict[str, Tensor]:
    """What the mean answer takes; where it starts from noise, palette's own."""
    inputs = {"picture": _tensor(observation.picture)}
    if not restorer.solver.hides:
        inputs["noise"] = noise_of(restorer, observation, seed)
    if observation.mask is not None:
        inputs["mask"] = _tensor(observation.mask[..., None].astype(np.float32))
    return inputs


def check_mean(restorer: Restorer, run: Run, what: str) -> float:
    """The largest difference to ``restorer``'s own mean answer; UserError above TOLERANCE."""
    differences = []
    for observation in observations(restorer.task.masked):
        (own,) = restorer.restore_observations([observation], "mean")
        with torch.no_grad():
            answer = run(as_inputs(restorer, observation))
        differences.append(float(np.abs(_picture(answer) - own).max()))
    named = f"{what} of {restorer.member.name}"
    return _checked(max(differences), named, tolerance_of(restorer))


def tolerance_of(restorer: Restorer) -> float:
    """What a mean answer may differ by, in [0, 1]."""
    if restorer.solver.denoiser.unet.architecture.output == "skip":
        return TOLERANCE
    (level,) = levels_of(levels(Sampling(answer="mean"), restorer.solver.schedule))
    return max(TOLERANCE, PLAIN_TOLERANCE * level.sigma / level.alpha / 2)


def check_same(graph: Graph, run: Run) -> float:
    """The largest difference of ``run`` to the module that it was made of, at two sizes."""
    smaller = {
        name: value[:1, :, : value.shape[2] // 2, : value.shape[2] // 2]
        if value.ndim == 4
        else value[:1]
        for name, value in graph.inputs.items()
    }
    with torch.no_grad():
        differences = [
            float((run(inputs) - graph.module(**inputs)).abs().max())
            for inputs in (graph.inputs, smaller)
        ]
    return _checked(max(differences), f"file of {graph.name}")


def observations(masked: bool) -> Iterator[Observation]:
    """Smooth pictures of several sizes; holes that are no deeper than palette fills at once."""
    for height, width in SIZES:
        coarse = rng(0, "parity", height, width).random((1, 3, 6, 6), dtype=np.float32)
        smooth = torch.nn.functional.interpolate(torch.from_numpy(coarse), (height, width))
        mask = np.zeros((height, width), bool)
        mask[height // 3 : height // 3 + 9, width // 4 : width // 4 + 14] = True
        yield Observation(_picture(smooth), mask if masked else None)


def _checked(difference: float, what: str, tolerance: float = TOLERANCE) -> float:
    if not difference <= tolerance:  # also where there is a NaN
        raise UserError(
            f"the {what} differs from palette's own answer by {difference:.2g}, more than "
            f"{tolerance:.2g}: nothing was written, as this task or this runtime computes otherwise"
        )
    return difference


def _tensor(array: np.ndarray) -> Tensor:
    return torch.from_numpy(array).permute(2, 0, 1)[None]


def _picture(tensor: Tensor) -> Picture:
    return np.ascontiguousarray(tensor[0].permute(1, 2, 0).numpy())
