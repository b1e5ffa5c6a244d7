"""The folder of a run: config.toml, run.json, left_out.json, metrics.jsonl, checkpoints/, model/,
samples/."""

from __future__ import annotations

import json
import math
import platform
import signal
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from importlib.metadata import version
from pathlib import Path
from types import FrameType
from typing import Any, TextIO

import torch

from palette.checkpoint import SCHEMA, Model, checkpoints, load_checkpoint, save_model
from palette.config import RunConfig, differing, from_dict, to_dict, to_toml
from palette.data.images import write as write_picture
from palette.errors import UserError
from palette.files import lock, read_object, understood, visible, write_bytes, write_json
from palette.progress import Progress
from palette.training.left_out import Record
from palette.training.log import Log, Values, numbers, tensorboard
from palette.training.ranks import Ranks
from palette.training.set import TrainingSet
from palette.training.state import Best, State
from palette.training.validation import Validation

FREE = {
    "steps",
    *(f"data.{name}" for name in ("path", "val", "input", "val_input")),
    *(f"train.{name}" for name in ("workers", "cache_gib", "device", "recompute", "shard")),
    *(f"train.{name}" for name in ("keep", "patience", "log")),
    *(f"train.{name}_every" for name in ("checkpoint", "validate", "log")),
}
"""Settings that `palette resume` may change: they leave the weights as they would have been."""
MOVABLE = "mask_files"
"""An option of a task that may change too: the digest of the masks says whether they are others."""
MASKS = "mask_digest"
"""That digest, which may change where a user accepts other data."""


