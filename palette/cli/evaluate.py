"""`palette evaluate MODEL`: measure a model on clean pictures and write a report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import tyro

from palette.cli.arguments import parse_sampling
from palette.errors import OK, SOME_FAILED
from palette.eval.request import Request
from palette.restoring.sampling import Answer, Sampling
from palette.shard import parse_shard
from palette.workers.flags import Workers

if TYPE_CHECKING:
    from palette.machine.format import Format
    from palette.restoring.restorer import Restorer


@dataclass(frozen=True)
class SampleOf(Sampling):
    """How a sample is computed."""

    # the request says which answers there are, and how many samples
    answer: tyro.conf.Suppress[Literal["auto", Answer]] = "auto"
    samples: tyro.conf.Suppress[int] = 1


@dataclass(frozen=True)
class Evaluate:
    """Degrade clean pictures, restore them, measure every picture, and write report.html,
    report.json and rows.csv. Stopped and started again, it goes on where it was.

    A model of several tasks is judged at each, in a folder OUT/NAME with a report of its own, and
    OUT/report.html brings them together; --task, --scale or a protocol choose one."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    task: str | None = None
    """One of its tasks, for a model that has several."""
    scale: int | None = None
    """How many times larger, for a model that has several scales."""
    data: str = "bundled"
    """Clean pictures: a folder, an .h5 file, or "bundled" (the held-out part)."""
    input: Annotated[str | None, tyro.conf.arg(name="data.input")] = None
    """What was made of each of them, instead of degrading them: a folder or an .h5 file, with the
    same paths. A model of paired needs it."""
    out: Path = Path("report")
    """A new folder, or one where this very evaluation was begun."""
    shard: str = "0/1"
    """i/n: do every n-th block, from the i-th, counted from 0; then `palette merge`, which joins
    all tasks."""
    workers: Annotated[Workers, tyro.conf.OmitArgPrefixes] = field(default_factory=Workers)
    request: Annotated[Request, tyro.conf.OmitArgPrefixes] = field(default_factory=Request)
    sampling: Annotated[SampleOf, tyro.conf.OmitArgPrefixes] = field(default_factory=SampleOf)


def read_arguments(args: Sequence[str]) -> Evaluate:
    """With the sampling of the model where a flag says no other."""
    return parse_sampling(Evaluate, args)


def run(args: Evaluate) -> int:
    from palette.data.opening import open_source
    from palette.eval.several import EvaluateWork, evaluate_by
    from palette.workers.begin import begun

    shard, devices = parse_shard(args.shard), args.workers.names(args.request.device)
    source = partial(open_source, args.data, "held_out", args.input)
    work = EvaluateWork(partial(_models, args), source, args.out, args.request, shard)
    with begun(work, devices, args.workers.engine) as team:
        report = evaluate_by(team, args.out, shard)
    if report is None:
        print(f"Shard {args.shard} is done; join all {shard.of}: palette merge {args.out} …")
        return OK
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return SOME_FAILED if report.failed else OK


def _models(args: Evaluate, device: str, form: Format | None) -> dict[str, Restorer]:
    from palette.api import load_tasks

    found = load_tasks(args.model, args.task, args.scale, device, form or "auto")
    return {name: model.using(args.sampling) for name, model in found.items()}
