"""The mean answer of one task as a function of tensors: picture in, picture out, any size."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from palette.diffusion.steps import Clip, begin, estimate, hold, levels_of
from palette.errors import UserError
from palette.exporting import pictures
from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.restoring.solve import levels
from palette.tasks.base import HoleTask, WholePictureTask
from palette.tasks.paired import Paired
from palette.tasks.super_resolution import fits
from palette.types import Task

FILLS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {
    "harmonic": pictures.harmonic,
    "mean": pictures.mean_colour,
}
"""Those fillings of a hole that are tensor operations."""


class MeanAnswer(nn.Module):
    """E[y|x] by one evaluation, as ``Restorer.restore(…, answer="mean")`` computes it.

    The same equations in the same order, so that the two differ by rounding alone: the condition of
    the task, the network at the noisiest level, the estimate ŷ, and the end that the task puts to
    it. Left out are tiles, and the reduced picture that large holes follow. UserError for a task
    whose condition is not made of tensor operations.
    """

    def __init__(self, restorer: Restorer) -> None:
        super().__init__()
        solver, task = restorer.solver, restorer.task
        self.denoiser, self.target = solver.denoiser, solver.target
        self.hides = solver.hides
        (self.level,) = levels_of(levels(Sampling(answer="mean"), solver.schedule))
        self.register_buffer("number", torch.tensor([solver.task]), persistent=False)
        self.show = _shown_by(restorer.member.name, task)
        self.masked, self.coloured = task.masked, task.coloured
        self.keeps_luma = task.target == "chroma"
        self.scale = task.scale if fits(task) else None

    number: Tensor

    def forward(
        self, picture: Tensor, noise: Tensor | None = None, mask: Tensor | None = None
    ) -> Tensor:
        """(1, 3, h, w) in [0, 1] → (1, 3, H, W) in [0, 1], larger by the scale of the task.

        ``noise`` (1, 3, n, m) is standard normal, what the evaluation of a model starts from that
        was trained without ``diffusion.mean_share``; it is repeated to the size of the answer.
        ``mask`` (1, 1, h, w) is 1 where the picture is missing, for tasks that fill holes and for
        no others.
        """
        picture = picture.clamp(0, 1)
        missing = torch.zeros_like(picture[:, :1]) if mask is None else (mask > 0.5).float()
        shown = self.show(picture, missing)
        height, width = shown.shape[2:]
        restored = (self._mean(2 * shown - 1, missing, noise) + 1) / 2
        restored = pictures.cut(restored.clamp(0, 1), height, width)
        if self.masked:
            restored = torch.where(missing > 0, restored, picture)
        if self.keeps_luma:
            restored = pictures.with_luma(restored, shown)
        if self.scale is not None:
            restored = pictures.fitted(restored, picture, self.scale)
        return restored if self.coloured else pictures.grey_like(restored, picture)

    def _mean(self, x: Tensor, missing: Tensor, noise: Tensor | None) -> Tensor:
        """ŷ in [−1, 1], padded to the network's stride."""
        architecture = self.denoiser.unet.architecture
        x, known = pictures.padded(x, architecture.stride), None
        clip: Clip = partial(self.target.clip, x=x)
        region = pictures.padded(missing, architecture.stride) if self.masked else None
        if region is not None:
            known = self.target.guess(x) * (1 - region)
            clip = hold(clip, known, region)
        shown = x
        if architecture.mask:
            shown = torch.cat([x, torch.zeros_like(x[:, :1]) if region is None else region], dim=1)

        def denoise(y_t: Tensor, gamma: Tensor) -> Tensor:
            return self.target.project(self.denoiser(shown, y_t, gamma, task=self.number))

        if self.hides:
            start = torch.zeros_like(x)
        else:
            assert noise is not None
            drawn = self.target.project(pictures.repeated(noise, *x.shape[2:]))
            start = begin(self.level, lambda k: drawn, known)
        return self.target.decode(estimate(denoise, start, self.level, clip), x)


def _shown_by(name: str, task: Task) -> Callable[[Tensor, Tensor], Tensor]:
    """The picture that the network is shown of (picture, missing), both in [0, 1]."""
    scale = task.scale
    if isinstance(task, HoleTask):
        if task.fill not in FILLS:
            raise UserError(
                f"{name} fills holes by {task.fill} before the network sees them, which a graph "
                f"cannot do: export a model that was trained with --fill {' or '.join(FILLS)}"
            )
        return FILLS[task.fill]
    if isinstance(task, WholePictureTask | Paired) and scale is not None:
        return lambda picture, missing: pictures.enlarged(picture, scale)
    if isinstance(task, WholePictureTask):
        return lambda picture, missing: task.baseline_batch(picture)
    if isinstance(task, Paired):
        return lambda picture, missing: picture
    raise UserError(f"{name} makes its condition in a way of its own: it cannot be exported")