@dataclass(frozen=True)
class RunFolder:
    """Where a run keeps what it makes, and the training set that it is made from.

    Of many ranks the first one writes; what the others are asked to write is left out.
    """

    path: Path
    training_set: TrainingSet
    validation: Validation | None
    ranks: Ranks
    log: Log | None = None
    """Of the user."""

    @property
    def config(self) -> RunConfig:
        return self.training_set.config

    @contextmanager
    def own(self, resume: bool) -> Iterator[None]:
        """Lock the folder; InUse names another owner. UserError: a new run finds other files."""
        if not self.ranks.writes:
            yield
            return
        if not resume and self.path.exists() and not self.path.is_dir():
            raise UserError(f"{self.path} is a file: choose another --out")
        if not resume and self.path.exists() and any(visible(self.path)):
            raise UserError(
                f"{self.path} is not empty: choose another --out, or continue it with "
                f"`palette resume {self.path}`"
            )
        self.path.mkdir(parents=True, exist_ok=True)
        with lock(self.path):
            yield

    def check(self) -> None:
        """UserError where ranks do not fit the run, or do not see the same pictures."""
        settings = self.config.train
        self.ranks.part(settings.batch * settings.accumulate)
        self.ranks.check_same(self._about["data"], "pictures")
        if self.validation is not None and settings.validate_every and self.ranks.writes:
            self.validation.prepare()

    def load(self, accept_data: bool = False) -> State:
        """The state of the newest checkpoint. Raises UserError where there is none, or other data,
        unless these are accepted.

        Lines of metrics.jsonl that the run will write again are taken out.
        """
        found = checkpoints(self.path)
        if not (self.path / "run.json").exists():
            raise UserError(f"{self.path} holds no run: start one with `palette train`")
        about = self._described()
        self.left_out.restore()
        changes = self.left_out.changes
        if not accept_data and (changes or about["data"] != self._about["data"]):
            raise UserError(
                f"{self.path} was trained on other pictures ("
                + "; ".join([f"{about['pictures']} then, {self._about['pictures']} now", *changes])
                + f"): put them back, name their new place with --data, go on with these by "
                f"--accept-data, or start a new run from its weights with --init {self.path}"
            )
        if found:
            tensors, saved = load_checkpoint(found[-1])
            with understood(found[-1] / "state.json"):
                before = to_dict(from_dict(RunConfig, saved["config"]))
            self._refuse_other_settings(before, accept_data)
            with understood(found[-1] / "state.json"):
                state = State.load(tensors, saved, self.config, self.ranks)
            if self.config.steps < state.step:
                raise UserError(
                    f"{self.path} has done {state.step} steps, and --steps is {self.config.steps}: "
                    f"choose {state.step} or more"
                )
        else:  # stopped before its first checkpoint
            state = State.start(self.training_set, self.ranks)
        if self.ranks.writes:
            _drop_lines_after(self.path / "metrics.jsonl", state.step)
        return state

    def _described(self) -> dict[str, Any]:
        """run.json"""
        about = read_object(self.path / "run.json")
        with understood(self.path / "run.json"):
            _ = about["data"], about["pictures"], [*about.get("earlier_data", [])]
        return about

    def _refuse_other_settings(self, before: dict[str, Any], accept_data: bool) -> None:
        """UserError names settings that a run cannot change on its way and stay the same run."""
        named = {
            name: f"{name} ({then} then, {now} now)"
            for name, (then, now) in differing(before, to_dict(self.config)).items()
            if name not in FREE and not name.endswith(f".{MOVABLE}")
        }
        if accept_data:
            masks = [name for name in named if name.endswith(f".{MASKS}")]
            self.left_out.changes += [named.pop(name) for name in masks]
        if named:
            raise UserError(
                f"{self.path} cannot go on with another {', '.join(named.values())}: put it back "
                f"in config.toml, or start a new run from its weights with --init {self.path}"
            )

    def describe(self, state: State) -> None:
        """Write config.toml and run.json, which lists the data that a user has changed on the way:
        each with the step up to which it was learnt from."""
        if not self.ranks.writes:
            return
        write_bytes(self.path / "config.toml", to_toml(self.config).encode())
        self.left_out.write()
        path = self.path / "run.json"
        before = self._described() if path.exists() else self._about
        earlier, changes = before.get("earlier_data", []), self.left_out.changes
        if before["data"] != self._about["data"] or changes:
            known = {key: before[key] for key in ("pictures", "data")}
            earlier = [*earlier, {"until_step": state.step, **known, "changes": changes}]
        about = {
            "schema": SCHEMA,
            "argv": sys.argv,
            "seed": self.config.seed,
            "format": asdict(state.format),
            "python": platform.python_version(),
            **self._about,
            **({"earlier_data": earlier} if earlier else {}),
        }
        write_json(path, about)

    def is_due(self, step: int, every: int) -> bool:
        """Whether ``step`` is a multiple of ``every``, or the last; ``every`` = 0 is never."""
        return bool(every) and (step % every == 0 or step == self.config.steps)

    def save(self, state: State) -> None:
        """A checkpoint and the model, but never a bad one in place of a good one."""
        if state.bad_steps:
            return
        self.keep(state)
        model = state.model(self.config, self._about)
        if model is not None:
            save_model(self.path / "model", model)

    def keep(self, state: State) -> None:
        """A checkpoint alone."""
        state.save(self.path, self.config)

    def validate(self, state: State, metrics: Metrics) -> None:
        """Judge the averages, note the better, keep the best model, write a strip."""
        if self.validation is not None:
            models = {
                decay: model
                for decay in state.averages
                if (model := state.model(self.config, self._about, decay)) is not None
            }
            judge = partial(self._judge, self.validation, state, models, metrics)
            state.best = self.ranks.agreed(judge)

    def _judge(
        self,
        validation: Validation,
        state: State,
        models: dict[float, Model],
        metrics: Metrics,
    ) -> Best:
        found, best = validation.judge(state, models), state.best
        best.decay = found.decay
        best.waiting += 1
        if best.gain is None or found.gain > best.gain:
            best.gain, best.step, best.waiting = found.gain, state.step, 0
            save_model(self.path / "best", models[found.decay])
        metrics.write({"step": state.step, "validation": found.as_json()})
        strip = validation.strip(state, models[found.decay])
        (self.path / "samples").mkdir(exist_ok=True)
        write_picture(self.path / "samples" / f"step-{state.step}.png", strip)
        metrics.tell(state.step, {"validation/strip": strip})
        return best

    @contextmanager
    def metrics(self, step: int) -> Iterator[Metrics]:
        """metrics.jsonl, open for the steps after ``step``."""
        if not self.ranks.writes:
            yield Metrics(self.config)
            return
        settings = self.config.train
        images = settings.batch * settings.accumulate
        total, done = self.config.steps * images, step * images
        logs = [] if self.log is None else [self.log]
        with ExitStack() as stack:
            if settings.log == "tensorboard":
                logs.append(stack.enter_context(tensorboard(self.path / "tensorboard", step)))
            file = stack.enter_context((self.path / "metrics.jsonl").open("a", encoding="utf-8"))
            bar = stack.enter_context(Progress(total, self.config.task, "images", done))
            yield Metrics(self.config, (file, bar), logs)

    @cached_property
    def left_out(self) -> Record:
        """Of pictures that cannot be read."""
        training, validation = self.training_set, self.validation
        sources = {"training": (training.source, training.left_out)}
        if validation is not None:
            sources["validation"] = (validation.source, validation.left_out)
        return Record(self.path, sources, self.ranks)

    @cached_property
    def _about(self) -> dict[str, Any]:
        """What run.json and the model say of their making."""
        source = self.training_set.source
        return {
            "pictures": len(source),
            "data": source.fingerprint(),
            "palette": version("palette-diffusion"),
            "torch": torch.__version__,
        }


