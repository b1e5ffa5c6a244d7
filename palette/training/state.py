"""What training reads and changes: samples by position, the state, and its checkpoints."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from palette.checkpoint import Tensors, load_checkpoint, save_checkpoint
from palette.config import RunConfig, to_dict
from palette.diffusion.loss import Target
from palette.machine.format import Format, choose, choose_dtype
from palette.network.denoiser import Denoiser
from palette.seeding import entropy
from palette.training.set import TrainingSet, measure_residual_scale


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


def start(config: RunConfig, samples: TrainingSet, device: torch.device) -> State:
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
