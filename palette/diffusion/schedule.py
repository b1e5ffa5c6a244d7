"""Noise levels: schedules of γ, the draw of γ in training, grids of γ for sampling.

γ = ᾱ in (0, 1) is the share of the picture's power that is left in the noisy picture,
y_t = √γ·y + √(1−γ)·ε (Palette, Saharia et al. 2022, eq. 2): 0 is pure noise, 1 the clean picture.
All schedules and grids are float64, computed on the CPU; only the draw of training gives float32.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import torch
from torch import Tensor

from palette.errors import UserError

PALETTE_TRAIN = (2000, 1e-6, 0.01)
"""Palette's training schedule: steps, first β, last β (appendix; linear)."""
PALETTE_TEST = (1000, 1e-4, 0.09)
"""Palette's schedule for sampling. Its last half is noisier than anything seen in training."""
DDPM = (1000, 1e-4, 0.02)
"""The schedule of Ho et al. (2020, section 4), in training and sampling; guided-diffusion's too."""
COSINE_STEPS = 1000


def linear_gammas(steps: int, beta_start: float, beta_end: float) -> Tensor:
    """γ_t = Π_{s≤t} (1 − β_s) for β linear in t (Ho et al. 2020): (steps,), decreasing."""
    _check_count(steps, "steps")
    if not 0 < beta_start <= beta_end < 1:
        raise UserError(
            f"betas {beta_start} to {beta_end}: must be 0 < beta_start <= beta_end < 1, "
            "e.g. 1e-6 to 0.01"
        )
    return torch.cumprod(1 - torch.linspace(beta_start, beta_end, steps, dtype=torch.float64), 0)


def cosine_gammas(steps: int) -> Tensor:
    """The cosine schedule (Nichol & Dhariwal 2021, eq. 17), β at most 0.999: (steps,), falling."""
    _check_count(steps, "steps")
    time = torch.linspace(0, 1, steps + 1, dtype=torch.float64)
    curve = torch.cos((time + 0.008) / 1.008 * math.pi / 2) ** 2
    betas = (1 - curve[1:] / curve[:-1]).clamp(max=0.999)
    return torch.cumprod(1 - betas, 0)


def logsnr(gamma: Tensor) -> Tensor:
    """ln(γ / (1 − γ)), the logarithm of the ratio of the signal's to the noise's power."""
    return torch.log(gamma) - torch.log1p(-gamma)


def gamma_of_logsnr(value: Tensor) -> Tensor:
    """The inverse of :func:`logsnr`: the logistic function."""
    return torch.sigmoid(value)


@dataclass(frozen=True)
class Schedule:
    """How γ is drawn in training, and which γ the network has seen.

    ``name``: "logsnr" draws uniformly in log-SNR from ``gamma_min`` to ``gamma_max``. "normal"
    draws log-SNR ~ N(``mean``, ``std``²), where a loss can still fall (EDM, Karras et al. 2022,
    section 5), but the share ``noise_share`` of nearly pure noise, uniform in log-SNR up to
    :data:`PURE_NOISE`, so that the answer of one evaluation is learnt too. "adaptive" is
    "logsnr" here: :mod:`palette.training.draws` changes it by the running loss. "palette", "ddpm"
    and "cosine" draw a step of the discrete schedule and then γ uniformly between that step and
    the next, as SR3 does (Saharia et al. 2021, eq. 10–11); steps outside of the bounds are left
    out. A sampler must never ask for a γ below ``gamma_min``: the network has not seen it, and
    its error in ε reaches the picture multiplied by √((1−γ)/γ). At the other end a grid need not
    go up to ``gamma_max``: what Palette trains beyond :data:`GAMMA_MAX` is noise that nobody sees.
    """

    name: str
    gamma_min: float
    gamma_max: float
    mean: float = 1.0
    std: float = 2.4
    noise_share: float = 0.5

    def __post_init__(self) -> None:
        if self.name not in _DRAWS:
            raise UserError(f"schedule {self.name!r}: choose one of {', '.join(_DRAWS)}")
        _check_range(self.gamma_min, self.gamma_max)

    def draw(self, u: Tensor) -> Tensor:
        """One γ per example: ``u`` (B, 2) uniform in [0, 1) gives (B,) float32 on u's device."""
        gamma = _DRAWS[self.name](u.double(), self)
        return gamma.clamp(self.gamma_min, self.gamma_max).float()


