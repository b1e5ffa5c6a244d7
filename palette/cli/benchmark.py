"""`palette benchmark MODEL --suite restoration --data DIR`: the literature's tables for a model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from palette.cli.arguments import parse_sampling
from palette.cli.evaluate import SampleOf
from palette.errors import OK, SOME_FAILED
from palette.eval.request import Choices, SuiteName


@dataclass(frozen=True)
class Benchmark:
    """Run every protocol of a suite that the data and the model's tasks allow, and write one page
    with the literature's tables, what quality costs, and strips of pictures: report.html,
    report.json, tables.csv, tables.md, tables.tex. Stopped and started again, it goes on."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    data: Path
    """A folder with a folder for each test set, of its name: Set5, Set14, B100, Urban100, Manga109,
    DIV2K; LIVE1, Classic5; CBSD68, Kodak24, McMaster."""
    suite: SuiteName = "restoration"
    """restoration: super-resolution ×2 to ×4, JPEG of quality 10 to 40, noise of σ 15 to 50."""
    task: str | None = None
    """One of its tasks, for a model that has several. None: all."""
    scale: int | None = None
    """How many times larger, for a model that has several scales."""
    out: Path = Path("benchmark")
    """A new folder, or one where this very benchmark was begun."""
    choices: Annotated[Choices, tyro.conf.OmitArgPrefixes] = field(default_factory=Choices)
    sampling: Annotated[SampleOf, tyro.conf.OmitArgPrefixes] = field(default_factory=SampleOf)


def read_arguments(args: Sequence[str]) -> Benchmark:
    """With the sampling of the model where a flag says no other."""
    return parse_sampling(Benchmark, args)


def run(args: Benchmark) -> int:
    from palette.api import load_tasks
    from palette.judging import run_benchmark

    found = load_tasks(args.model, args.task, args.scale, args.choices.device)
    models = {name: model.using(args.sampling) for name, model in found.items()}
    name = args.model.resolve().name
    report = run_benchmark(models, name, args.suite, args.data, args.out, args.choices)
    print(f"{report.as_text()}\n\nOpen {report.html}")
    return SOME_FAILED if report.failed else OK
