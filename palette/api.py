"""The functions that `import palette` offers to train, load and search a model.

Those that judge one are in :mod:`palette.judging`, those that prepare pictures in
:mod:`palette.preparing`. The command line is a thin layer over them.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from palette.config import DataConfig, RunConfig, from_dict, read_settings
from palette.errors import IntegrityError, UserError, of_file
from palette.hub import refuse_remote
from palette.models import DEFAULT
from palette.resolving import begun, resolve
from palette.restoring.sampling import MOVABLE, Movable, Route, Sampling
from palette.tasks.choosing import find_member
from palette.tasks.generalist import make_trainable
from palette.types import Member

if TYPE_CHECKING:
    from palette.checkpoint import Model
    from palette.data.sources import Source
    from palette.machine.format import Format
    from palette.restoring.restorer import Restorer
    from palette.training.log import Log
    from palette.training.state import Init


def train(
    task: str,
    data: str | Path | None = None,
    out: str | Path = "run",
    *,
    steps: int | None = None,
    seed: int | None = None,
    options: Mapping[str, Any] | None = None,
    config: Mapping[str, Any] | str | Path | None = None,
    val: str | Path | None = None,
    input: str | Path | None = None,
    val_input: str | Path | None = None,
    init: str | Path | None = None,
    init_partial: bool = False,
    log: Log | None = None,
) -> Restorer:
    """Train a model and return it, ready to restore.

    ``task`` is a key of ``palette.tasks.TASKS``; ``data`` a folder of pictures, an .h5 file or
    "bundled" (without it what ``config`` names, or else "bundled"); ``out`` a new folder for the
    run; ``options`` the task's own, e.g. {"scale": 4}; ``val`` pictures for validation (otherwise a
    share of ``data``); ``input`` what was made of each picture of ``data``, ``val_input`` of
    ``val``, for the task "paired"; ``init`` a model whose weights the run starts from, with
    ``init_partial`` those that fit; ``log`` a function that gets each step's numbers and pictures
    by name, ``log(step, {"train/loss": 0.3, …})``;
    ``config`` nested settings, e.g. {"model": {"preset": "small"}, "train": {"batch": 8}}, a TOML
    file or the name of a recipe. Raises UserError for bad settings or data, Preempted, Diverged.
    """
    from palette.training.state import Init

    layer = read_settings(Path(config)) if isinstance(config, str | Path) else dict(config or {})
    places = _places(path=data, val=val, input=input, val_input=val_input)
    given = {"data": places, "steps": steps, "seed": seed, "options": options}
    given = {key: value for key, value in given.items() if value is not None}
    resolved, members = resolve(task, layer, given)
    start = None if init is None else Init(Path(init), init_partial)
    start_run(resolved, members, Path(out), start, log)
    return load(out, task=members[0].name, device=resolved.train.device)


def start_run(
    config: RunConfig,
    members: Sequence[Member],
    out: Path,
    init: Init | None = None,
    log: Log | None = None,
) -> None:
    """Train in the new folder ``out``; UserError where it is inside of the pictures."""
    from palette.training.loop import train as run

    run(*_fitted(_placed(config, out), members), out, init=init, log=log)


def plan_run(config: RunConfig, members: Sequence[Member], out: Path) -> str:
    """What :func:`start_run` would do, as text; nothing is written."""
    from palette.training.plan import plan

    return plan(*_fitted(_placed(config, out), members))


def _placed(config: RunConfig, out: Path) -> RunConfig:
    """With absolute paths; UserError where ``out`` is inside of the pictures."""
    config = replace(config, data=_absolute(config.data))
    for place in (config.data.path, config.data.input):
        if place is not None and Path(place) in (out.resolve(), *out.resolve().parents):
            raise UserError(f"{out} is inside of the pictures {place}: choose another --out")
    return config


def _fitted(
    config: RunConfig, members: Sequence[Member], accept_data: bool = False
) -> tuple[RunConfig, Sequence[Member], Source, Source | None]:
    """With what the pictures for training and validation decide, and these."""
    from palette.fitting import fit

    source, val = sources(config)
    return *fit(config, members, source, val, accept_data), source, val


def _places(**places: str | Path | None) -> dict[str, str]:
    """Those that are named."""
    return {key: str(place) for key, place in places.items() if place is not None}


def _absolute(data: DataConfig) -> DataConfig:
    """Paths that stay true when the run is continued from another folder."""
    named = _places(path=data.path, val=data.val, input=data.input, val_input=data.val_input)
    whole = {key: str(Path(path).resolve()) for key, path in named.items() if path != "bundled"}
    return replace(data, **whole)


def sources(config: RunConfig) -> tuple[Source, Source | None]:
    """Pictures for training and for validation; the latter None where none are named."""
    from palette.data.opening import open_source

    data = config.data
    if data.val is None and data.val_input is not None:
        raise UserError(f"--data.val-input {data.val_input} has no targets: name their --val")
    if data.val is None and data.path == "bundled" and data.input is None:
        return open_source(data.path), open_source(data.path, split="held_out")
    val = None if data.val is None else open_source(data.val, inputs=data.val_input)
    return open_source(data.path, inputs=data.input), val


def resume(
    run: str | Path,
    steps: int | None = None,
    data: str | Path | None = None,
    val: str | Path | None = None,
    input: str | Path | None = None,
    val_input: str | Path | None = None,
    accept_data: bool = False,
    log: Log | None = None,
) -> Restorer:
    """Continue a stopped run, or a finished one to more ``steps`` in all; return its model.

    The same run, to the same bits: ``data``, ``val``, ``input`` and ``val_input`` name a new place
    of the same pictures; ``accept_data`` goes on where pictures or masks were changed, added, taken
    away or repaired, and run.json records it; ``log`` is as in :func:`train`. To start another
    training from its weights use :func:`train` with ``init``.

    Raises as :func:`train` does, IntegrityError for a damaged checkpoint, InUse for a run that
    another process continues.
    """
    from palette.training import loop as training

    run = Path(run)
    moved = _places(path=data, val=val, input=input, val_input=val_input)
    resolved, members = begun(run, {"data": moved} | ({} if steps is None else {"steps": steps}))
    resolved = replace(resolved, data=_absolute(resolved.data))
    fitted = _fitted(resolved, members, accept_data)
    training.train(*fitted, run, resume=True, log=log, accept_data=accept_data)
    return load(run, task=members[0].name, device=resolved.train.device)


def load(
    model: str | Path = DEFAULT,
    *,
    task: str | None = None,
    scale: int | None = None,
    device: str = "auto",
    precision: str | Format = "auto",
    **sampling: Any,
) -> Restorer:
    """Load a run folder, a model folder, "hf://OWNER/NAME" or a model of the package: "photos".

    ``task``, and ``scale`` where it has several, choose one of the tasks that the model serves; a
    model of one task needs neither. ``precision`` is "auto", "fp32", "bf16", "fp16" or the
    ``format`` of another Restorer.

    ``sampling``: fields of :class:`palette.Sampling` (answer, steps, sampler, grid, samples …), of
    which an imported model has defaults of its own.
    Raises UserError for others and where there is no model, IntegrityError for a damaged one.
    """
    from palette.restoring.restorer import Restorer, own_sampling

    loaded, members = read_model(model)
    number = find_member(members, task, scale)
    chosen = own_sampling(loaded, **sampling)
    return Restorer(loaded, members, number, chosen, device, precision)


def read_model(model: str | Path) -> tuple[Model, Sequence[Member]]:
    """The network of a run folder or a model folder, and the tasks that it serves."""
    from palette.checkpoint import load_model

    loaded = load_model(Path(model))
    with of_file(model):
        members = make_trainable(loaded.config.task, loaded.config.options).members()
    if len(members) != len(loaded.targets):
        counts = f"{len(members)} tasks and {len(loaded.targets)} targets"
        raise IntegrityError(f"{model}: model.json is damaged: it has {counts}")
    return loaded, members


def load_tasks(
    model: str | Path,
    task: str | None = None,
    scale: int | None = None,
    device: str = "auto",
    precision: str | Format = "auto",
) -> dict[str, Restorer]:
    """The model at the task that is asked for, or where none is, at each of its tasks by name."""
    from palette.restoring.restorer import Restorer

    loaded, members = read_model(model)
    every = task is None and scale is None
    numbers = range(len(members)) if every else [find_member(members, task, scale)]
    first = Restorer(loaded, members, numbers[0], device=device, precision=precision)
    return {members[number].name: first.doing(number) for number in numbers}


def search(
    model: str | Path,
    data: str | Path = "bundled",
    *,
    input: str | Path | None = None,
    task: str | None = None,
    scale: int | None = None,
    move: Sequence[Movable] = MOVABLE,
    pictures: int = 24,
    seed: int = 0,
    device: str = "auto",
    precision: str = "auto",
    progress: Callable[[Sampling, float], None] = lambda *_: None,
    **route: Any,
) -> Sampling:
    """Find the noise levels, eta and detail that suit a model, save them with it and return them.

    ``move`` says which of them, detail only where ``route`` begins with some.
    ``route``: fields of :class:`palette.restoring.sampling.Route` (steps, sampler, start, eta …);
    restoring uses the levels for this sampler, start and number of steps, and for this task:
    ``task`` and ``scale`` as in :func:`load`. Samples of ``pictures`` crops are compared with exact
    draws (:mod:`palette.restoring.search`); ``data`` and ``input`` as in :func:`train`, unseen in
    training. ``progress`` gets every improvement and its score, first that of the logsnr grid.
    Raises UserError and IntegrityError as :func:`load` does.
    """
    from palette.checkpoint import save_searched
    from palette.data.opening import open_source
    from palette.restoring.search import Trial, take_crops
    from palette.restoring.search import search as search_levels

    refuse_remote(model, "search")
    begin = Sampling(**asdict(from_dict(Route, route)), grid="logsnr")
    source = open_source(data, "held_out", input)
    restorer = load(model, task=task, scale=scale, device=device, precision=precision)
    crops = take_crops(restorer, source, pictures, seed, times=2)
    trial = Trial(restorer, crops)
    before = trial.score(begin)
    progress(begin, before)
    best, score = search_levels(trial, begin, progress, move)
    entry = {
        "task": restorer.member.name,
        "sampler": best.sampler,
        "start": best.start,
        "steps": best.steps,
        "logsnrs": list(best.logsnrs or ()),
        "eta": best.eta,
        "detail": best.detail,
        "score": score,
        "score_of_logsnr_grid": before,
        "pictures": pictures,
        "data": source.fingerprint(),
    }
    save_searched(Path(model), entry)
    return best