def _draw_logsnr(u: Tensor, schedule: Schedule) -> Tensor:
    low, high = _logit(schedule.gamma_min), _logit(schedule.gamma_max)
    return torch.sigmoid(low + (high - low) * u[:, 0])


def _draw_normal(u: Tensor, schedule: Schedule) -> Tensor:
    share, low = schedule.noise_share, _logit(schedule.gamma_min)
    pure = u[:, 0] < share
    noisy = low + (PURE_NOISE - low) * u[:, 0] / max(share, 1e-9)
    inside = u[:, 1].clamp(1e-12, 1 - 1e-12)
    normal = schedule.mean + schedule.std * torch.special.ndtri(inside)
    return torch.sigmoid(torch.where(pure, noisy, normal))


def _draw_palette(u: Tensor, schedule: Schedule) -> Tensor:
    return _draw_between(_palette_levels(), u, schedule.gamma_min, schedule.gamma_max)


def _draw_ddpm(u: Tensor, schedule: Schedule) -> Tensor:
    return _draw_between(_ddpm_levels(), u, schedule.gamma_min, schedule.gamma_max)


def _draw_cosine(u: Tensor, schedule: Schedule) -> Tensor:
    return _draw_between(_cosine_levels(), u, schedule.gamma_min, schedule.gamma_max)


def _draw_between(levels: Tensor, u: Tensor, gamma_min: float, gamma_max: float) -> Tensor:
    """γ ~ U(γ_{t−1}, γ_t), t uniform over the intervals of ``levels`` inside of the bounds."""
    seen = levels[(levels >= gamma_min) & (levels <= gamma_max)].to(u.device)
    if len(seen) < 2:
        raise UserError(
            f"gamma_min {gamma_min} and gamma_max {gamma_max} leave {len(seen)} of {len(levels)} "
            "steps of the schedule: widen them"
        )
    t = (u[:, 0] * (len(seen) - 1)).long().clamp(max=len(seen) - 2)
    return seen[t] + (seen[t + 1] - seen[t]) * u[:, 1]


@cache
def _palette_levels() -> Tensor:
    return linear_gammas(*PALETTE_TRAIN)


@cache
def _ddpm_levels() -> Tensor:
    return linear_gammas(*DDPM)


@cache
def _cosine_levels() -> Tensor:
    return cosine_gammas(COSINE_STEPS)


def _logit(gamma: float) -> float:
    return math.log(gamma) - math.log1p(-gamma)


def _sigmoid(value: float) -> float:
    return 1 / (1 + math.exp(-value))


_DRAWS: dict[str, Callable[[Tensor, Schedule], Tensor]] = {
    "logsnr": _draw_logsnr,
    "normal": _draw_normal,
    "adaptive": _draw_logsnr,
    "palette": _draw_palette,
    "ddpm": _draw_ddpm,
    "cosine": _draw_cosine,
}


def _check_count(count: int, name: str) -> None:
    if count < 1:
        raise UserError(f"{name} {count}: must be 1 or more")


def _check_range(gamma_min: float, gamma_max: float) -> None:
    if not 0 < gamma_min < gamma_max < 1:
        raise UserError(
            f"gamma_min {gamma_min}, gamma_max {gamma_max}: must be 0 < gamma_min < gamma_max < 1, "
            f"e.g. {GAMMA_MIN:.2g} and {GAMMA_MAX:.6f}"
        )


GAMMA_MIN, GAMMA_MAX = _sigmoid(-10.0), 0.9999
"""Log-SNR −10 to 9.2, as wide as what Palette's test schedule uses of its training schedule.

Below: at −8 the mean colour of a 256² picture still outweighs the noise (it is a mean of 65536
pixels), so that sampling could not start there from noise alone. Above: the noise left has a
standard deviation of 0.01, 1.3 of 255; a grid that ends at 8 would smooth detail below 2.3 of 255.
"""

PURE_NOISE = -4.0
"""Log-SNR below which y_t holds next to nothing of y: 2 % of its power."""

