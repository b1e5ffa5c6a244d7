"""Models of random weights: what is exported need not have learnt anything."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch

from palette.checkpoint import Model, save_model
from palette.config import RunConfig, from_dict
from palette.diffusion.loss import Target
from palette.network.denoiser import Denoiser
from palette.tasks.generalist import make_trainable

SMALL: dict[str, Any] = {
    "width": 8,
    "multipliers": [1, 2],
    "blocks": 1,
    "groups": 4,
    "head_width": 8,
}


def random_network(size: int = 32, **architecture: Any) -> Denoiser:
    """Every layer of it says something: those that begin at zero are drawn too."""
    config = from_dict(RunConfig, {"task": "denoising", "model": {**SMALL, **architecture}})
    denoiser = Denoiser(config.model, size)
    draws = torch.Generator().manual_seed(0)
    for weight in denoiser.parameters():
        spread = weight[0].numel() ** -0.5 if weight.ndim > 1 else 0.3
        weight.data = torch.randn(weight.shape, generator=draws) * spread
    return denoiser.requires_grad_(False).eval()


def random_model(
    folder: Path, task: str, options: dict[str, Any], mean_share: float = 0, **architecture: Any
) -> Path:
    """A model folder for a task, or for several by the task "generalist"."""
    denoiser = random_network(**architecture)
    members = make_trainable(task, options).members()
    settings = {"task": task, "options": options, "model": {**SMALL, **architecture}}
    settings |= {"data": {"size": 32}, "diffusion": {"mean_share": mean_share}}
    targets = tuple(
        Target(member.task.target != "picture", 0.3, member.task.target == "chroma", 1.5)
        for member in members
    )
    info = {"step": 7, "pictures": 11, "data": "0" * 64, "palette": "0", "torch": "0"}
    save_model(folder, Model(denoiser, targets, from_dict(RunConfig, settings), info))
    return folder
