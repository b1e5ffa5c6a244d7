"""What a training step changes, and how it is saved and loaded."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Self

import torch
from torch import Tensor, nn
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import get_ema_multi_avg_fn

from palette.checkpoint import Model, Tensors, load_model, save_checkpoint
from palette.config import RunConfig, to_dict
from palette.diffusion.loss import Target, Targets
from palette.errors import UserError, some
from palette.machine.format import Format, choose
from palette.network.denoiser import Denoiser
from palette.seeding import entropy
from palette.training.draws import Draws
from palette.training.ranks import Ranks
from palette.training.set import TrainingSet
from palette.training.sharding import divisible, gathered, placed

MOMENTS = ("exp_avg", "exp_avg_sq")
"""What AdamW keeps of each parameter, beside its count of steps."""


@dataclass(frozen=True)
class Init:
    """Weights of another model to start from; its task, scale and data may differ."""

    model: Path
    partial: bool = False
    """Leave out tensors that do not fit, instead of refusing."""

    def into(self, denoiser: Denoiser) -> None:
        """Copy them. UserError names the tensors that do not fit."""
        given, own = load_model(self.model).denoiser.state_dict(), denoiser.state_dict()
        fitting = {k: v for k, v in given.items() if k in own and own[k].shape == v.shape}
        odd = sorted({*given, *own} - fitting.keys())
        if odd and not self.partial:
            raise UserError(
                f"{self.model} is another network: {some(odd, 6)} do not fit; choose the same "
                f"--model settings, or --init-partial to start these anew"
            )
        denoiser.load_state_dict({**own, **fitting})


@dataclass
class Best:
    """The best validation so far."""

    gain: float | None = None
    """Mean over the tasks, in dB above the baseline."""
    step: int = 0
    decay: float | None = None
    """Of the better average at the last validation; None before the first."""
    waiting: int = 0
    """Validations since the step of the best."""


@dataclass
class State:
    """All that a step changes; what it saves is what it needs to go on to the same bits."""

    denoiser: Denoiser
    network: nn.Module
    """What a pass of training runs through: the denoiser, or that of all ranks."""
    ranks: Ranks
    averages: dict[float, Tensors]
    """Exponential moving averages of the weights by their decay, float32."""
    optimizer: torch.optim.AdamW
    rates: LambdaLR
    """The learning rate's rise and fall, by :func:`rate`."""
    targets: tuple[Target, ...]
    """What is diffused of each task."""
    draws: Draws
    format: Format
    """Precision and memory format, the same to the end of the run."""
    scaler: torch.amp.GradScaler
    """Of fp16, whose range gradients would leave below: it scales the loss."""
    step: int = 0
    updates: int = 0
    """Steps that changed the weights: all but those whose loss was not finite."""
    bad_steps: int = 0
    """Steps in a row, up to now, whose loss or gradient was not finite."""
    best: Best = field(default_factory=Best)

    @classmethod
    def start(cls, training_set: TrainingSet, ranks: Ranks, init: Init | None = None) -> Self:
        """The state before the first step; weights depend on the seed, or are those of ``init``."""
        config = training_set.config
        with torch.random.fork_rng():
            torch.manual_seed(entropy(config.seed, "weights") % 2**63)
            denoiser = Denoiser(config.model, config.data.size)
        if init is not None:
            init.into(denoiser)
        denoiser.to(ranks.device)
        diffusion, precision = config.diffusion, config.train.precision
        targets, form = ranks.agreed(  # measured, so that machines may differ
            lambda: (
                training_set.targets(diffusion.residual, diffusion.balance),
                choose(denoiser, precision, "train"),
            )
        )
        return cls._laid_out(config, denoiser, ranks, targets, form)

    @classmethod
    def load(
        cls,
        tensors: Mapping[str, Tensors],
        about: Mapping[str, Any],
        config: RunConfig,
        ranks: Ranks,
    ) -> Self:
        """The state that :meth:`save` wrote, of what ``load_checkpoint`` read."""
        denoiser = Denoiser(config.model, config.data.size)
        denoiser.load_state_dict(tensors["weights"])
        targets, form = tuple(Target(**one) for one in about["targets"]), Format(**about["format"])
        denoiser.to(ranks.device)
        state = cls._laid_out(config, denoiser, ranks, targets, form, about["updates"])
        state.step, state.updates = about["step"], about["updates"]
        state.best = Best(**about["best"])
        state.draws.squares = tensors["draws"]["squares"]
        if state.scaler.is_enabled():
            state.scaler.load_state_dict(about["scaler"])
        for decay, average in state.averages.items():
            for name, value in average.items():
                value.copy_(placed(tensors[f"average-{decay}"][name], value))
        if state.updates:
            state._put_moments(tensors)
        return state

    def _put_moments(self, tensors: Mapping[str, Tensors]) -> None:
        """Those of AdamW, in the memory format of their parameters: the same bits as before."""
        for name, parameter in self.denoiser.named_parameters():
            where = parameter.device if parameter.device.type == "cuda" else "cpu"
            moments = {
                moment: torch.empty_like(parameter, requires_grad=False).copy_(
                    placed(tensors[moment][name], parameter)
                )
                for moment in MOMENTS
            }
            count = torch.tensor(float(self.updates), device=where)
            self.optimizer.state[parameter] = {"step": count, **moments}

    def save(self, run: Path, config: RunConfig) -> None:
        """A checkpoint in the folder ``run``: weights, their average, the optimizer's moments.

        Of many ranks the first writes; all must call, because all have parts of a divided state.
        """
        moments: dict[str, Tensors] = {moment: {} for moment in MOMENTS}
        for name, parameter in self.denoiser.named_parameters():
            if parameter in self.optimizer.state:
                for moment in MOMENTS:
                    moments[moment][name] = self.optimizer.state[parameter][moment]
        averages = {f"average-{decay}": average for decay, average in self.averages.items()}
        draws = {"squares": self.draws.squares}
        weights = self.denoiser.state_dict()
        groups = {"weights": weights, **averages, **moments, "draws": draws}
        writes = self.ranks.writes
        tensors = {name: gathered(group, keep=writes) for name, group in groups.items()}
        if not writes:
            return
        about = {
            "updates": self.updates,
            "targets": [asdict(target) for target in self.targets],
            "best": asdict(self.best),
            "format": asdict(self.format),
            "scaler": self.scaler.state_dict(),
            "config": to_dict(config),
        }
        save_checkpoint(run, self.step, tensors, about, config.train.keep)

    def targets_of(self, task: Tensor | None) -> Targets:
        """Those of the examples of a batch, whose tasks are ``task`` (B,)."""
        if task is None:
            return self.targets[0].for_all()
        return Targets.of(self.targets, task)

    def average_weights(self) -> None:
        """θ̄ ← β·θ̄ + (1 − β)·θ with β = min(decay, (1 + n)/(10 + n)), for every decay."""
        weights = [parameter.detach() for parameter in self.denoiser.parameters()]
        for decay, average in self.averages.items():
            beta = min(decay, (1 + self.updates) / (10 + self.updates))
            get_ema_multi_avg_fn(beta)(list(average.values()), weights, None)

    def model(
        self, config: RunConfig, info: Mapping[str, Any], decay: float | None = None
    ) -> Model | None:
        """The model that restoring uses, on the CPU, with one of the averages: the best one's.

        All ranks must call, as in :meth:`save`; those that write nothing get None.
        """
        better = config.train.ema[0] if self.best.decay is None else self.best.decay
        average = self.averages[better if decay is None else decay]
        weights = gathered(average, keep=self.ranks.writes)
        if not self.ranks.writes:
            return None
        denoiser = Denoiser(config.model, config.data.size)
        denoiser.load_state_dict(weights)
        about = {"step": self.step, **info}
        return Model(denoiser.requires_grad_(False).eval(), self.targets, config, about)

    @classmethod
    def _laid_out(
        cls,
        config: RunConfig,
        denoiser: Denoiser,
        ranks: Ranks,
        targets: tuple[Target, ...],
        form: Format,
        updates: int = 0,
    ) -> Self:
        denoiser.unet.recompute = config.train.recompute
        if sharded := config.train.shard and ranks.count > 1:
            form = divisible(form)
        form.lay_out(denoiser).train()
        network = ranks.network(denoiser, sharded)
        device = next(denoiser.parameters()).device
        averages = {
            decay: {name: p.detach().clone() for name, p in denoiser.named_parameters()}
            for decay in config.train.ema
        }
        optimizer = torch.optim.AdamW(
            denoiser.parameters(),
            lr=config.train.learning_rate,
            weight_decay=config.train.weight_decay,
            fused=device.type in ("cuda", "cpu"),
        )
        optimizer.param_groups[0]["initial_lr"] = config.train.learning_rate
        rates = LambdaLR(optimizer, partial(rate, config), last_epoch=updates - 1)
        return cls(
            denoiser,
            network,
            ranks,
            averages,
            optimizer,
            rates,
            targets,
            Draws.of(config.diffusion),
            form,
            torch.amp.GradScaler(device.type, enabled=form.precision == "fp16"),
        )


def rate(config: RunConfig, updates: int) -> float:
    """The learning rate after ``updates``, as a share of the highest."""
    settings = config.train
    images = (updates + 1) * settings.batch * settings.accumulate
    warm, done = min(1.0, images / max(1, settings.warmup_images)), updates / config.steps
    falls = {"none": 1.0, "linear": 5 * (1 - done), "cosine": (1 + math.cos(math.pi * done)) / 2}
    return warm * min(1.0, max(0.0, falls[settings.decay]))