@dataclass
class Metrics:
    """Writes a line of metrics.jsonl every ``log_every`` steps, and shows a user the progress."""

    config: RunConfig
    shown: tuple[TextIO, Progress] | None = None
    """None where another rank does so."""
    logs: Sequence[Log] = ()
    losses: list[float] = field(default_factory=list)
    """Of the steps since the last line."""
    since: float = field(default_factory=time.perf_counter)

    def add(self, state: State, loss: float, norm: float) -> None:
        """A step is done, with this loss and norm of the gradient."""
        if self.shown is None:
            return
        step, settings = state.step, self.config.train
        images_per_step = settings.batch * settings.accumulate
        self.losses.append(loss)
        _, bar = self.shown
        bar.update(images_per_step)
        if step % settings.log_every and step != self.config.steps:
            return
        now, mean = time.perf_counter(), sum(self.losses) / len(self.losses)
        line = {
            "step": step,
            "images": step * images_per_step,
            "loss": _finite(mean),
            "gradient_norm": _finite(norm),
            "learning_rate": state.rates.get_last_lr()[0],
            "images_per_second": len(self.losses) * images_per_step / (now - self.since),
        }
        self.write(line)
        bar.note(f"loss {mean:.4f}")
        self.losses, self.since = [], now

    def write(self, line: dict[str, Any]) -> None:
        """One line, on its way to the disk at once."""
        assert self.shown is not None
        file, _ = self.shown
        file.write(json.dumps(line) + "\n")
        file.flush()
        self.tell(line["step"], numbers(line))

    def say(self, text: str) -> None:
        """A line for the user, above the progress."""
        if self.shown is not None:
            self.shown[1].write(text)

    def tell(self, step: int, values: Values) -> None:
        """Hand ``values`` to the logs."""
        for log in self.logs:
            log(step, values)


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None


def _drop_lines_after(path: Path, step: int) -> None:
    """Lines of steps that are done again would be there twice; a cut one cannot be read."""
    if path.exists():
        lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
        kept = [line for line in lines if _step_of(line) <= step]
        write_bytes(path, "".join(line + "\n" for line in kept).encode())


def _step_of(line: str) -> float:
    """Infinity where a full disk or a power failure cut it off."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, LookupError, TypeError, RecursionError):
        return math.inf


@contextmanager
def stop_signals(patient: bool = False) -> Iterator[threading.Event]:
    """An event that SIGTERM or SIGINT sets; a second SIGINT interrupts at once.

    ``patient``: it does not. torchrun passes on a Ctrl-C that the terminal has sent to all already.
    """
    stopped = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stopped
        return

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set() and number == signal.SIGINT and not patient:
            raise KeyboardInterrupt
        stopped.set()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stopped
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
