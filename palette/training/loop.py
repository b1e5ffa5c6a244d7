"""The training loop: batch → γ, ε → loss → AdamW → averaged weights → checkpoint. No hooks.

Everything random is keyed by (seed, position): a run that is stopped and resumed goes on with the
same numbers, and on the CPU ends in the same bits as a run that was not stopped.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.sources import Source
from palette.diffusion.guidance import drop_condition
from palette.diffusion.loss import epsilon_loss
from palette.diffusion.schedule import SCHEDULES
from palette.errors import Diverged, Preempted
from palette.machine.device import choose_device
from palette.machine.format import autocast
from palette.seeding import entropy, generator
from palette.training.run_folder import RunFolder, stop_signals
from palette.training.set import Batch, TrainingSet
from palette.training.state import State
from palette.types import Task

BAD_STEPS = 20
"""After this many steps in a row without a finite loss and gradient the run stops."""

CACHE_BYTES = 2**31
"""Decoded pictures kept in memory, in each process that prepares batches."""


def train(config: RunConfig, task: Task, source: Source, run: Path, resume: bool = False) -> Path:
    """Train until ``config.steps`` and return the model folder ``run/model``.

    A new run needs an empty or absent folder; ``resume`` continues from its newest checkpoint.
    Raises UserError where the folder does not fit, InUse, Preempted on SIGTERM or SIGINT, Diverged.
    """
    device = choose_device(config.train.device)
    training_set = TrainingSet(CachedSource(source, CACHE_BYTES), task, config)
    folder = RunFolder(run, training_set)
    with folder.own(resume), stop_signals() as stopped, torch.random.fork_rng():
        state = folder.load(device) if resume else State.start(training_set, device)
        folder.describe(state)
        _loop(state, folder, device, stopped)
    return run / "model"


def _loop(state: State, run: RunFolder, device: torch.device, stopped: threading.Event) -> None:
    config = run.config
    feed = run.training_set.batches(state.step, config.steps, device)
    with run.metrics(state.step) as metrics:
        while state.step < config.steps:
            loss, norm = optimizer_step(state, feed, config, device)
            if state.bad_steps == BAD_STEPS:
                raise Diverged(
                    f"the loss was not finite in {BAD_STEPS} steps up to step {state.step}: lower "
                    f"--train.learning-rate; the checkpoints in {run.path} are as they were before"
                )
            metrics.add(state.step, loss, norm)
            if run.is_due(state.step, config.train.checkpoint_every) or stopped.is_set():
                run.save(state)
            if run.is_due(state.step, config.train.sample_every):
                run.write_strip(state)
            if stopped.is_set() and state.step < config.steps:
                cure = f"continue with `palette resume {run.path}`"
                raise Preempted(f"stopped at step {state.step}: {cure}")


def optimizer_step(
    state: State, feed: Iterator[Batch], config: RunConfig, device: torch.device
) -> tuple[float, float]:
    """SR3, algorithm 1, with AdamW: the loss, and the gradient's norm before it was clipped."""
    settings, diffusion, seed, step = config.train, config.diffusion, config.seed, state.step
    torch.manual_seed(entropy(seed, "dropout", step) % 2**63)
    levels, drops = generator(seed, "gamma", step), generator(seed, "drop", step)
    draws = torch.Generator(device).manual_seed(entropy(seed, "noise", step) % 2**63)
    total = torch.zeros((), device=device)
    state.optimizer.zero_grad(set_to_none=True)
    for batch in islice(feed, settings.accumulate):
        x, y = batch.x, state.target.encode(batch.y, batch.x)  # (B, 3, H, W)
        if diffusion.drop_condition:
            dropped = torch.rand(len(x), generator=drops) < diffusion.drop_condition
            x = drop_condition(x, dropped.to(device))
        gamma = SCHEDULES[diffusion.schedule].draw(torch.rand((len(x), 2), generator=levels))
        gamma = gamma.to(device, non_blocking=True)  # (B,)
        noise = torch.randn(y.shape, generator=draws, device=device)
        denoise = partial(state.denoiser, strength=batch.strength)
        with autocast(device, state.format.dtype):
            loss = epsilon_loss(
                denoise, x, y, gamma, noise, batch.region, diffusion.p, diffusion.weight
            )
        loss = loss / settings.accumulate
        loss.backward()
        total += loss.detach()
    norm = torch.nn.utils.clip_grad_norm_(state.denoiser.parameters(), settings.clip_norm)
    loss, norm = torch.stack([total, norm]).tolist()  # the step's only wait for the device
    finite = math.isfinite(loss) and math.isfinite(norm)
    state.step, state.bad_steps = step + 1, 0 if finite else state.bad_steps + 1
    if finite:
        images = (state.updates + 1) * settings.batch * settings.accumulate
        warm = min(1.0, images / max(1, settings.warmup_images))
        state.optimizer.param_groups[0]["lr"] = settings.learning_rate * warm
        state.optimizer.step()
        state.average_weights(min(settings.ema, (1 + state.updates) / (10 + state.updates)))
        state.updates += 1
    return loss, norm
