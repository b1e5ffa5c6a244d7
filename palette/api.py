"""Training, loading and evaluating from Python; the command line is a thin layer over these."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.config import RunConfig, from_dict, merge, preset, read_toml, to_dict
from palette.errors import UserError, nearest
from palette.tasks import available
from palette.types import Task

if TYPE_CHECKING:
    from palette.eval.report.result import Report
    from palette.restoring.restorer import Restorer


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """The task ``name`` with its options; ValueError names the choices."""
    tasks = available()
    if name not in tasks:
        raise UserError(f"task is {name!r}: {nearest(name, tasks)}")
    return from_dict(tasks[name], options)


def resolve(
    task: str, *layers: Mapping[str, Any], architecture: str | None = None
) -> tuple[RunConfig, Task]:
    """The whole configuration of a run: defaults under ``layers``, the later over the earlier.

    ``architecture`` names a model preset; so may ``preset`` in a layer's [model].
    """
    named = [layer.get("model", {}).get("preset") for layer in layers]
    chosen = preset(([name for name in (*named, architecture) if name] or ["tiny"])[-1])
    values = merge({"model": to_dict(chosen)}, *layers, {"task": task})
    values["model"].pop("preset", None)
    made = make_task(task, values.get("options", {}))
    return from_dict(RunConfig, merge(values, {"options": to_dict(made)})), made


def train(
    task: str,
    data: str | Path = "bundled",
    out: str | Path = "run",
    *,
    steps: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | str | Path | None = None,
) -> Restorer:
    """Train a model and return it, ready to restore.

    ``task`` is a key of ``palette.tasks.TASKS``; ``data`` a folder of pictures, an .h5 file or
    "bundled"; ``out`` a new folder for the run; ``options`` the task's own, e.g. {"scale": 4};
    ``config`` nested settings, e.g. {"model": {"preset": "small"}, "train": {"batch": 8}}, or a
    TOML file. Raises ValueError for bad settings or data, training.Preempted, training.Diverged.
    """
    from palette.data.opening import open_source
    from palette.training import loop as training

    layer = read_toml(Path(config)) if isinstance(config, str | Path) else dict(config or {})
    given = {"data": {"path": str(data)}, "steps": steps, "seed": seed, "options": options}
    given = {key: value for key, value in given.items() if value is not None}
    resolved, made = resolve(task, layer, given)
    training.train(resolved, made, open_source(resolved.data.path), Path(out))
    return load(out, device=resolved.train.device)


def resume(run: str | Path, steps: int | None = None) -> Restorer:
    """Continue a stopped run, or a finished one to more ``steps`` in all; return its model."""
    from palette.data.opening import open_source
    from palette.training import loop as training

    run = Path(run)
    values = read_toml(run / "config.toml")
    if steps is not None:
        values["steps"] = steps
    resolved, made = resolve(values.get("task", ""), values)
    source = open_source(resolved.data.path)
    training.train(resolved, made, source, run, resume=True)
    return load(run, device=resolved.train.device)


def load(
    model: str | Path,
    *,
    device: str = "auto",
    precision: str = "auto",
    **sampling: Any,
) -> Restorer:
    """Load a run folder or a model folder.

    ``sampling``: fields of :class:`palette.restoring.sampling.Sampling` (answer, steps, sampler, grid,
    samples); others are a ValueError. Raises ValueError, or checkpoint.IntegrityError for a
    damaged model.
    """
    from palette.checkpoint import load_model
    from palette.restoring.restorer import Restorer
    from palette.restoring.sampling import Sampling

    loaded = load_model(Path(model))
    task = make_task(loaded.config.task, loaded.config.options)
    return Restorer(loaded, task, from_dict(Sampling, sampling), device, precision)


def evaluate(
    model: Restorer | str | Path,
    data: str | Path = "bundled",
    out: str | Path = "report",
    **request: Any,
) -> Report:
    """Degrade clean pictures, restore them, and write an HTML, JSON and CSV report to ``out``.

    ``data`` as in :func:`train`; "bundled" is the held-out part. ``request``: fields of
    :class:`palette.eval.request.Request` (metrics, protocol, limit, answers, samples, seed …);
    others are a UserError.
    """
    from palette.data.opening import open_source
    from palette.eval.evaluate import evaluate as run
    from palette.eval.request import Request

    restorer = load(model) if isinstance(model, str | Path) else model
    source = open_source(data, split="held_out")
    return run(restorer, source, out, from_dict(Request, request))
