"""The ε-network: the U-Net and the analytic skip around it.

Notation of Palette (Saharia et al. 2022): y clean target, x condition, γ = ᾱ,
y_t = √γ·y + √(1−γ)·ε. Tensors are ``(B, 3, H, W)``, γ is ``(B,)``.
"""

from __future__ import annotations

from torch import Tensor, nn

from palette.network.architecture import Architecture
from palette.network.unet import UNet


class Denoiser(nn.Module):
    """f(x, y_t, γ) ≈ ε, in float32 whatever precision the network runs in.

    output "skip": ε̂ = √(1−γ)·y_t + √γ·F, so that ŷ = √γ·y_t − √(1−γ)·F is bounded at every
    noise level (F is then v of Salimans & Ho 2022, section 4). output "plain": ε̂ = F. γ, the
    strength and the task are (B,), or (1,) for the whole batch.
    """

    def __init__(self, architecture: Architecture, image_size: int) -> None:
        super().__init__()
        self.unet = UNet(architecture, image_size)

    def forward(
        self,
        x: Tensor,
        y_t: Tensor,
        gamma: Tensor,
        strength: Tensor | None = None,
        task: Tensor | None = None,
    ) -> Tensor:
        F = self.unet(x, y_t, gamma, strength, task).float()
        if self.unet.architecture.output == "plain":
            return F
        g = gamma[:, None, None, None]
        return (1 - g).sqrt() * y_t + g.sqrt() * F
