"""One model at several of its tasks: each is evaluated on its own, one report brings them together.

The folder of a task is that of any evaluation, so it is resumed, sharded and merged like one::

    manifest.json                       the tasks, the weights, the pictures
    inpainting/  super-resolution-x2/ … an evaluation of each task, with its own report
    report.html  report.json  rows.csv  of all tasks
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from palette.data.sources import Source
from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.evaluate import check_given, evaluate_shard, finish
from palette.eval.pictures import Model
from palette.eval.protocols import find_protocol
from palette.eval.report.files import write_overview
from palette.eval.report.overview import Overview
from palette.eval.report.result import Report
from palette.eval.request import Request
from palette.progress import Progress
from palette.shard import Shard

KIND = "tasks"
"""Of the manifest of several tasks."""


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
    if request.protocol is not None and len(models) > 1:
        models = _fitting(models, request.protocol)
    if len(models) == 1:
        (model,) = models.values()
        workspace = evaluate_shard(model, source, root, request, shard)
        return finish(workspace) if shard.of == 1 else None
    for model in models.values():
        check_given(model.task, source, request)
    title = request.title or "Evaluation"
    _claim(models, source, root, title)
    reports = {}
    with Progress(len(models), "evaluate", "tasks") as bar:
        for name, model in models.items():
            bar.write(name)
            asked = replace(request, title=f"{title}: {name}")
            workspace = evaluate_shard(model, source, root / name, asked, shard)
            if shard.of == 1:
                reports[name] = finish(workspace)
            bar.update()
    return write_overview(Overview(root, title, reports)) if shard.of == 1 else None


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
