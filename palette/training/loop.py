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
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.utils import clip_grad_norm_

from palette.config import RunConfig
from palette.data.loader import of_worker
from palette.data.sources import Source
from palette.data.split import split
from palette.diffusion.guidance import drop_condition
from palette.diffusion.loss import epsilon_loss, hiding
from palette.errors import Diverged, PaletteError, Preempted
from palette.extras import require
from palette.machine.format import autocast
from palette.network.dropout import key_dropouts
from palette.seeding import entropy, generator, normal_at
from palette.training.log import Log
from palette.training.ranks import joined, of_rank, synchronizing
from palette.training.run_folder import Metrics, RunFolder, stop_signals
from palette.training.set import Batch, TrainingSet
from palette.training.sharding import whole
from palette.training.state import Init, State
from palette.training.validation import Validation
from palette.types import Member

BAD_STEPS = 20
"""After this many steps in a row without a finite loss and gradient the run stops."""


def train(
    config: RunConfig,
    members: Sequence[Member],
    source: Source,
    val: Source | None,
    run: Path,
    resume: bool = False,
    init: Init | None = None,
    log: Log | None = None,
    accept_data: bool = False,
) -> Path:
    """Train until ``config.steps`` and return the model folder ``run/model``.

    ``val`` holds the pictures for validation; without it a share of ``source`` does. A new run
    needs an empty or absent folder; ``resume`` continues from its newest checkpoint, with
    ``accept_data`` on other pictures too; ``init`` gives a new run the weights of another model;
    ``log`` gets numbers and pictures as they come.
    Raises UserError where the folder does not fit, InUse, Preempted on SIGTERM or SIGINT, Diverged.
    """
    if config.train.log == "tensorboard":
        require("tensorboard", extra="tensorboard")
    if val is None:
        source, val = split(source, config.data.val_share)
    training_set = TrainingSet.of(source, members, config)
    validation = None if val is None else Validation(val, members, config)
    with joined(config.train.device) as ranks, stop_signals(ranks.count > 1) as stopped:
        folder = RunFolder(run, training_set, validation, ranks, log)
        folder.check()
        with folder.own(resume), torch.random.fork_rng():
            state = folder.load(accept_data) if resume else State.start(training_set, ranks, init)
            folder.describe(state)
            if init is not None:  # what a run goes on from that was stopped before a checkpoint
                folder.keep(state)
            if not resume and ranks.writes:
                _report_grey(training_set)
            _loop(state, folder, stopped)
    return run / "model"


def _report_grey(training_set: TrainingSet) -> None:
    """Say how many pictures are left out of tasks that learn colours."""
    if not any(member.task.coloured for member in training_set.members):
        return
    grey, seen = training_set.grey()
    if grey:
        of = seen if seen == len(training_set.source) else f"the first {seen}"
        print(f"{grey} of {of} pictures are grey: colorization leaves them out", file=sys.stderr)


def _loop(state: State, run: RunFolder, stopped: threading.Event) -> None:
    config, settings = run.config, run.config.train
    feed = run.training_set.batches(state.step, config.steps, run.ranks)
    with closing(feed), run.metrics(state.step) as metrics:
        while state.step < config.steps:
            loss, norm, stop = _step_or_save(state, run, feed, stopped, metrics)
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
            if run.is_due(state.step, settings.checkpoint_every) or enough or stop:
                run.save(state)
            if enough:
                print(f"no gain in {settings.patience} validations: the best is in {run.path}/best")
                return
            if stop and state.step < config.steps:
                cure = f"continue with `palette resume {run.path}`"
                raise Preempted(f"stopped at step {state.step}: {cure}")


def _step_or_save(
    state: State,
    run: RunFolder,
    feed: Iterator[Batch],
    stopped: threading.Event,
    metrics: Metrics,
) -> tuple[float, float, bool]:
    """An optimizer step, and whether any rank was told to stop.

    Where the feed or another rank ends, what is done so far is saved, unless other ranks have parts
    of it.
    """
    settings = run.config.train
    ours = state.step > 0 and not (settings.shard and run.ranks.count > 1)
    try:
        found = optimizer_step(state, feed, run.config)
        run.left_out.update(state.step * settings.batch * settings.accumulate, metrics.say)
        return *found, run.ranks.any(stopped.is_set())
    except PaletteError:  # of a batch, which is complete before a step changes anything
        if ours:
            run.save(state)
        raise
    except RuntimeError as error:  # also in the midst of a step
        # for others it waits before and after a step's changes; but a GPU would wait for ever
        if ours and of_rank(error) and run.ranks.device.type == "cpu":
            run.save(state)
        raise of_rank(error) or of_worker(error) or error from None


