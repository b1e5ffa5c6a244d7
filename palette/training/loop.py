"""The training loop: batches → ε-loss → AdamW and EMA → checkpoints. One loop, no hooks.

Everything random is keyed by (seed, position): a run that is stopped and resumed continues the
very same stream, and on the CPU ends in the same bits as a run that was not.
"""

from __future__ import annotations

import json
import math
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from types import FrameType
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.optim.swa_utils import get_ema_multi_avg_fn
from tqdm import tqdm

from palette.checkpoint import SCHEMA, Model, checkpoints, save_model
from palette.config import RunConfig, to_toml
from palette.data.cache import CachedSource
from palette.data.images import write as write_picture
from palette.data.loader import automatic_workers, batches
from palette.data.sources import Source
from palette.diffusion.guidance import drop_condition
from palette.diffusion.loss import epsilon_loss
from palette.diffusion.schedule import SCHEDULES
from palette.errors import Diverged, Preempted, UserError
from palette.files import lock, write_bytes, write_json
from palette.machine.device import choose_device
from palette.machine.format import autocast
from palette.network.denoiser import Denoiser
from palette.restoring.restorer import Restorer
from palette.seeding import entropy, generator
from palette.training.set import TrainingSet
from palette.training.state import State, load, save, start
from palette.types import Spec, Task

BAD_STEPS = 20
"""So many steps in a row may have a loss or gradient that is not finite; then the run stops."""

CACHE_BYTES = 2**31
"""Decoded pictures kept in memory, in each process that prepares batches."""


def train(config: RunConfig, task: Task, source: Source, run: Path, resume: bool = False) -> Path:
    """Train until ``config.steps`` and return the model folder ``run/model``.

    A new run needs an empty or absent folder; ``resume`` continues from its newest checkpoint.
    Raises ValueError where the folder does not fit, Preempted on SIGTERM or SIGINT, Diverged.
    """
    if not resume and run.exists() and any(run.iterdir()):
        raise UserError(
            f"{run} is not empty: choose another --out, or continue it with `palette resume {run}`"
        )
    run.mkdir(parents=True, exist_ok=True)
    with lock(run), _signals() as stopped, torch.random.fork_rng():
        device = choose_device(config.train.device)
        samples = TrainingSet(CachedSource(source, CACHE_BYTES), task, config)
        if resume:
            newest = _newest(run)
            _require_same_data(run, source)
            state = load(newest, config, device)
            _drop_lines_after(run / "metrics.jsonl", state.step)
        else:
            state = start(config, samples, device)
        write_bytes(run / "config.toml", to_toml(config).encode())
        write_json(run / "run.json", _about_run(config, source, state))
        _loop(config, samples, state, run, device, stopped)
    return run / "model"


def _loop(
    config: RunConfig,
    samples: TrainingSet,
    state: State,
    run: Path,
    device: torch.device,
    stopped: threading.Event,
) -> None:
    settings = config.train
    images_per_step = settings.batch * settings.accumulate
    feed = batches(
        samples,
        settings.batch,
        state.step * settings.accumulate,
        config.steps * settings.accumulate,
        automatic_workers(device) if settings.workers == "auto" else settings.workers,
        pin=device.type == "cuda",
    )
    losses: list[float] = []
    bad = 0
    clock, clock_step = time.perf_counter(), state.step
    bar = tqdm(
        total=config.steps * images_per_step,
        initial=state.step * images_per_step,
        unit="img",
        desc=config.task,
        disable=None,
    )
    with bar, (run / "metrics.jsonl").open("a", encoding="utf-8") as metrics:
        while state.step < config.steps:
            loss, norm = _step(config, samples, state, feed, device)
            if math.isfinite(loss) and math.isfinite(norm):
                bad = 0
            else:
                bad += 1
                _give_up_after(bad, state, run)
            state.step += 1
            losses.append(loss)
            bar.update(images_per_step)

            last = state.step == config.steps
            if state.step % settings.log_every == 0 or last:
                seconds = time.perf_counter() - clock
                line = {
                    "step": state.step,
                    "images": state.step * images_per_step,
                    "loss": _finite(sum(losses) / len(losses)),
                    "gradient_norm": _finite(norm),
                    "images_per_second": (state.step - clock_step) * images_per_step / seconds,
                }
                metrics.write(json.dumps(line) + "\n")
                metrics.flush()
                bar.set_postfix_str(f"loss {line['loss'] or math.nan:.4f}")
                clock, clock_step, losses = time.perf_counter(), state.step, []
            due = settings.sample_every and state.step % settings.sample_every == 0
            keep_it = state.step % settings.checkpoint_every == 0 or last or stopped.is_set()
            if keep_it and not bad:  # a good checkpoint never makes way for a bad one
                save(run, state, config)
                save_model(run / "model", averaged(config, state, samples.source))
            if due or (settings.sample_every and last):
                _write_strip(run, config, samples, state)
            if stopped.is_set() and not last:
                raise Preempted(
                    f"stopped at step {state.step}: continue with `palette resume {run}`"
                )


