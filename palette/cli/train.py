"""`palette train TASK --data PATH --out RUN`: the flags depend on the task."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Generic, Literal, TypeVar

import tyro

from palette.cli.arguments import parse
from palette.config import RunConfig, RunSettings, read_settings, to_dict
from palette.errors import OK, USAGE, UserError, nearest, of_file
from palette.launch import launched

Options = TypeVar("Options")


@dataclass(frozen=True)
class Train(Generic[Options]):
    """Train a model. Without --data it learns from the photographs that scikit-image ships."""

    task: Annotated[Options, tyro.conf.OmitArgPrefixes]
    out: Path
    """A new folder for the run."""
    config: Path | None = None
    """A TOML file with settings, or the name of a recipe; flags win over it."""
    preset: Literal["tiny", "small", "base", "paper"] | None = None
    """A named network, in place of the file's; the --model flags win over it. Without it: tiny."""
    init: Path | None = None
    """A model whose weights the run starts from; its task, scale and data may be others."""
    init_partial: bool = False
    """Start anew those weights of --init that do not fit."""
    dry_run: bool = False
    """Say what the training would be: shapes, parameters, multiply-adds, memory, time, data and
    tasks. Nothing is trained, nothing is written to --out."""
    settings: Annotated[RunSettings, tyro.conf.arg(name="")] = field(default_factory=RunSettings)


def read_arguments(args: Sequence[str]) -> tuple[str, Train[Any]]:
    """The task and its flags: defaults < --config < --preset < the other flags."""
    from palette.resolving import configure
    from palette.tasks import trainable

    tasks = trainable()
    if not args or args[0] in ("-h", "--help"):
        print(
            f"usage: palette train TASK --out RUN [--data PATH] [...]\n\nTASK: {', '.join(tasks)}"
            "\n\n`palette train TASK --help` lists the flags of a task."
        )
        raise SystemExit(OK if args else USAGE)
    name, flags = args[0], args[1:]
    if name not in tasks:
        raise UserError(f"task is {name!r}: {nearest(name, tasks)}")
    file, preset = _what_flags_start_from(flags)
    layer = {} if file is None else read_settings(file)
    if file is not None:
        with of_file(file):
            configure(name, layer)
    config, task = configure(name, layer, architecture=preset)
    settings = RunSettings(**{f.name: getattr(config, f.name) for f in fields(RunSettings)})
    default = Train(task, tyro.MISSING, file, preset, settings=settings)  # type: ignore[arg-type]
    return name, parse(Train[tasks[name]], flags, f"train {name}", default)


def _what_flags_start_from(flags: Sequence[str]) -> tuple[Path | None, str | None]:
    """--config and --preset, which decide the defaults of the other flags."""
    early = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    early.add_argument("--config", type=Path, nargs="?")  # tyro complains where there is no value
    early.add_argument("--preset", nargs="?")
    known, _ = early.parse_known_args(flags)
    return known.config, known.preset


def run(arguments: tuple[str, Train[Any]]) -> int:
    from palette.api import plan_run, start_run
    from palette.resolving import suited
    from palette.training.state import Init

    name, given = arguments
    chosen = RunConfig(task=name, options=to_dict(given.task), **vars(given.settings))
    members = given.task.members()
    config = suited(chosen, members)
    if given.dry_run:
        if launched().ranks > 1:
            raise UserError("--dry-run plans for one device: give it without torchrun")
        print(plan_run(config, members, given.out))
        return OK
    init = None if given.init is None else Init(given.init, given.init_partial)
    if config.data.path == "bundled":
        print("training on scikit-image's photographs; --data names yours", file=sys.stderr)
    start_run(config, members, given.out, init)
    print(f"the model is in {given.out}: palette restore {given.out} IN OUT")
    return OK
