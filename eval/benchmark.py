"""One model by all protocols of a suite: each is an evaluation, one report brings them together.

manifest.json                 the suite, the protocols, the weights
set5-x4/  live1-grey-q10/ …   an evaluation by each protocol, with its own report
report.html  report.json  tables.csv  tables.md  tables.tex
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from palette.data.sources import Source
from palette.eval import workspace as files
from palette.eval.evaluate import evaluate_shard, finish
from palette.eval.pictures import Model
from palette.eval.report.benchmark import Benchmark, Cost, Judged
from palette.eval.report.benchmark_files import write
from palette.eval.request import Choices, SuiteName
from palette.eval.suite import Planned, planned
from palette.progress import Progress
from palette.shard import Shard

KIND = "benchmark"
"""Of the manifest."""


def benchmark(
    models: Mapping[str, Model],
    suite: SuiteName,
    data: str | Path,
    out: str | Path,
    open_folder: Callable[[Path], Source],
    cost: Cost,
    choices: Choices | None = None,
) -> Benchmark:
    """Judge a model (by task) by every protocol that the folders in ``data`` allow.

    ``cost`` is that of the network, ``open_folder`` reads the pictures of a folder. Stopped and
    started again with the same arguments it goes on where it was. UserError where nothing can be
    run, and for a folder ``out`` of another benchmark.
    """
    choices, root = choices or Choices(), Path(out)
    plan = planned(suite, Path(data), models, choices.protocols)
    title = choices.title or f"{cost.name}: {suite} benchmark"
    _claim(models, suite, plan, root, title)
    judged: list[Judged] = []
    with Progress(len(plan), "benchmark", "protocols") as bar:
        for one in plan:
            name = one.protocol.name
            bar.write(name)
            request = choices.request(one.protocol, f"{cost.name}: {name}")
            workspace = evaluate_shard(
                models[one.task], open_folder(one.folder), root / name, request, Shard()
            )
            report = finish(workspace)
            times = files.times_of(workspace)
            judged.append(Judged(one.protocol, report, times))
            bar.update()
    return write(Benchmark(root, title, suite, judged, cost))


def _claim(
    models: Mapping[str, Model], suite: str, plan: list[Planned], root: Path, title: str
) -> None:
    """What all protocols share; each of them checks its own settings."""
    (weights,) = {model.digest for model in models.values()}
    manifest = {
        "kind": KIND,
        "title": title,
        "suite": suite,
        "protocols": [one.protocol.name for one in plan],
        "weights": weights,
    }
    files.claim(root, manifest)
