"""A noise level, or the strength of an augmentation, as the vector that a network is shown."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from palette.diffusion.schedule import DDPM, linear_gammas, logsnr

FINEST = 64
"""Parts of a time step: float32 tells no finer ones apart near γ = 1, whole steps stay whole."""


class NoiseEmbedding(nn.Module):
    """Sinusoids of one number a picture, (B,) → (B, outputs), through two linear layers.

    The number is γ or what ``of`` makes of it, or the strength of an augmentation.
    """

    def __init__(
        self,
        width: int,
        of: Literal["logsnr", "gamma", "root-gamma", "ddpm-step", "strength"],
        outputs: int,
    ) -> None:
        super().__init__()
        self.of = of
        half = width // 2
        ramp = torch.arange(half) / half
        # logSNR spans about [−10, 10] and a strength [0, 0.6]: phases up to 1 … 100;
        # the others as published
        steepest = {"logsnr": 0.1, "strength": 2.0}
        published = torch.exp(-math.log(1e4) * ramp)
        frequencies = steepest[of] * 100**ramp if of in steepest else published
        self.register_buffer("frequencies", frequencies.float(), persistent=False)
        if of == "ddpm-step":
            rising = logsnr(linear_gammas(*DDPM)).flip(0).float()
            self.register_buffer("steps", rising, persistent=False)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.SiLU(), nn.Linear(4 * width, outputs)
        )

    frequencies: Tensor
    steps: Tensor
    """Log-SNR of the time steps 999 … 0."""

    def forward(self, number: Tensor) -> Tensor:
        angles = self._embedded(number).float()[:, None] * self.frequencies
        return self.mlp(torch.cat([angles.cos(), angles.sin()], dim=1))

    def _embedded(self, number: Tensor) -> Tensor:
        if self.of == "logsnr":
            return torch.logit(number)
        if self.of == "root-gamma":
            return number.sqrt()
        return self.step(number) if self.of == "ddpm-step" else number

    def step(self, gamma: Tensor) -> Tensor:
        """The time step, between two of them by their log-SNR: (B,) in [0, 999]."""
        value, last = torch.logit(gamma.float()), len(self.steps) - 1
        above = (self.steps < value[:, None]).sum(dim=1).clamp(1, last)
        low, high = self.steps[above - 1], self.steps[above]
        step = last - above + (high - value) / (high - low)
        return (step * FINEST).round().div(FINEST).clamp(0, last)
