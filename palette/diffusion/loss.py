"""The ε-loss and the quantity that is diffused: equations beside their code.

Notation of Palette (Saharia et al. 2022): y clean target, x condition, γ = ᾱ,
y_t = √γ·y + √(1−γ)·ε. Tensors are ``(B, 3, H, W)``, γ is ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Target:
    """What is diffused: y itself, or for conditions near the target the residual (y − x)/s."""

    residual_scale: float | None = None

    def encode(self, y: Tensor, x: Tensor) -> Tensor:
        return y if self.residual_scale is None else (y - x).div_(self.residual_scale)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        return z if self.residual_scale is None else (z * self.residual_scale).add_(x)

    def guess(self, x: Tensor) -> Tensor:
        """What the condition itself would answer: itself, no residual. It takes no memory."""
        return x if self.residual_scale is None else x.new_zeros(()).expand_as(x)

    def clip(self, z: Tensor, x: Tensor) -> Tensor:
        """Clip in picture space, to [−1, 1], whatever is diffused; one new tensor."""
        if self.residual_scale is None:
            return z.clamp(-1, 1)
        return self.decode(z, x).clamp_(-1, 1).sub_(x).div_(self.residual_scale)


def _constant(gamma: Tensor, p: int) -> Tensor:
    return torch.ones_like(gamma)


def _inverse_gamma(gamma: Tensor, p: int) -> Tensor:
    """γ^(−p/2): with the skip output, the loss becomes ‖F − F*‖_p^p, equal at all noise levels."""
    return gamma ** (-p / 2)


def _min_snr(gamma: Tensor, p: int, limit: float = 5.0) -> Tensor:
    """min(SNR, 5)/SNR (Hang et al. 2023, for ε-prediction), SNR = γ/(1−γ)."""
    snr = gamma / (1 - gamma)
    return snr.clamp(max=limit) / snr


WEIGHTS: dict[str, Callable[[Tensor, int], Tensor]] = {
    "constant": _constant,
    "inverse-gamma": _inverse_gamma,
    "min-snr": _min_snr,
}


def diffuse(y: Tensor, noise: Tensor, gamma: Tensor) -> Tensor:
    """y_t = √γ·y + √(1−γ)·ε (Palette, eq. 2; DDPM, eq. 4)."""
    g = gamma[:, None, None, None]
    return g.sqrt() * y + (1 - g).sqrt() * noise


def epsilon_loss(
    denoise: Callable[[Tensor, Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    gamma: Tensor,
    noise: Tensor,
    region: Tensor | None = None,
    p: int = 2,
    weight: str = "constant",
) -> Tensor:
    """‖f(x, √γ·y + √(1−γ)·ε, γ) − ε‖_p^p (Palette, eq. 3), averaged over ``region``.

    ``region`` (B, 1, H, W) is 1 where the loss counts; None counts everything. An empty region
    gives 0. ``weight`` names a function of γ in ``WEIGHTS``.
    """
    error = (denoise(x, diffuse(y, noise, gamma), gamma) - noise).abs() ** p
    error = error * WEIGHTS[weight](gamma, p)[:, None, None, None]
    if region is None:
        return error.mean()
    return (error * region).sum() / (region.sum() * error.shape[1]).clamp(min=1)
