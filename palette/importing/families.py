"""Whose weights they are: the families of published networks, recognised by their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

import torch

from palette.diffusion.schedule import PALETTE_TRAIN, linear_gammas
from palette.errors import UserError, some
from palette.importing.files import Weights


@dataclass(frozen=True)
class Family:
    """How a family's networks are used, where it is not in their weights."""

    title: str
    network: Literal["guided", "sr3"]
    """Which of the two ways to name a U-Net's tensors."""
    embedding: Literal["gamma", "root-gamma", "ddpm-step"]
    schedule: Literal["palette", "ddpm"]
    """That it was trained by."""
    grid: Literal["palette", "sr3", "ddpm"]
    """That it is sampled by."""
    steps: int | None = None
    """Of the grid; None: all."""
    clean: bool = False
    """Whether y_t has the picture itself where it is known."""
    noise_first: bool = False
    """The network is shown [y_t, x], not [x, y_t]."""
    scale: int | None = None
    """Of super-resolution, what it was published for; None: it was published for several tasks."""
    enlarge: Literal["bicubic", "bilinear"] = "bicubic"


PALETTE = Family(
    "Palette (public port), guided_diffusion network",
    "guided",
    "gamma",
    "palette",
    "palette",
    clean=True,
)
PALETTE_SR3 = Family(
    "Palette (public port), sr3 network", "sr3", "gamma", "palette", "palette", clean=True
)
SR3 = Family("SR3 (public port)", "sr3", "root-gamma", "palette", "sr3", scale=8)
GUIDED_DIFFUSION = Family(
    "guided-diffusion",
    "guided",
    "ddpm-step",
    "ddpm",
    "ddpm",
    steps=250,
    noise_first=True,
    scale=4,
    enlarge="bilinear",
)

PALETTE_BUFFERS = {
    "gammas",
    "sqrt_recip_gammas",
    "sqrt_recipm1_gammas",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
}
SR3_BUFFERS = {
    "betas",
    "alphas_cumprod",
    "alphas_cumprod_prev",
    "sqrt_alphas_cumprod",
    "sqrt_one_minus_alphas_cumprod",
    "log_one_minus_alphas_cumprod",
    "sqrt_recip_alphas_cumprod",
    "sqrt_recipm1_alphas_cumprod",
    "posterior_variance",
    "posterior_log_variance_clipped",
    "posterior_mean_coef1",
    "posterior_mean_coef2",
}
"""What is computed from the noise schedule and saved with the weights."""
SIGNS = {
    "cond_embed.0.weight": "guided",
    "time_embed.0.weight": "guided",
    "noise_level_mlp.1.weight": "sr3",
}
"""A tensor that only networks of one naming have."""


class Found(NamedTuple):
    family: Family
    network: Weights
    """The tensors of the network, without the prefix that all of them share."""


def recognise(weights: Weights) -> Found:
    """The family of a checkpoint, and its network without the buffers of its schedule.

    UserError where the keys are of no family, and where there are others beside those of the
    network and its schedule.
    """
    signs = {name: sign for name in weights.tensors for sign in SIGNS if name.endswith(sign)}
    if len(signs) != 1:
        raise UserError(
            f"{weights.file} is of no family that palette knows, from {some(list(weights.tensors))}"
            f": import takes Palette's and SR3's public ports and guided-diffusion"
        )
    ((name, sign),) = signs.items()
    prefix = name.removesuffix(sign)
    if prefix and not prefix.endswith("."):
        raise UserError(f"{weights.file}: {name} is of no family that palette knows")
    network = {
        name.removeprefix(prefix): value
        for name, value in weights.tensors.items()
        if name.startswith(prefix)
    }
    outer = prefix.removesuffix("denoise_fn.")
    others = {
        name.removeprefix(outer): value
        for name, value in weights.tensors.items()
        if not name.startswith(prefix)
    }
    family = _family(weights, sign, set(others), prefix)
    left = sorted(others.keys() - PALETTE_BUFFERS - SR3_BUFFERS)
    if left:
        raise UserError(
            f"{weights.file} holds {some(left)} beside the network and its schedule: give the "
            f"checkpoint of the network alone"
        )
    _check_schedule(Weights(weights.file, others))
    return Found(family, Weights(weights.file, network))


def _family(weights: Weights, sign: str, others: set[str], prefix: str) -> Family:
    if sign == "cond_embed.0.weight":
        return PALETTE
    if sign == "time_embed.0.weight":
        return GUIDED_DIFFUSION
    if "alphas_cumprod" in others:
        return SR3
    if "gammas" in others or (
        prefix and not others
    ):  # its averaged weights come without a schedule
        return PALETTE_SR3
    raise UserError(
        f"{weights.file} does not say whether SR3 or Palette trained it, as it has neither its "
        f"schedule nor a prefix: give the checkpoint as it was saved"
    )


def _check_schedule(buffers: Weights) -> None:
    """UserError where it is not the published one, by which the model will be sampled."""
    for name in ("gammas", "alphas_cumprod"):
        if name not in buffers:
            continue
        found, published = buffers.tensors[name].double(), linear_gammas(*PALETTE_TRAIN)
        fits = found.shape == published.shape
        if not fits or not torch.allclose(found, published, rtol=1e-3, atol=0):
            low = f", γ down to {float(found.min()):.2g}" if found.numel() else ""
            raise UserError(
                f"{buffers.file} was trained by a noise schedule of its own ({found.numel()} "
                f"steps{low}), not by the published one ({len(published)} steps, γ down to "
                f"{float(published.min()):.2g}): such a model cannot be imported"
            )
