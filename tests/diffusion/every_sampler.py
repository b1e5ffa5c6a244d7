"""All samplers, and small networks for them."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import Tensor

from palette.diffusion.multistep import unipc
from palette.diffusion.samplers import SAMPLERS
from palette.diffusion.steps import Sampler
from palette.seeding import normal

EVERY = [*SAMPLERS.items(), ("unipc-3", partial(unipc, order=3))]
every_sampler = pytest.mark.parametrize("sampler", [s for _, s in EVERY], ids=[n for n, _ in EVERY])
RANDOM = {"ancestral", "ancestral_beta", "repaint", "dpmpp_2m_sde", "dpmpp_3m_sde"}


def name_of(sampler: Sampler) -> str:
    return next((name for name, function in SAMPLERS.items() if function is sampler), "unipc")


def free(x0: Tensor) -> Tensor:
    return x0


def bend(y: Tensor, gamma: Tensor) -> Tensor:
    """A nonlinear ε-predictor: that of two peaks at ±1, each of spread 0.1."""
    g = gamma.view(-1, 1, 1, 1)
    spread = 0.01 * g + 1 - g
    near = torch.tanh(g.sqrt() * y / spread)
    return (1 - g).sqrt() * (y - g.sqrt() * near) / spread


def noise_of(seeds: list[int], k: int) -> Tensor:
    return normal(seeds, (3, 8, 8), k)
