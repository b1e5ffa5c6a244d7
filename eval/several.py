"""One model at several of its tasks: each is evaluated on its own, one report brings them together.

The folder of a task is that of any evaluation, so it is resumed, sharded and merged like one::

    manifest.json                       the tasks, the weights, the pictures
    inpainting/  super-resolution-x2/ … an evaluation of each task, with its own report
    report.html  report.json  rows.csv  of all tasks
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Protocol

from palette.data.sources import Source
from palette.errors import MachineError, UserError
from palette.eval import workspace as files
from palette.eval.evaluate import begin, check_given, finish
from palette.eval.pictures import Model
from palette.eval.protocols import find_protocol
from palette.eval.report.files import write_overview
from palette.eval.report.overview import Overview
from palette.eval.report.result import Report
from palette.eval.request import Request
from palette.eval.workspace import BLOCK, Workspace
from palette.machine.format import Format
from palette.progress import Progress
from palette.shard import Shard
from palette.workers.team import Alone, Lost, Team

KIND = "tasks"
"""Of the manifest of several tasks."""


PARTS = 4
"""In how many each worker's blocks are given out, so that none waits long for the last."""
Part = tuple[str, Shard]
"""A task, "." where it is the only one, and a shard of its blocks."""


@dataclass(frozen=True)
class Agreed:
    """What all workers agree on: the pictures of each task, the title, the network's format."""

    counts: Mapping[str, int]
    title: str
    trains: bool = False
    """Whether a metric trains on all pictures at once."""
    format: Format | None = None


def evaluate_tasks(
    models: Mapping[str, Model],
    source: Source,
    out: str | Path,
    request: Request,
    shard: Shard | None = None,
) -> Report | Overview | None:
    """Judge a model at each of its tasks, by name; a single one lands in ``out`` itself.

    A protocol takes the one task that it fits. None where ``shard`` is one of several:
    :func:`palette.eval.merge.merge` then makes the report. UserError as
    :func:`palette.eval.evaluate.evaluate` raises it, and for a protocol that fits no task or more
    than one.
    """
    shard, root = shard or Shard(), Path(out)
    judging = Judging(models, source, root, request, shard)
    return evaluate_by(Team(Alone(judging), judging.agreed), root, shard)


def evaluate_by(team: Team[Part, None], root: Path, shard: Shard) -> Report | Overview | None:
    """:func:`evaluate_tasks` by a team.

    MachineError where a worker ended: what it had finished is kept, and goes on when run again.
    """
    agreed: Agreed = team.agreed
    if agreed.trains and team.count > 1:
        raise UserError("CAS trains on all pictures at once: name one device for it")
    parts = [
        (task, part)
        for task, count in agreed.counts.items()
        for part in shard.cut(_parts_of(count, shard, team.count))
    ]
    reports, lost = dict[str, Report](), list[str]()
    last = dict(parts)
    several = "." not in agreed.counts
    shown = Progress(len(parts), "evaluate", "tasks" if team.count == 1 else "parts")
    with shown if len(parts) > 1 else nullcontext() as bar:
        for (task, part), answer in team.answers(_named(parts, bar, team.count)):
            if isinstance(answer, Lost):
                lost.append(answer.why)
            if shard.of == 1 and part == last[task] and not lost:
                reports[task] = finish(Workspace(root / task))
            if bar is not None:
                bar.update()
    if lost:
        raise MachineError(f"{'; '.join(lost)}: what is done is kept, give the same command again")
    if shard.of > 1:
        return None
    return write_overview(Overview(root, agreed.title, reports)) if several else reports["."]


def _parts_of(count: int, shard: Shard, workers: int) -> int:
    blocks = len(range(shard.index, -(-count // BLOCK), shard.of))
    return 1 if workers == 1 else max(1, min(PARTS * workers, blocks))


def _named(parts: list[Part], bar: Progress | None, workers: int) -> Iterator[tuple[Part, Part]]:
    """Say each task when it begins, where it is done by this process alone."""
    for part in parts:
        if bar is not None and workers == 1:
            bar.write(part[0])
        yield part, part


class Judging:
    """A model at each of its tasks, whose folders are claimed: the function that workers run."""

    def __init__(
        self,
        models: Mapping[str, Model],
        source: Source,
        root: Path,
        request: Request,
        shard: Shard,
    ) -> None:
        if request.protocol is not None and len(models) > 1:
            models = _fitting(models, request.protocol)
        title = request.title or "Evaluation"
        if len(models) == 1:
            (model,) = models.values()
            self._evaluations = {".": begin(model, source, root, request, shard)}
        else:
            for model in models.values():
                check_given(model.task, source, request)
            _claim(models, source, root, title)
            self._evaluations = {
                name: begin(
                    model, source, root / name, replace(request, title=f"{title}: {name}"), shard
                )
                for name, model in models.items()
            }
        evaluations = self._evaluations
        counts = {name: len(each.plan.names) for name, each in evaluations.items()}
        trains = any(each.cas is not None for each in evaluations.values())
        self.agreed = Agreed(counts, title, trains)

    def __call__(self, part: Part) -> None:
        task, shard = part
        self._evaluations[task].do(shard)


@dataclass(frozen=True)
class EvaluateWork:
    """:class:`Judging`, begun wherever a worker is.

    ``open`` gives the model at its tasks on a device, in the format that was agreed on.
    """

    open: Callable[[str, Format | None], Mapping[str, OpenModel]]
    source: Callable[[], Source]
    root: Path
    request: Request
    shard: Shard

    def begin(self, device: str, agreed: Agreed | None) -> tuple[Judging, Agreed]:
        source = self.source()
        models = self.open(device, None if agreed is None else agreed.format)
        request = replace(self.request, device=device)
        judging = Judging(models, source, self.root, request, self.shard)
        format_ = next(iter(models.values())).format
        return judging, replace(judging.agreed, format=format_)


class OpenModel(Model, Protocol):
    """One whose network has a format."""

    @property
    def format(self) -> Format: ...


def _claim(models: Mapping[str, Model], source: Source, root: Path, title: str) -> None:
    """What all tasks share; each of them checks its own settings."""
    odd = [name for name in models if Path(name).name != name or name in (".", "..")]
    if odd:
        raise UserError(f"task {odd[0]!r} cannot be the name of a folder: choose it with --task")
    (weights,) = {model.digest for model in models.values()}
    manifest = {
        "kind": KIND,
        "title": title,
        "tasks": list(models),
        "weights": weights,
        "source": source.fingerprint(),
    }
    files.claim(root, manifest)


def _fitting(models: Mapping[str, Model], protocol: str) -> dict[str, Model]:
    """The one that a protocol is for; UserError names them where that is none or several."""
    fitting = find_protocol(protocol).fitting(models)
    if len(fitting) > 1:
        raise UserError(
            f"protocol {protocol} fits several: choose --task from {', '.join(fitting)}"
        )
    if not fitting:
        raise UserError(
            f"protocol {protocol} fits none of {', '.join(models)}: choose another protocol"
        )
    return {fitting[0]: models[fitting[0]]}
