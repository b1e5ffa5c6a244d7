"""What a training step changes, and how it is saved and loaded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from palette.checkpoint import Model, Tensors, load_checkpoint, save_checkpoint
from palette.config import RunConfig, to_dict
from palette.diffusion.loss import Target
from palette.machine.format import Format, choose
from palette.network.denoiser import Denoiser
from palette.seeding import entropy
from palette.training.set import TrainingSet

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, beside its count of steps."""


@dataclass
class State:
    """All that a step changes; what it saves is what it needs to go on to the same bits."""

    denoiser: Denoiser
    average: Tensors
    """Exponential moving average of the weights, float32."""
    optimizer: torch.optim.AdamW
    target: Target
    format: Format
    """Precision and memory format, the same to the end of the run."""
    step: int = 0
    updates: int = 0
    """Steps that changed the weights: all but those whose loss was not finite."""
    bad_steps: int = 0
    """Steps in a row, up to now, whose loss or gradient was not finite."""

    @classmethod
    def start(cls, training_set: TrainingSet, device: torch.device) -> Self:
        """The state before the first step; weights depend on the seed only."""
        config = training_set.config
        with torch.random.fork_rng():
            torch.manual_seed(entropy(config.seed, "weights") % 2**63)
            denoiser = Denoiser(config.model, config.data.size)
        residual = config.diffusion.residual and training_set.task.residual
        target = Target(training_set.residual_scale() if residual else None)
        form = choose(denoiser.to(device), config.train.precision, "train")
        return cls._laid_out(config, denoiser, target, form)

    @classmethod
    def load(cls, checkpoint: Path, config: RunConfig, device: torch.device) -> Self:
        """The state that :meth:`save` wrote. Raises IntegrityError where a file is damaged."""
        tensors, about = load_checkpoint(checkpoint)
        denoiser = Denoiser(config.model, config.data.size)
        denoiser.load_state_dict(tensors["weights"])
        target, form = Target(about["residual_scale"]), Format(**about["format"])
        state = cls._laid_out(config, denoiser.to(device), target, form)
        state.step, state.updates = about["step"], about["updates"]
        for name, average in state.average.items():
            average.copy_(tensors["average"][name])
        count = torch.tensor(
            float(state.updates), device=device if device.type == "cuda" else "cpu"
        )
        for name, parameter in denoiser.named_parameters():
            # in the memory format of the parameter: the same bits as in a run that was not stopped
            moments = {
                moment: torch.empty_like(parameter, requires_grad=False).copy_(
                    tensors[moment][name]
                )
                for moment in MOMENTS
            }
            state.optimizer.state[parameter] = {"step": count.clone(), **moments}
        return state

    def save(self, run: Path, config: RunConfig) -> None:
        """A checkpoint in the folder ``run``: weights, their average, the optimizer's moments."""
        moments: dict[str, Tensors] = {moment: {} for moment in MOMENTS}
        for name, parameter in self.denoiser.named_parameters():
            if parameter in self.optimizer.state:
                for moment in MOMENTS:
                    moments[moment][name] = self.optimizer.state[parameter][moment]
        tensors = {"weights": self.denoiser.state_dict(), "average": self.average, **moments}
        about = {
            "updates": self.updates,
            "residual_scale": self.target.residual_scale,
            "format": asdict(self.format),
            "config": to_dict(config),
        }
        save_checkpoint(run, self.step, tensors, about, config.train.keep)

    def average_weights(self, decay: float) -> None:
        """θ̄ ← decay·θ̄ + (1 − decay)·θ, for every parameter."""
        weights = [parameter.detach() for parameter in self.denoiser.parameters()]
        get_ema_multi_avg_fn(decay)(list(self.average.values()), weights, None)

    def model(self, config: RunConfig, info: Mapping[str, Any]) -> Model:
        """The model that restoring uses, with the averaged weights, on the CPU."""
        denoiser = Denoiser(config.model, config.data.size)
        denoiser.load_state_dict({name: value.cpu() for name, value in self.average.items()})
        about = {"step": self.step, **info}
        return Model(denoiser.requires_grad_(False).eval(), self.target, config, about)

    @classmethod
    def _laid_out(cls, config: RunConfig, denoiser: Denoiser, target: Target, form: Format) -> Self:
        denoiser.unet.recompute = config.train.recompute
        form.lay_out(denoiser).train()
        device = next(denoiser.parameters()).device
        average = {name: p.detach().clone() for name, p in denoiser.named_parameters()}
        optimizer = torch.optim.AdamW(
            denoiser.parameters(),
            lr=config.train.learning_rate,
            weight_decay=config.train.weight_decay,
            fused=device.type in ("cuda", "cpu"),
        )
        return cls(denoiser, average, optimizer, target, form)
