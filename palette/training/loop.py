"""The training loop: batch → γ, ε → loss → AdamW → averaged weights → checkpoint. No hooks.

Everything random is keyed by (seed, position): a run that is stopped and resumed goes on with the
same numbers, and on the CPU ends in the same bits as a run that was not stopped.
"""

from __future__ import annotations

import math
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import partial
from itertools import islice
from pathlib import Path

import torch

from palette.config import RunConfig
from palette.data.cache import CachedSource
from palette.data.loader import of_worker
from palette.data.sources import Source
from palette.data.split import split
from palette.diffusion.guidance import drop_condition
from palette.diffusion.loss import epsilon_loss
from palette.errors import Diverged, PaletteError, Preempted
from palette.machine.device import choose_device
from palette.machine.format import autocast
from palette.seeding import entropy, generator
from palette.training.log import Log, check_tensorboard
from palette.training.run_folder import RunFolder, stop_signals
from palette.training.set import Batch, TrainingSet
from palette.training.state import Init, State
from palette.training.validation import Validation
from palette.types import Member

BAD_STEPS = 20
"""After this many steps in a row without a finite loss and gradient the run stops."""

CACHE_BYTES = 2**31
"""Decoded pictures kept in memory, in each process that prepares batches."""


def train(
    config: RunConfig,
    members: Sequence[Member],
    source: Source,
    val: Source | None,
    run: Path,
    resume: bool = False,
    init: Init | None = None,
    log: Log | None = None,
) -> Path:
    """Train until ``config.steps`` and return the model folder ``run/model``.

    ``val`` holds the pictures for validation; without it a share of ``source`` does. A new run
    needs an empty or absent folder; ``resume`` continues from its newest checkpoint; ``init``
    gives a new run the weights of another model; ``log`` gets numbers and pictures as they come.
    Raises UserError where the folder does not fit, InUse, Preempted on SIGTERM or SIGINT, Diverged.
    """
    device = choose_device(config.train.device)
    if config.train.log == "tensorboard":
        check_tensorboard()
    if val is None:
        source, val = split(source, config.data.val_share)
    training_set = TrainingSet(CachedSource(source, CACHE_BYTES), members, config)
    validation = None if val is None else Validation(val, members, config)
    if validation is not None and config.train.validate_every:
        validation.prepare()
    folder = RunFolder(run, training_set, validation, log)
    with folder.own(resume), stop_signals() as stopped, torch.random.fork_rng():
        state = folder.load(device) if resume else State.start(training_set, device, init)
        folder.describe(state)
        if init is not None:  # what a run goes on from that was stopped before its first checkpoint
            state.save(run, config)
        if not resume:
            _report_grey(training_set)
        _loop(state, folder, device, stopped)
    return run / "model"


def _report_grey(training_set: TrainingSet) -> None:
    """Say how many pictures are left out of tasks that learn colours."""
    if not any(member.task.coloured for member in training_set.members):
        return
    grey, seen = training_set.grey()
    if grey:
        of = seen if seen == len(training_set.source) else f"the first {seen}"
        print(f"{grey} of {of} pictures are grey: colorization leaves them out", file=sys.stderr)


def _loop(state: State, run: RunFolder, device: torch.device, stopped: threading.Event) -> None:
    config, settings = run.config, run.config.train
    feed = run.training_set.batches(state.step, config.steps, device)
    with closing(feed), run.metrics(state.step) as metrics:
        while state.step < config.steps:
            loss, norm = _step_or_save(state, run, feed, device)
            if state.bad_steps == BAD_STEPS or (state.bad_steps and state.step == config.steps):
                raise Diverged(
                    f"the loss was not finite in {state.bad_steps} steps up to step {state.step}: "
                    f"lower --train.learning-rate; what was saved in {run.path} is as it was before"
                )
            metrics.add(state, loss, norm)
            enough = False
            if run.is_due(state.step, settings.validate_every) and not state.bad_steps:
                run.validate(state, metrics)
                enough = 0 < settings.patience <= state.best.waiting
            if run.is_due(state.step, settings.checkpoint_every) or enough or stopped.is_set():
                run.save(state)
            if enough:
                print(f"no gain in {settings.patience} validations: the best is in {run.path}/best")
                return
            if stopped.is_set() and state.step < config.steps:
                cure = f"continue with `palette resume {run.path}`"
                raise Preempted(f"stopped at step {state.step}: {cure}")


def _step_or_save(
    state: State, run: RunFolder, feed: Iterator[Batch], device: torch.device
) -> tuple[float, float]:
    """An optimizer step; where the feed ends with an error, what is done so far is saved."""
    try:
        return optimizer_step(state, feed, run.config, device)
    except PaletteError:  # of a batch, which is complete before a step changes anything
        if state.step:
            run.save(state)
        raise
    except RuntimeError as error:  # also in the midst of a step
        raise of_worker(error) or error from None


def optimizer_step(
    state: State, feed: Iterator[Batch], config: RunConfig, device: torch.device
) -> tuple[float, float]:
    """SR3, algorithm 1, with AdamW: the loss, and the gradient's norm before it was clipped."""
    settings, diffusion, seed, step = config.train, config.diffusion, config.seed, state.step
    torch.manual_seed(entropy(seed, "dropout", step) % 2**63)
    levels, drops = generator(seed, "gamma", step), generator(seed, "drop", step)
    noises = torch.Generator(device).manual_seed(entropy(seed, "noise", step) % 2**63)
    gammas, losses = [], []
    state.optimizer.zero_grad(set_to_none=True)
    for batch in islice(feed, settings.accumulate):
        target, x = state.targets_of(batch.task), batch.x
        y = target.encode(batch.y, x)  # (B, 3, H, W)
        if diffusion.drop_condition:
            dropped = torch.rand(len(x), generator=drops) < diffusion.drop_condition
            x = drop_condition(x, dropped.to(device))
        gamma, importance = state.draws.draw(torch.rand((len(x), 2), generator=levels))  # (B,)
        noise = target.project(torch.randn(y.shape, generator=noises, device=device))
        denoise = target.projected(
            partial(state.denoiser, strength=batch.strength, task=batch.task)
        )
        gammas.append(gamma)
        gamma, importance = (one.to(device, non_blocking=True) for one in (gamma, importance))
        with autocast(device, state.format.dtype):
            p, weight, seen = diffusion.p, diffusion.weight, target.as_in_picture
            loss = epsilon_loss(denoise, x, y, gamma, noise, batch.region, p, weight, seen)
        (importance * loss).mean().div(settings.accumulate).backward()
        losses.append(loss.detach())
    norm = torch.nn.utils.clip_grad_norm_(state.denoiser.parameters(), settings.clip_norm)
    *each, norm = torch.cat([*losses, norm[None]]).tolist()  # the step's only wait for the device
    loss = sum(each) / len(each)
    finite = math.isfinite(loss) and math.isfinite(norm)
    state.step, state.bad_steps = step + 1, 0 if finite else state.bad_steps + 1
    if finite:
        state.draws.learn(torch.cat(gammas), torch.tensor(each))
        state.optimizer.step()
        state.rates.step()
        state.average_weights()
        state.updates += 1
    return loss, norm
