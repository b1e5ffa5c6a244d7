"""What training reads and changes: samples by position, the state, and its checkpoints."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from palette.checkpoint import Tensors, load_checkpoint, save_checkpoint
from palette.config import RunConfig, to_dict
from palette.data.cache import CachedSource, unpacked
from palette.data.crops import Crops
from palette.data.loader import epoch_order
from palette.diffusion import Denoiser, Target
from palette.precision import choose_dtype
from palette.seeding import entropy, rng
from palette.speed import Format, choose
from palette.types import BatchTask, Params, Picture, Spec, Task


@dataclass(frozen=True)
class Samples:
    """The training sample at a global position: condition ``x``, target ``y``, ``region``.

    All are (C, H, W) float32, x and y in [−1, 1]; region only where the task has a mask.
    """

    source: CachedSource
    task: Task
    config: RunConfig

    def __post_init__(self) -> None:
        if self.config.data.degrade_on == "device" and not isinstance(self.task, BatchTask):
            raise ValueError(
                f"data.degrade_on is 'device', which {self.config.task} cannot: choose 'worker'"
            )
        if getattr(self.task, "conditioning", "none") != "none" and not self.config.model.level:
            raise ValueError(
                "conditioning augmentation tells the network its level: add --model.level"
            )

    def clean(self, position: int) -> Picture:
        """The clean crop, (size, size, 3) in [0, 1]."""
        seed, data = self.config.seed, self.config.data
        index = epoch_order(seed, len(self.source), position)
        crops = Crops(data.size, data.flips)
        return unpacked(crops.crop(self.source.packed(index), rng(seed, "crop", position)))

    def params(self, position: int) -> Params:
        """How the sample is degraded; it depends on the crop's size, not on its pixels."""
        size, seed = self.config.data.size, self.config.seed
        return self.task.draw(Spec(size, size, augment=True), rng(seed, "degrade", position))

    def __call__(self, position: int) -> dict[str, np.ndarray]:
        clean = self.clean(position)
        sample = {"y": (2 * clean - 1).transpose(2, 0, 1)}
        if self.config.data.degrade_on == "worker":
            observation = self.task.degrade(clean, self.params(position))
            draws = rng(self.config.seed, "condition", position)
            condition = self.task.condition(observation, draws)
            sample["x"] = condition.x.transpose(2, 0, 1)
            if condition.region is not None:
                sample["region"] = condition.region[None]
            if condition.level is not None:
                sample["level"] = np.array(condition.level, np.float32)
        return {key: np.array(value, order="C") for key, value in sample.items()}

    def on_device(self, batch: dict[str, Tensor], first: int) -> dict[str, Tensor]:
        """What is left to do where a batch, from position ``first``, is to be used."""
        if "x" in batch:
            return batch
        assert isinstance(self.task, BatchTask)
        params = [self.params(first + slot) for slot in range(len(batch["y"]))]
        x = self.task.condition_batch((batch["y"] + 1) / 2, params)
        if "augmentation" not in params[0]:
            return {**batch, "x": x}
        levels = [one["augmentation"]["level"] for one in params]
        return {**batch, "x": x, "level": x.new_tensor(levels)}


def measure_residual_scale(samples: Samples, count: int = 64) -> float:
    """Root mean square of y − x over the first samples: what makes the residual unit variance."""
    config = replace(samples.config, data=replace(samples.config.data, degrade_on="worker"))
    alone = replace(samples, config=config)
    squares = []
    for position in range(count):
        sample = alone(position)
        squares.append(float(np.mean((sample["y"] - sample["x"]) ** 2)))
    return max(math.sqrt(sum(squares) / count), 1e-3)


@dataclass
class State:
    """What a step changes."""

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


def start(config: RunConfig, samples: Samples, device: torch.device) -> State:
    """The state before the first step; weights depend on the seed only."""
    with torch.random.fork_rng():
        torch.manual_seed(entropy(config.seed, "weights") % 2**63)
        denoiser = Denoiser(config.model, config.data.size)
    residual = config.diffusion.residual and samples.task.residual
    target = Target(measure_residual_scale(samples) if residual else None)
    form = choose(denoiser.to(device), config.train.precision, "train")
    return _state(config, denoiser, target, form)


def _state(config: RunConfig, denoiser: Denoiser, target: Target, form: Format) -> State:
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
    return State(denoiser, average, optimizer, target, form)


def save(run: Path, state: State, config: RunConfig) -> None:
    """A checkpoint: weights, their average, the optimizer's moments."""
    moments: dict[str, Tensors] = {"exp_avg": {}, "exp_avg_sq": {}}
    for name, parameter in state.denoiser.named_parameters():
        for kind, group in moments.items():
            if parameter in state.optimizer.state:
                group[name] = state.optimizer.state[parameter][kind]
    tensors = {"weights": state.denoiser.state_dict(), "average": state.average, **moments}
    about = {
        "updates": state.updates,
        "residual_scale": state.target.residual_scale,
        "format": asdict(state.format),
        "config": to_dict(config),
    }
    save_checkpoint(run, state.step, tensors, about, config.train.keep)


def load(folder: Path, config: RunConfig, device: torch.device) -> State:
    """The state that :func:`save` wrote."""
    tensors, about = load_checkpoint(folder)
    denoiser = Denoiser(config.model, config.data.size)
    denoiser.load_state_dict(tensors["weights"])
    if "format" in about:
        form = Format(**about["format"])
    else:  # a run of before formats were measured
        low = choose_dtype(config.train.precision, device) == torch.bfloat16
        form = Format("bf16" if low else "fp32")
    state = _state(config, denoiser.to(device), Target(about["residual_scale"]), form)
    state.step, state.updates = about["step"], about["updates"]
    # files are sorted by name: take the order of the parameters again
    state.average = {
        name: torch.empty_like(there).copy_(tensors["average"][name])
        for name, there in state.average.items()
    }
    counter = torch.tensor(float(state.updates), device=device if device.type == "cuda" else "cpu")
    for name, parameter in denoiser.named_parameters():
        # in the memory format of the parameter: the same bits as in a run that was not stopped
        moments = {
            kind: torch.empty_like(parameter, requires_grad=False).copy_(tensors[kind][name])
            for kind in ("exp_avg", "exp_avg_sq")
        }
        state.optimizer.state[parameter] = {"step": counter.clone(), **moments}
    return state