_PALETTE, _DDPM = _palette_levels(), _ddpm_levels()
_COSINE = _cosine_levels()[(_cosine_levels() >= GAMMA_MIN) & (_cosine_levels() <= GAMMA_MAX)]

SCHEDULES: dict[str, Schedule] = {
    "logsnr": Schedule("logsnr", GAMMA_MIN, GAMMA_MAX),
    "normal": Schedule("normal", GAMMA_MIN, GAMMA_MAX),
    "adaptive": Schedule("adaptive", GAMMA_MIN, GAMMA_MAX),
    "palette": Schedule("palette", float(_PALETTE.min()), float(_PALETTE.max())),
    "ddpm": Schedule("ddpm", float(_DDPM.min()), float(_DDPM.max())),
    "cosine": Schedule("cosine", float(_COSINE.min()), float(_COSINE.max())),
}


def logsnr_grid(n: int, gamma_min: float, gamma_max: float) -> Tensor:
    """n levels, equally far apart in log-SNR: (n,) float64, increasing (noisiest first)."""
    _check_count(n, "n")
    _check_range(gamma_min, gamma_max)
    levels = torch.linspace(_logit(gamma_min), _logit(gamma_max), n, dtype=torch.float64)
    return torch.sigmoid(levels).clamp(gamma_min, gamma_max)


def karras_grid(n: int, gamma_min: float, gamma_max: float, rho: float = 7.0) -> Tensor:
    """n levels, equally far apart in (√((1−γ)/γ))^(1/ρ) (Karras et al. 2022, eq. 5): (n,)."""
    _check_count(n, "n")
    _check_range(gamma_min, gamma_max)
    if not rho >= 1:
        raise UserError(f"rho {rho}: must be 1 or more, 7 is the paper's")
    first, last = (((1 - gamma) / gamma) ** (0.5 / rho) for gamma in (gamma_min, gamma_max))
    sigma = torch.linspace(first, last, n, dtype=torch.float64) ** rho
    return (1 / (1 + sigma**2)).clamp(gamma_min, gamma_max)


def palette_test_grid(n: int | None, gamma_min: float, gamma_max: float = 1.0) -> Tensor:
    """Palette's test schedule, trimmed to what was trained: (n,), increasing.

    ``n`` of the trimmed steps, evenly strided, the noisiest and (from two on) the cleanest among
    them; None takes all.
    """
    return _trimmed("Palette's test schedule", PALETTE_TEST, n, gamma_min, gamma_max)


def sr3_grid(n: int | None, gamma_min: float, gamma_max: float = 1.0) -> Tensor:
    """As :func:`palette_test_grid`, of the schedule that SR3's public port trains and samples by,
    which is Palette's training schedule."""
    return _trimmed("SR3's schedule", PALETTE_TRAIN, n, gamma_min, gamma_max)


def ddpm_grid(n: int | None, gamma_min: float, gamma_max: float = 1.0) -> Tensor:
    """As :func:`palette_test_grid`, of the schedule :data:`DDPM`."""
    return _trimmed("DDPM's schedule", DDPM, n, gamma_min, gamma_max)


def _trimmed(
    name: str, betas: tuple[int, float, float], n: int | None, gamma_min: float, gamma_max: float
) -> Tensor:
    gammas = linear_gammas(*betas).flip(0)
    kept = gammas[(gammas >= gamma_min) & (gammas <= gamma_max)]
    if len(kept) == 0:
        raise UserError(
            f"gamma_min {gamma_min} and gamma_max {gamma_max}: no step of {name} "
            f"({gammas[0]:.1e} to {gammas[-1]:.6f}) is between them, widen them"
        )
    if n is None:
        return kept
    _check_count(n, "n")
    if n > len(kept):
        raise UserError(
            f"n {n}: {name} has {len(kept)} steps between {gamma_min} and "
            f"{gamma_max}; ask for fewer, or use the grid 'logsnr'"
        )
    return kept[torch.linspace(0, len(kept) - 1, n, dtype=torch.float64).round().long()]


Grid = Callable[[int, float, float], Tensor]

GRIDS: dict[str, Grid] = {
    "logsnr": logsnr_grid,
    "karras": karras_grid,
    "palette": palette_test_grid,
    "sr3": sr3_grid,
    "ddpm": ddpm_grid,
}
