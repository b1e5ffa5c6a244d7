"""What `import palette` offers to judge models: evaluate, benchmark, and compare any pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.api import load_tasks
from palette.config import from_dict
from palette.tasks.choosing import find_member

if TYPE_CHECKING:
    from palette.eval.report.benchmark import Benchmark
    from palette.eval.report.overview import Overview
    from palette.eval.report.result import Report
    from palette.eval.request import Choices, SuiteName
    from palette.machine.format import Format
    from palette.restoring.restorer import Restorer
    from palette.workers.flags import Engine

SIDE = 512
"""Of the picture that multiply-adds are counted on, as large as a tile."""


def evaluate(
    model: Restorer | str | Path,
    data: str | Path = "bundled",
    out: str | Path = "report",
    *,
    input: str | Path | None = None,
    task: str | None = None,
    scale: int | None = None,
    devices: str | None = None,
    engine: Engine = "processes",
    **request: Any,
) -> Report | Overview:
    """Degrade clean pictures, restore them, and write an HTML, JSON and CSV report to ``out``.

    A Restorer is judged at its task, a folder with a model at each of its tasks: where these are
    several, the result is an Overview, and the Report of each is in ``out`` / NAME. ``task`` and
    ``scale`` choose one of them, as in :func:`load`; so does a protocol that fits one alone.

    ``data`` as in :func:`train`; "bundled" is the held-out part. ``input``: what was made of each
    picture, instead of degrading it; a model of "paired" needs it. ``request``: fields of
    :class:`palette.eval.request.Request` (metrics, protocol, limit, answers, samples, seed …);
    others are a UserError, as is a folder ``out`` of another evaluation.

    ``devices`` share the pictures, each with a model of its own, and the report is the same; they
    and ``engine`` are as in :meth:`Restorer.restore_folder`, and so is what a script has to do.
    """
    from palette.data.opening import open_source
    from palette.eval.request import Request
    from palette.eval.several import EvaluateWork, evaluate_by, evaluate_tasks
    from palette.shard import Shard
    from palette.workers.begin import begun
    from palette.workers.flags import Workers

    checked, root, whole = from_dict(Request, request), Path(out), Shard()
    names = Workers(devices, engine).names(checked.device)
    source = partial(open_source, data, "held_out", input)
    if devices is None and engine == "processes":
        restorers = _at_tasks(model, task, scale, checked.device)
        report = evaluate_tasks(restorers, source(), root, checked)
    else:
        work = EvaluateWork(_opener(model, task, scale), source, root, checked, whole)
        with begun(work, names, engine) as team:
            report = evaluate_by(team, root, whole)
    assert report is not None  # as only a shard has none
    return report


def benchmark(
    model: Restorer | str | Path,
    data: str | Path,
    out: str | Path = "benchmark",
    *,
    suite: SuiteName = "restoration",
    task: str | None = None,
    scale: int | None = None,
    **choices: Any,
) -> Benchmark:
    """Judge a model by every protocol of ``suite`` that ``data`` and its tasks allow.

    ``data`` holds a folder for each test set, of its name: Set5, LIVE1, McMaster … What comes out
    is in ``out``: a page with the literature's tables, and these as JSON, CSV, Markdown and LaTeX;
    ``Benchmark.value(protocol, row, metric)`` is one figure. ``model``, ``task`` and ``scale`` are
    as in :func:`evaluate`. ``choices``: fields of :class:`palette.eval.request.Choices` (protocols,
    metrics, answers, samples, limit, seed …). Raises UserError for others, for a suite that is
    unknown, where nothing can be run, and for a folder ``out`` of another benchmark.
    """
    from palette.eval.request import Choices

    checked = from_dict(Choices, choices)
    restorers = _at_tasks(model, task, scale, checked.device)
    named = Path(model).resolve().name if isinstance(model, str | Path) else next(iter(restorers))
    return run_benchmark(restorers, named, suite, Path(data), Path(out), checked)


def run_benchmark(
    models: Mapping[str, Restorer],
    name: str,
    suite: SuiteName,
    data: Path,
    out: Path,
    choices: Choices,
) -> Benchmark:
    """:func:`benchmark` of one model at some of its tasks; ``name`` is that of its rows."""
    from palette.data.opening import open_source
    from palette.eval.benchmark import benchmark as run
    from palette.eval.report.benchmark import Cost
    from palette.network.cost import cost as count

    (first, *_) = models.values()
    counted, sampling = count(first.model.config.model, SIDE), first.sampling
    cost = Cost(
        name=name,
        parameters=counted.parameters / 1e6,
        multiply_adds=counted.evaluation / SIDE**2 / 1e3,
        side=SIDE,
        steps=sampling.steps * (1 if sampling.guidance == 1 else 2),
        samples=choices.samples,
    )
    return run(
        models, suite, data, out, lambda folder: open_source(folder, "held_out"), cost, choices
    )


def compare(
    restored: str | Path | Sequence[str | Path] | Mapping[str, str | Path],
    reference: str | Path,
    out: str | Path = "report",
    *,
    given: str | Path | None = None,
    masks: str | Path | None = None,
    statistics: str | Path | None = None,
    **measuring: Any,
) -> Report:
    """Measure the pictures of any tool against those of the same names in ``reference``.

    Of several folders, or a mapping of titles to folders, each is a row: ``Report.rankings`` has
    them from best to worst by each metric, and says which differences are resolved.

    ``given`` is a folder with what the tool was given: adds rows for it and for its bicubic
    enlargement. ``masks``: a folder with what was missing, in white. ``statistics``: an .npz for
    FID. ``measuring``: fields of :class:`palette.eval.request.Measuring` (metrics, luma, border …).
    Raises UserError for bad settings, IntegrityError for missing, extra and duplicate names.
    """
    from palette.eval.compare import compare as run
    from palette.eval.request import Measuring

    checked = from_dict(Measuring, measuring)
    npz = None if statistics is None else Path(statistics)
    return run(restored, reference, out, checked, given=given, masks=masks, statistics=npz)


def _at_tasks(
    model: Restorer | str | Path, task: str | None, scale: int | None, device: str
) -> dict[str, Restorer]:
    """By their names: a Restorer at its task, a folder at all, or both at the one asked for."""
    if isinstance(model, str | Path):
        return load_tasks(model, task, scale, device)
    asked = task is not None or scale is not None
    model = model.doing(find_member(model.members, task, scale)) if asked else model
    return {model.member.name: model}


def _opener(
    model: Restorer | str | Path, task: str | None, scale: int | None
) -> Callable[[str, Format | None], dict[str, Restorer]]:
    """:func:`_at_tasks` for workers, on a device of theirs."""
    if isinstance(model, str | Path):
        return partial(_loaded, model, task, scale)
    ((name, restorer),) = _at_tasks(model, task, scale, "").items()
    return partial(_again, name, restorer.opener())


def _loaded(
    model: str | Path, task: str | None, scale: int | None, device: str, form: Format | None
) -> dict[str, Restorer]:
    return load_tasks(model, task, scale, device, form or "auto")


def _again(
    name: str, opener: Callable[[str, Format | None], Restorer], device: str, form: Format | None
) -> dict[str, Restorer]:
    return {name: opener(device, form)}
