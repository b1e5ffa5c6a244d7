"""What a training would be: shapes, arithmetic, memory, time, data, tasks. Nothing is written."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from functools import partial

import torch
from torch.nn import functional

from palette.config import RunConfig
from palette.data.sources import Source
from palette.data.split import split
from palette.machine.device import choose_device
from palette.machine.format import DTYPES, autocast, choose_precision
from palette.machine.memory import free_bytes, is_out_of_memory
from palette.network.architecture import Architecture
from palette.network.cost import Cost, cost
from palette.progress import duration
from palette.training.draws import Draws
from palette.training.loop import optimizer_step
from palette.training.ranks import Ranks
from palette.training.set import TrainingSet
from palette.training.state import State
from palette.training.validation import Validation
from palette.types import Member

TRIED = {"cpu": 1e12, "cuda": 1e15}
"""Multiply-adds of a forward and backward pass up to which passes are timed: some ten seconds."""
ROUNDS = 6
"""Passes that are timed, after one that is not."""
GIB = 2**30
FIT = "lower --train.batch and raise --train.accumulate, or add --train.recompute"


def plan(config: RunConfig, members: Sequence[Member], source: Source, val: Source | None) -> str:
    """The plan of a run as text. Takes some seconds, of which most measure the time of a step.

    Raises UserError for data that do not suit, as the training itself would.
    """
    device, settings = choose_device(config.train.device), config.train
    precision = choose_precision(settings.precision, device, "train")
    dtype = DTYPES[precision]
    if val is None:
        source, val = split(source, config.data.val_share)
    training_set = TrainingSet.of(source, members, config)
    data = {"pictures": _pictures(training_set, val), **_tasks(training_set)}
    images = settings.batch * settings.accumulate
    context = partial(autocast, torch.device("cpu"), dtype)
    costs = cost(config.model, config.data.size, settings.batch, settings.recompute, context)
    rows = {
        "parameters": f"{costs.parameters:,}",
        "multiply-adds": f"{_short(costs.evaluation)} for one evaluation of a picture, "
        f"{_short(costs.training * images)} for a step",
        **_memory(config, costs, device, precision),
        "time": _time(training_set, costs, device, dtype),
        "noise levels": _levels(config),
        "learning rate": f"{settings.learning_rate:g} after a rise over "
        f"{settings.warmup_images:,} pictures; decay: {settings.decay}",
        **data,
    }
    width = max(map(len, rows)) + 2
    title = (
        f"{config.task}: {config.steps:,} steps of {images:,} crops of {config.data.size}² pixels, "
        f"{settings.accumulate} × {settings.batch}"
    )
    table = [f"{name:{width}}{text}" for name, text in rows.items()]
    return "\n".join([title, "", *_shapes(config.model, config.data.size), "", *table])


def _shapes(a: Architecture, size: int) -> list[str]:
    """A line for each depth of the network."""
    lines = [f"{'depth':>6}{'side':>6}{'channels':>10}{'blocks':>8}  attention"]
    for depth, multiplier in enumerate(a.multipliers):
        side = size // (a.patch * 2**depth)
        attends = "yes" if side in a.attention else ""
        lines.append(f"{depth:>6}{side:>6}{a.width * multiplier:>10}{a.blocks:>8}  {attends}")
    side, channels = size // a.stride, a.width * a.multipliers[-1]
    lines.append(f"middle{side:>6}{channels:>10}{2:>8}  {'yes' if a.middle_attention else ''}")
    return [line.rstrip() for line in lines]


def _memory(config: RunConfig, costs: Cost, device: torch.device, precision: str) -> dict[str, str]:
    copies = 4 + len(config.train.ema)  # weights, gradients, two moments, averages
    state, free = 4 * copies * costs.parameters, free_bytes(device)
    fits = "" if state + costs.kept < free else f", too little: {FIT}"
    return {
        "memory of the state": f"{state / GIB:.2f} GiB of weights, gradients, moments and averages",
        "memory of a pass": f"{costs.kept / GIB:.2f} GiB kept for the backward pass of "
        f"{config.train.batch} crops in {precision} (counted, not measured)",
        "memory free": f"{free / GIB:.1f} GiB on {device}{fits}",
    }


def _time(training_set: TrainingSet, costs: Cost, device: torch.device, dtype: torch.dtype) -> str:
    """Of all steps: measured by passes, or where these take too long, by one convolution."""
    config = training_set.config
    work = costs.training * config.train.batch
    if work <= TRIED.get(device.type, TRIED["cpu"]):
        try:
            seconds, how = _measured_pass(training_set, device), f"measured, {ROUNDS} passes"
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            return f"a pass does not fit in the memory of {device}: {FIT}"
    else:
        speed = _speed(config.model, device, dtype)
        seconds = work / speed
        how = f"at least: one of its convolutions does {_short(speed)} multiply-adds a second"
    step = seconds * config.train.accumulate
    return f"{duration(step)} a step, {duration(step * config.steps)} in all on {device} ({how})"


def _measured_pass(training_set: TrainingSet, device: torch.device) -> float:
    """Seconds of a step of one pass, with its data and the optimizer."""
    once = replace(training_set.config.train, accumulate=1)
    training_set = replace(training_set, config=replace(training_set.config, train=once))
    with torch.random.fork_rng():
        state = State.start(training_set, Ranks(device))
        feed = training_set.batches(0, 1 + ROUNDS, state.ranks)
        optimizer_step(state, feed, training_set.config)
        begin = time.perf_counter()
        for _ in range(ROUNDS):
            optimizer_step(state, feed, training_set.config)
        return (time.perf_counter() - begin) / ROUNDS


def _speed(a: Architecture, device: torch.device, dtype: torch.dtype) -> float:
    """Multiply-adds a second of a convolution at the network's first depth, there and back."""
    channels, side = a.width * a.multipliers[0], 64
    h = torch.ones(1, channels, side, side, device=device, dtype=dtype, requires_grad=True)
    weight = torch.ones(channels, channels, 3, 3, device=device, dtype=dtype, requires_grad=True)
    times = []
    for _ in range(1 + ROUNDS):
        begin = time.perf_counter()
        functional.conv2d(h, weight, padding=1).sum().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        times.append(time.perf_counter() - begin)
    return 3 * 9 * channels**2 * side**2 / min(times[1:])


