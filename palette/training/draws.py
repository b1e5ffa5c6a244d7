"""The draw of noise levels in training, plain or by the running loss."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import torch
from torch import Tensor

from palette.config import DiffusionConfig
from palette.diffusion.schedule import SCHEDULES, Schedule, gamma_of_logsnr, logsnr

BINS = 20
"""Of log-SNR, in which the running loss is kept."""
MEMORY = 0.99
"""Share of the running square that one more example of its bin leaves."""
UNIFORM = 0.1
"""Share of the examples that are drawn as if all losses were equal."""


@dataclass
class Draws:
    """How γ is drawn. ``squares`` (BINS,) is the running mean of the squared loss in each bin.

    The schedule "adaptive" draws a bin with p ∝ √E[loss²] and weighs its loss by 1/p, so that the
    expectation is that of the uniform draw and its variance less (Nichol & Dhariwal 2021, eq. 18).
    """

    schedule: Schedule
    squares: Tensor = field(default_factory=lambda: torch.ones(BINS, dtype=torch.float64))

    @classmethod
    def of(cls, diffusion: DiffusionConfig) -> Draws:
        schedule = replace(
            SCHEDULES[diffusion.schedule],
            mean=diffusion.logsnr_mean,
            std=diffusion.logsnr_std,
            noise_share=diffusion.noise_share,
        )
        return cls(schedule)

    @property
    def adaptive(self) -> bool:
        return self.schedule.name == "adaptive"

    def draw(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """γ and the weight of the loss, (B,) each, for ``u`` (B, 2) uniform in [0, 1)."""
        if not self.adaptive:
            return self.schedule.draw(u), torch.ones(len(u))
        share = self.squares.sqrt() / self.squares.sqrt().sum()
        share = (1 - UNIFORM) * share + UNIFORM / BINS
        chosen = torch.searchsorted(share.cumsum(0), u[:, 0].double()).clamp(max=BINS - 1)
        low, high = self._bounds()
        value = low + (high - low) * (chosen + u[:, 1].double()) / BINS
        return gamma_of_logsnr(value).float(), (1 / (BINS * share[chosen])).float()

    def learn(self, gamma: Tensor, loss: Tensor) -> None:
        """Keep the losses (B,) that were found at ``gamma`` (B,), both on the CPU."""
        if not self.adaptive:
            return
        low, high = self._bounds()
        place = (logsnr(gamma.double()) - low) / (high - low) * BINS
        for b, one in zip(place.long().clamp(0, BINS - 1).tolist(), loss.tolist(), strict=True):
            self.squares[b] = MEMORY * self.squares[b] + (1 - MEMORY) * one**2

    def _bounds(self) -> tuple[float, float]:
        ends = torch.tensor([self.schedule.gamma_min, self.schedule.gamma_max]).double()
        low, high = logsnr(ends).tolist()
        return low, high