def optimizer_step(state: State, feed: Iterator[Batch], config: RunConfig) -> tuple[float, float]:
    """SR3, algorithm 1, with AdamW: the loss, and the gradient's norm before it was clipped."""
    settings, ranks, step = config.train, state.ranks, state.step
    images = settings.batch * settings.accumulate
    first, part = step * images, ranks.part(images)
    u = torch.rand((images, 3), generator=generator(config.seed, "levels", step))
    gamma, importance = state.draws.draw(u[:, :2])  # (images,), those of all ranks
    drop = u[:, 2] < config.diffusion.drop_condition
    hide = _hidden(images, config, step)
    gamma = gamma.where(~hide, state.draws.schedule.gamma_min)
    importance = importance.where(~hide, 1.0)
    losses = []
    state.optimizer.zero_grad(set_to_none=True)
    for batch in feed:
        here = slice(batch.positions.start - first, batch.positions.stop - first)
        last = here.stop == part.stop
        with synchronizing(state.network, last):
            loss = _losses(state, batch, gamma[here], drop[here], hide[here], config)
            mean = (importance[here].to(loss.device) * loss).sum() / len(part)
            state.scaler.scale(mean).backward()
        losses.append(loss.detach())
        if last:
            break
    state.scaler.unscale_(state.optimizer)
    norm = whole(clip_grad_norm_(state.denoiser.parameters(), settings.clip_norm))
    everyones = ranks.gathered(torch.cat(losses))
    *each, norm = torch.cat([everyones, norm[None]]).tolist()  # the step's only wait for the device
    loss = sum(each) / len(each)
    finite = math.isfinite(loss) and math.isfinite(norm)
    scaled_too_far = math.isfinite(loss) and not finite and state.scaler.get_scale() > 1
    state.step = step + 1
    state.bad_steps = 0 if finite or scaled_too_far else state.bad_steps + 1
    state.scaler.update()
    if finite:
        state.draws.learn(gamma, torch.tensor(each))
        state.optimizer.step()
        state.rates.step()
        state.average_weights()
        state.updates += 1
    return loss, norm


def _hidden(images: int, config: RunConfig, step: int) -> Tensor:
    """Which examples, (images,), are shown no noisy picture."""
    share = config.diffusion.mean_share
    return torch.rand(images, generator=generator(config.seed, "hidden", step)) < share


def _losses(
    state: State, batch: Batch, gamma: Tensor, drop: Tensor, hide: Tensor, config: RunConfig
) -> Tensor:
    """The ε-loss of each example, (B,). ``gamma`` (B,); ``drop`` and ``hide`` (B,) are those whose
    condition and whose noisy picture is hidden."""
    diffusion, seed, device = config.diffusion, config.seed, state.ranks.device
    target, x = state.targets_of(batch.task), batch.x
    y = target.encode(batch.y, x)  # (B, 3, H, W)
    if diffusion.drop_condition:
        x = drop_condition(x, drop.to(device))
    noise = target.project(normal_at(batch.positions, y.shape[1:], device, seed, "noise"))
    key_dropouts(state.denoiser, [entropy(seed, "dropout", place) for place in batch.positions])
    denoise = target.projected(partial(state.network, strength=batch.strength, task=batch.task))
    gamma = gamma.to(device, non_blocking=True)
    if diffusion.mean_share:
        noise = torch.where(hide.to(device)[:, None, None, None], hiding(y, gamma), noise)
    with autocast(device, state.format.dtype):
        p, weight, seen = diffusion.p, diffusion.weight, target.as_in_picture
        return epsilon_loss(denoise, x, y, gamma, noise, batch.region, p, weight, seen)