def _levels(config: RunConfig) -> str:
    schedule, diffusion = Draws.of(config.diffusion).schedule, config.diffusion
    ends = f"γ from {schedule.gamma_min:.2g} to {schedule.gamma_max:.6f}"
    return f"{diffusion.schedule}, {ends}; |error|^{diffusion.p}, weight {diffusion.weight}"


def _pictures(training_set: TrainingSet, val: Source | None) -> str:
    """How many there are. The crops for validation are cut, and so tried."""
    config, count = training_set.config, len(training_set.source)
    if val is None:
        return f"{count:,} in {config.data.path}; none for validation"
    if config.train.validate_every:
        Validation(val, training_set.members, config).prepare()
    return f"{count:,} in {config.data.path}; {len(val):,} for validation"


def _tasks(training_set: TrainingSet) -> dict[str, str]:
    """The share of each, and what is diffused. An example of each is made, and so tried."""
    members, config = training_set.members, training_set.config
    total, rows = sum(member.weight for member in members), {}
    for member in members:
        replace(training_set, members=[member]).example(0)
        target = member.task.target if config.diffusion.residual else "picture"
        rows[f"task {member.name}"] = f"{member.weight / total:.1%} of the crops, {target} diffused"
    return rows


def _short(value: float) -> str:
    """1.12e12 as 1.12 T."""
    for factor, letter in ((1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M")):
        if value >= factor:
            return f"{value / factor:.3g} {letter}"
    return f"{value:.3g}"
