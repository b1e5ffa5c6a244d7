"""The functions that `import palette` offers; the command line is a thin layer over them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.config import RunConfig, from_dict, merge, preset, read_toml, to_dict
from palette.errors import UserError, nearest
from palette.tasks import available
from palette.types import Task

if TYPE_CHECKING:
    from palette.eval.report.result import Report
    from palette.restoring.restorer import Restorer
    from palette.restoring.sampling import Sampling


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """The task ``name`` with its options; UserError names the choices."""
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
    TOML file. Raises UserError for bad settings or data, Preempted, Diverged.
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
    """Continue a stopped run, or a finished one to more ``steps`` in all; return its model.

    Raises as :func:`train` does, IntegrityError for a damaged checkpoint, InUse for a run that
    another process continues.
    """
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

    ``sampling``: fields of :class:`palette.Sampling` (answer, steps, sampler, grid, samples …).
    Raises UserError for others and where there is no model, IntegrityError for a damaged one.
    """
    from palette.checkpoint import load_model
    from palette.restoring.restorer import Restorer
    from palette.restoring.sampling import Sampling

    loaded = load_model(Path(model))
    task = make_task(loaded.config.task, loaded.config.options)
    return Restorer(loaded, task, from_dict(Sampling, sampling), device, precision)


def search(
    model: str | Path,
    data: str | Path = "bundled",
    *,
    pictures: int = 24,
    samples: int = 4,
    reference_steps: int = 250,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    progress: Callable[[Sampling, float], None] = lambda *_: None,
    **route: Any,
) -> Sampling:
    """Find the noise levels that suit a model, save them with it and return them.

    ``route``: fields of :class:`palette.restoring.sampling.Route` (steps, sampler, start, eta …);
    restoring uses the levels for this sampler, start and number of steps. ``samples`` of each of
    ``pictures`` crops are compared with ``reference_steps`` ancestral steps; ``data`` as in
    :func:`train`, unseen in training. ``progress`` gets every improvement and its score, first
    that of the logsnr grid. Raises UserError and IntegrityError as :func:`load` does.
    """
    from palette.checkpoint import save_searched
    from palette.data.opening import open_source
    from palette.restoring.sampling import Route, Sampling
    from palette.restoring.search import Trial, take_crops
    from palette.restoring.search import search as search_levels

    begin = Sampling(**asdict(from_dict(Route, route)), grid="logsnr")
    restorer = load(model, device=device, precision=precision)
    source = open_source(data, split="held_out")
    crops = take_crops(restorer, source, pictures, seed)
    trial = Trial(restorer, crops, samples, reference_steps)
    before = trial.score(begin)
    progress(begin, before)
    best, score = search_levels(trial, begin, progress)
    entry = {
        "sampler": best.sampler,
        "start": best.start,
        "steps": best.steps,
        "logsnrs": list(best.logsnrs or ()),
        "eta": best.eta,
        "score": score,
        "score_of_logsnr_grid": before,
        "reference_steps": reference_steps,
        "pictures": pictures,
        "samples": samples,
        "data": source.fingerprint(),
    }
    save_searched(Path(model), entry)
    return best


def evaluate(
    model: Restorer | str | Path,
    data: str | Path = "bundled",
    out: str | Path = "report",
    **request: Any,
) -> Report:
    """Degrade clean pictures, restore them, and write an HTML, JSON and CSV report to ``out``.

    ``data`` as in :func:`train`; "bundled" is the held-out part. ``request``: fields of
    :class:`palette.eval.request.Request` (metrics, protocol, limit, answers, samples, seed …);
    others are a UserError, as is a folder ``out`` of another evaluation.
    """
    from palette.data.opening import open_source
    from palette.eval.evaluate import evaluate as run
    from palette.eval.request import Request

    checked = from_dict(Request, request)
    restorer = load(model) if isinstance(model, str | Path) else model
    return run(restorer, open_source(data, split="held_out"), out, checked)


def compare(
    restored: str | Path,
    reference: str | Path,
    out: str | Path = "report",
    *,
    given: str | Path | None = None,
    masks: str | Path | None = None,
    statistics: str | Path | None = None,
    **measuring: Any,
) -> Report:
    """Measure the pictures of any tool against those of the same names in ``reference``.

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


def degrade(
    name: str,
    source: str | Path,
    out: str | Path,
    *,
    seed: int = 0,
    severity: float | None = None,
    count: int = 1,
    scale: int | None = None,
    pins: Mapping[str, Any] | None = None,
    contact_sheet: str | Path | None = None,
    records: str | Path | None = None,
) -> list[str]:
    """Damage a picture or a folder of them; return a line for each picture that failed.

    ``name`` is a degradation or a mixture, "bsr:0.7,sr_bicubic:0.3". A folder ``out`` gets
    degraded/, clean/ and, for holes, mask/ with the same names, all PNG, and records.jsonl; a file
    ``out`` gets the degraded picture alone. ``severity`` goes from 0, the mild end of the published
    ranges, to 1; without it all of them are drawn from. ``count`` versions are made of each
    picture; ``scale`` divides the size, where the degradation changes it; ``pins`` set parameters,
    {"jpeg.quality": 40}. ``contact_sheet`` is a picture of the first pictures and their versions,
    ``records`` another file for the records. Raises UserError for what can be refused beforehand.
    """
    from palette.degrading import DegradeJob
    from palette.degrading import degrade as run

    job = DegradeJob(
        name,
        Path(source),
        Path(out),
        seed,
        severity,
        count,
        scale,
        pins or {},
        None if contact_sheet is None else Path(contact_sheet),
        None if records is None else Path(records),
    )
    return [str(problem) for problem in run(job)[1]]


def pack(source: str | Path, out: str | Path) -> list[str]:
    """Pack a folder of pictures into the new file ``out``, .h5; a line for each broken picture.

    Those are left out. Pixels are kept with 8 bits, each picture with a digest; class folders
    become labels. Raises UserError, PictureError where no picture can be read; nothing is written
    then.
    """
    from palette.data.hdf5 import pack as run
    from palette.data.opening import HDF5_SUFFIXES
    from palette.data.sources import FolderSource

    out = Path(out)
    if out.suffix.lower() not in HDF5_SUFFIXES:
        raise UserError(f"{out}: let the name end in {' or '.join(HDF5_SUFFIXES)}")
    if out.exists():
        raise UserError(f"{out} exists and is not overwritten: choose another output")
    pictures = FolderSource(source)
    out.parent.mkdir(parents=True, exist_ok=True)
    return run(pictures, out)
