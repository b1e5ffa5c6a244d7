"""The ε-loss and the quantity that is diffused: equations beside their code.

Notation of Palette (Saharia et al. 2022): y clean target, x condition, γ = ᾱ,
y_t = √γ·y + √(1−γ)·ε. Tensors are ``(B, 3, H, W)``, γ is ``(B,)``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LUMA = (0.299, 0.587, 0.114)
"""Weights of R, G and B in the luma of Rec. 601, which is what a grey picture holds."""
LUMA_SHARE = sum(weight**2 for weight in LUMA)
"""Variance of the luma of white noise of variance 1."""
CHROMA_SHARE = 1 + LUMA_SHARE - 2 / 3
"""Variance of white noise without its luma, mean of the three channels."""


@dataclass(frozen=True)
class Target:
    """What is diffused of a task: z = W(y − r·x)/s, as plain numbers.

    r is 1 for the residual to a condition near the target, 0 for the picture itself. s makes the
    luma of z as strong as that of the noise, and W multiplies what is not luma, the chroma, by
    ``gain``, so that it is too: photographs have little chroma, and noise of the strength of the
    luma would drown it, in samples as coloured grain. ``chroma`` alone: W takes the luma away,
    which the condition of colorization holds exactly.
    """

    residual: bool = False
    scale: float = 1.0
    chroma: bool = False
    gain: float = 1.0

    def for_all(self) -> Targets:
        """For a batch of this task alone."""
        return Targets(float(self.residual), self.scale, float(self.chroma), self.gain)


@dataclass(frozen=True)
class Targets:
    """The targets of a batch: numbers for all examples alike, or tensors (B, 1, 1, 1).

    ``x`` is what the network is shown, of which the first three channels are the picture.
    """

    residual: float | Tensor
    scale: float | Tensor
    chroma: float | Tensor
    gain: float | Tensor

    @classmethod
    def of(cls, targets: Sequence[Target], task: Tensor) -> Targets:
        """One for each example of a batch, by the number (B,) of its task."""
        rows = [(t.residual, t.scale, t.chroma, t.gain) for t in targets]
        columns = torch.tensor(rows, dtype=torch.float32).to(task.device)[task].T
        return cls(*columns[..., None, None, None])

    def encode(self, y: Tensor, x: Tensor) -> Tensor:
        """z of the picture y (B, 3, H, W)."""
        return self._encode(y.clone(), x)

    def decode(self, z: Tensor, x: Tensor) -> Tensor:
        """The picture of z."""
        y = self._weigh(z.clone(), 1 / self.gain).mul_(self.scale)
        return _add(y, self.residual, x[:, :3])

    def as_in_picture(self, z: Tensor) -> Tensor:
        """W⁻¹(z): errors of z in the proportions that the picture will have."""
        gain = 1 / self.gain
        return z if self._leaves(gain) else self._weigh(z.clone(), gain)

    def project(self, z: Tensor) -> Tensor:
        """Without the luma, where only chroma is diffused: noise and ε̂ must have none either."""
        return z if self._leaves(1.0) else self._weigh(z.clone(), 1.0)

    def projected(
        self, denoise: Callable[[Tensor, Tensor, Tensor], Tensor]
    ) -> Callable[[Tensor, Tensor, Tensor], Tensor]:
        """A network (x, y_t, γ) → ε̂ of which only the projection counts."""
        return lambda x, y_t, gamma: self.project(denoise(x, y_t, gamma))

    def guess(self, x: Tensor) -> Tensor:
        """What the condition itself would answer."""
        return self.encode(x[:, :3], x)

    def clip(self, z: Tensor, x: Tensor) -> Tensor:
        """Clip in picture space, to [−1, 1], whatever is diffused; one new tensor."""
        return self._encode(self.decode(z, x).clamp_(-1, 1), x)

    def _encode(self, y: Tensor, x: Tensor) -> Tensor:
        """:meth:`encode` in place: pictures can be large."""
        return self._weigh(_add(y, -self.residual, x[:, :3]).div_(self.scale), self.gain)

    def _leaves(self, gain: float | Tensor) -> bool:
        """Whether :meth:`_weigh` would change nothing."""
        for_all = isinstance(gain, float) and isinstance(self.chroma, float)
        return for_all and (gain, self.chroma) == (1.0, 0.0)

    def _weigh(self, z: Tensor, gain: float | Tensor) -> Tensor:
        """(1 − chroma)·luma(z) + gain·(z − luma(z)), in place."""
        if self._leaves(gain):
            return z
        luma = luma_of(z)
        return z.mul_(gain).add_(luma.mul_(1 - self.chroma - gain))


def luma_of(z: Tensor) -> Tensor:
    """Rec. 601's of (B, 3, H, W) as one channel, (B, 1, H, W)."""
    # products one by one: autocast would round those of a matrix to bfloat16
    luma = LUMA[0] * z[:, :1]
    for channel, weight in enumerate(LUMA[1:], 1):
        luma.add_(z[:, channel : channel + 1], alpha=weight)
    return luma


def _add(z: Tensor, weight: float | Tensor, x: Tensor) -> Tensor:
    """z + weight·x, in place."""
    return z.addcmul_(weight, x) if isinstance(weight, Tensor) else z.add_(x, alpha=weight)


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


def hiding(y: Tensor, gamma: Tensor) -> Tensor:
    """The ε that leaves y_t = 0: −√(γ/(1−γ))·y, with which a network is shown nothing but x.

    The error of ε̂ is then −√(γ/(1−γ)) times that of ŷ, so the same loss teaches E[y|x]: SR3's
    regression baseline (Saharia et al. 2021).
    """
    return -(gamma / (1 - gamma)).sqrt()[:, None, None, None] * y


def epsilon_loss(
    denoise: Callable[[Tensor, Tensor, Tensor], Tensor],
    x: Tensor,
    y: Tensor,
    gamma: Tensor,
    noise: Tensor,
    region: Tensor | None = None,
    p: int = 2,
    weight: str = "constant",
    seen: Callable[[Tensor], Tensor] = lambda error: error,
) -> Tensor:
    """‖f(x, √γ·y + √(1−γ)·ε, γ) − ε‖_p^p (Palette, eq. 3), the mean over each example's ``region``.

    (B,). ``region`` (B, 1, H, W) is 1 where the loss counts; None counts everything. An empty
    region gives 0. ``weight`` names a function of γ in ``WEIGHTS``; ``seen`` is the error as it
    counts, such as :meth:`Targets.as_in_picture`.
    """
    error = seen(denoise(x, diffuse(y, noise, gamma), gamma) - noise).abs() ** p
    if region is None:
        mean = error.mean(dim=(1, 2, 3))
    else:
        count = (region.sum(dim=(1, 2, 3)) * error.shape[1]).clamp(min=1)
        mean = (error * region).sum(dim=(1, 2, 3)) / count
    return mean * WEIGHTS[weight](gamma, p)