def _step(
    config: RunConfig,
    samples: TrainingSet,
    state: State,
    feed: Iterator[dict[str, Tensor]],
    device: torch.device,
) -> tuple[float, float]:
    """One step of the optimizer: the mean loss and the norm of the gradient before clipping."""
    settings, schedule = config.train, SCHEDULES[config.diffusion.schedule]
    torch.manual_seed(entropy(config.seed, "dropout", state.step) % 2**63)
    levels = generator(config.seed, "gamma", state.step)
    drops = generator(config.seed, "drop", state.step)
    draws = torch.Generator(device).manual_seed(entropy(config.seed, "noise", state.step) % 2**63)
    total = torch.zeros((), device=device)
    state.optimizer.zero_grad(set_to_none=True)
    for micro in range(settings.accumulate):
        batch = {key: value.to(device, non_blocking=True) for key, value in next(feed).items()}
        first = (state.step * settings.accumulate + micro) * settings.batch
        batch = samples.on_device(batch, first)
        x, y = batch["x"], state.target.encode(batch["y"], batch["x"])  # (B, 3, H, W)
        if config.diffusion.drop_condition:
            dropped = torch.rand(len(x), generator=drops) < config.diffusion.drop_condition
            x = drop_condition(x, dropped.to(device))  # (B, 3, H, W)
        gamma = schedule.draw(torch.rand((len(x), 2), generator=levels))
        gamma = gamma.to(device, non_blocking=True)
        noise = torch.randn(y.shape, generator=draws, device=device)
        denoise = partial(state.denoiser, level=batch.get("level"))
        with autocast(device, state.format.dtype):
            loss = epsilon_loss(
                denoise,
                x,
                y,
                gamma,
                noise,
                batch.get("region"),
                config.diffusion.p,
                config.diffusion.weight,
            )
        loss = loss / settings.accumulate
        loss.backward()
        total += loss.detach()
    norm = torch.nn.utils.clip_grad_norm_(state.denoiser.parameters(), settings.clip_norm)
    numbers = torch.stack([total, norm]).tolist()  # the step's only wait for the device
    if all(math.isfinite(number) for number in numbers):
        images = (state.updates + 1) * settings.batch * settings.accumulate
        warm = min(1.0, images / max(1, settings.warmup_images))
        for group in state.optimizer.param_groups:
            group["lr"] = settings.learning_rate * warm
        state.optimizer.step()
        decay = min(settings.ema, (1 + state.updates) / (10 + state.updates))
        weights = [parameter.detach() for parameter in state.denoiser.parameters()]
        get_ema_multi_avg_fn(decay)(list(state.average.values()), weights, None)
        state.updates += 1
    return numbers[0], numbers[1]


def averaged(config: RunConfig, state: State, source: Source) -> Model:
    """The model that restoring uses: the averaged weights."""
    import palette

    denoiser = Denoiser(config.model, config.data.size)
    denoiser.load_state_dict({name: value.cpu() for name, value in state.average.items()})
    info: dict[str, Any] = {
        "step": state.step,
        "pictures": len(source),
        "data": source.fingerprint(),
        "palette": palette.__version__,
        "torch": torch.__version__,
    }
    return Model(denoiser.requires_grad_(False).eval(), state.target, config, info)


def _write_strip(
    run: Path, config: RunConfig, samples: TrainingSet, state: State, rows: int = 4
) -> None:
    """samples/step-N.png: rows of baseline | mean | sample | clean, on the first training crops."""
    task = samples.task
    model = averaged(config, state, samples.source)
    restorer = Restorer(model, task, device=config.train.device, precision=state.format)
    clean = [samples.clean(position) for position in range(rows)]
    observed = [
        task.degrade(picture, task.draw(Spec(*picture.shape[:2]), np.random.default_rng(i)))
        for i, picture in enumerate(clean)
    ]
    seeds = list(range(rows))
    columns = [
        [task.baseline(observation) for observation in observed],
        restorer.restore_observations(observed, "mean", seeds=seeds),
        restorer.restore_observations(observed, "sample", seeds=seeds),
        clean,
    ]
    strip = np.concatenate([np.concatenate(column, axis=0) for column in columns], axis=1)
    (run / "samples").mkdir(exist_ok=True)
    write_picture(run / "samples" / f"step-{state.step}.png", strip)


def _about_run(config: RunConfig, source: Source, state: State) -> dict[str, Any]:
    import palette

    return {
        "schema": SCHEMA,
        "argv": sys.argv,
        "seed": config.seed,
        "data": source.fingerprint(),
        "pictures": len(source),
        "format": asdict(state.format),
        "palette": palette.__version__,
        "torch": torch.__version__,
        "python": platform.python_version(),
    }


def _newest(run: Path) -> Path:
    found = checkpoints(run)
    if not found:
        raise UserError(f"{run} holds no checkpoint: start it with `palette train`")
    return found[-1]


def _require_same_data(run: Path, source: Source) -> None:
    about = json.loads((run / "run.json").read_text(encoding="utf-8"))
    if about["data"] != source.fingerprint():
        raise UserError(
            f"{run} was trained on other pictures ({about['pictures']} then, {len(source)} now): "
            f"put them back, or start a new run"
        )


def _give_up_after(bad: int, state: State, run: Path) -> None:
    if bad >= BAD_STEPS:
        raise Diverged(
            f"the loss was not finite in {bad} steps up to step {state.step}: lower "
            f"--train.learning-rate; the checkpoints in {run} are as they were before"
        )


def _drop_lines_after(path: Path, step: int) -> None:
    """Lines of steps that are done again would stand twice."""
    if path.exists():
        lines = path.read_text(encoding="utf-8").splitlines()
        kept = [line for line in lines if json.loads(line)["step"] <= step]
        write_bytes(path, "".join(line + "\n" for line in kept).encode())


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


@contextmanager
def _signals() -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second SIGINT interrupts at once."""
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
