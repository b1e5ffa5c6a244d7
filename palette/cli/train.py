"""`palette train TASK --data PATH --out RUN`: the flags depend on the task."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import tyro

from palette.cli.arguments import parse
from palette.config import (
    DataConfig,
    DiffusionConfig,
    RunConfig,
    TrainConfig,
    from_dict,
    read_toml,
    to_dict,
)
from palette.errors import OK, UserError, nearest
from palette.network.architecture import Architecture

Options = TypeVar("Options")


@dataclass(frozen=True)
class Train(Generic[Options]):
    """Train a model. Without --data it learns from the photographs that scikit-image ships."""

    task: Annotated[Options, tyro.conf.OmitArgPrefixes]
    out: Path
    """A new folder for the run."""
    config: Path | None = None
    """A TOML file with settings; flags win over it."""
    preset: Literal["tiny", "small", "base", "paper"] | None = None
    """A named network; the --model flags win over it. Default: tiny."""
    steps: int = 5000
    """Steps of the optimizer in all."""
    seed: int = 0
    model: Architecture = field(default_factory=Architecture)
    diffusion: DiffusionConfig = field(default_factory=DiffusionConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    data: DataConfig = field(default_factory=DataConfig)


def read_arguments(args: Sequence[str]) -> tuple[str, Any]:
    """The task and its parsed flags. A file and a preset come first: they are others' defaults."""
    from palette.api import resolve
    from palette.tasks import available

    tasks = available()
    if not args or args[0] in ("-h", "--help"):
        print(
            f"usage: palette train TASK --out RUN [--data PATH] [...]\n\nTASK: {', '.join(tasks)}"
        )
        print("\n`palette train TASK --help` tells the flags of a task.")
        raise SystemExit(0 if args else 2)
    name = args[0]
    if name not in tasks:
        raise UserError(f"task is {name!r}: {nearest(name, tasks)}")
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
    early.add_argument("--config", type=Path)
    early.add_argument("--preset")
    known = early.parse_known_args(args[1:])[0]
    layer = {} if known.config is None else read_toml(known.config)
    config, task = resolve(name, layer, architecture=known.preset)
    default = Train(
        task=task,
        out=tyro.MISSING,
        config=known.config,
        preset=known.preset,
        steps=config.steps,
        seed=config.seed,
        model=config.model,
        diffusion=config.diffusion,
        train=config.train,
        data=config.data,
    )
    return name, parse(Train[tasks[name]], args[1:], f"train {name}", default)


def run(arguments: tuple[str, Train[Any]]) -> int:
    from palette.data.opening import open_source
    from palette.training import loop as training

    name, given = arguments
    config = from_dict(
        RunConfig,
        {
            "task": name,
            "options": to_dict(given.task),
            "steps": given.steps,
            "seed": given.seed,
            "model": to_dict(given.model),
            "diffusion": to_dict(given.diffusion),
            "train": to_dict(given.train),
            "data": to_dict(given.data),
        },
    )
    source = open_source(config.data.path)
    training.train(config, given.task, source, given.out)
    print(f"the model is in {given.out}: palette restore {given.out} IN OUT")
    return OK
