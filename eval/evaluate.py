"""A model on clean pictures: degrade, restore, save every picture, measure, report.

The pictures are kept as PNG beside the report, so the figures can be checked with any other tool.
Work goes in blocks; a finished block is never done twice, so a killed evaluation that is started
again with the same arguments ends in the same ``report.json``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from palette.degradations.resize import resize
from palette.eval import papers, protocols
from palette.eval import workspace as files
from palette.eval.distortion import to_uint8
from palette.eval.measure import Gallery, Row, Shard, measure
from palette.eval.report import Report, write
from palette.eval.settings import Settings, choose, weights_for
from palette.eval.summary import summarise
from palette.eval.workspace import Workspace, stopwatch
from palette.seeding import draw_seed, rng
from palette.types import Degradation, Observation, Params, Picture, Spec, Task

Answer = Literal["mean", "sample"]


class Model(Protocol):
    """A restorer of observations: :class:`palette.restore.Restorer`, or your own."""

    @property
    def task(self) -> Task: ...

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON about the model, for the report."""
        ...

    def restore_observations(
        self, observations: list[Observation], answer: Answer, steps: int | None, seeds: list[int]
    ) -> list[Picture]: ...


class PictureSource(Protocol):
    """Clean pictures with names: a source of :mod:`palette.data.sources`, or your own."""

    @property
    def ids(self) -> Sequence[str]: ...

    @property
    def labels(self) -> Sequence[Any] | None: ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Picture: ...

    def fingerprint(self) -> str: ...


@dataclass(frozen=True)
class Request:
    """What is asked of an evaluation, before anything is checked.

    ``metrics`` are names of :mod:`palette.eval.metrics` and ``populations``; None is the
    protocol's, or PSNR and SSIM. ``answers`` are the rows of the model: its ``"mean"`` (one
    evaluation) and a ``"sample"``; ``samples`` above 1 draws further samples of every picture.
    ``steps`` is the number of network evaluations of a sample, None is the model's own. ``luma``
    and ``border`` measure distortion as the super-resolution literature does. ``weights`` are
    paths of weights files by kind, ``reference`` an ``.npz`` with statistics for FID, ``dataset``
    what the pictures are declared to be, for the papers' rows.
    """

    metrics: Sequence[str] | None = None
    limit: int | None = None
    seed: int = 0
    protocol: str | None = None
    answers: Sequence[Answer] = ("mean",)
    steps: int | None = None
    samples: int = 1
    luma: bool = False
    border: int = 0
    weights: Mapping[str, str | Path | None] | None = None
    reference: str | Path | None = None
    dataset: str | None = None
    device: str = "auto"
    title: str | None = None


def evaluate(
    model: Model,
    source: PictureSource,
    out: str | Path,
    metrics: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    *,
    protocol: str | None = None,
    answers: Sequence[Answer] = ("mean",),
    steps: int | None = None,
    samples: int = 1,
    weights: Mapping[str, str | Path | None] | None = None,
    title: str | None = None,
) -> Report:
    """Judge ``model`` on the first ``limit`` pictures of ``source``; the report lands in ``out``.

    The arguments are those of :class:`Request`, which has some more for :func:`run`.
    """
    request = Request(
        metrics,
        limit,
        seed,
        protocol,
        answers,
        steps,
        samples,
        weights=weights,
        title=title,
    )
    return run(model, source, Path(out), request)


def run(model: Model, source: PictureSource, out: Path, request: Request) -> Report:
    """Do everything that ``request`` asks, in the folder ``out``."""
    return finish(run_shard(model, source, out, request, Shard(0, 1)))


def run_shard(
    model: Model, source: PictureSource, out: Path, request: Request, shard: Shard
) -> Workspace:
    """Restore and measure the blocks of one shard, without a report.

    :func:`palette.eval.merge.merge` joins the folders of all shards into the report that one run
    would have made.
    """
    protocol = protocols.find_protocol(request.protocol) if request.protocol else None
    if protocol is not None:
        _check_task(model.task, protocol)
    metrics = request.metrics or (protocol.metrics if protocol else ("psnr", "ssim"))
    settings = choose(metrics, request.luma, request.border, request.device)
    weights = weights_for(settings, request.weights)
    plan = _plan(source, request, protocol)
    manifest = {
        "kind": "evaluate",
        "title": request.title or f"Evaluation{' by ' + protocol.name if protocol else ''}",
        "protocol": protocol and protocol.as_json() | {"digest": files.digest(protocol.as_json())},
        "dataset": request.dataset,
        "model": model.describe(),
        "weights": model.digest,
        "source": source.fingerprint(),
        "names": plan.names,
        "pictures": len(plan.names),
        "answers": list(plan.answers),
        "samples": plan.samples,
        "steps": plan.steps,
        "seed": plan.seed,
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in weights.items()},
        "versions": files.versions(),
    }
    workspace = files.claim(out, manifest, request.reference)
    with stopwatch(workspace, "restore"):
        _restore(model, source, workspace, plan, shard)
    measure(workspace, _gallery(workspace, shard), settings, weights, shard)
    return workspace


def finish(workspace: Workspace) -> Report:
    """The report of a workspace whose blocks are all done."""
    manifest = files.read_json(workspace.root / "manifest.json")
    gallery = _gallery(workspace, Shard(0, 1))
    data = summarise(workspace, gallery, Settings.from_json(manifest["settings"]))
    if manifest["protocol"] is not None:
        protocol = protocols.find_protocol(manifest["protocol"]["name"])
        data["papers"] = papers.beside(
            protocol.paper, manifest, protocol.dataset, protocol.reference_count
        )
    return write(workspace, gallery, data)


def _check_task(task: Task, protocol: protocols.Protocol) -> None:
    """Refuse a protocol of another task or scale."""
    spaced = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(task).__name__)
    name = spaced.removeprefix("-")
    if name != protocol.task:
        raise ValueError(
            f"protocol {protocol.name} is for {protocol.task}, the model is for {name}: "
            "choose another protocol"
        )
    wanted, scale = getattr(protocol.operator, "scale", None), getattr(task, "scale", None)
    if wanted is not None and wanted != scale:
        raise ValueError(
            f"protocol {protocol.name} enlarges {wanted} times, the model {scale} times: "
            "choose another protocol"
        )


@dataclass(frozen=True)
class _Plan:
    """Which pictures are restored, and how."""

    names: list[str]
    labels: list[str | None]
    answers: tuple[Answer, ...]
    samples: int
    steps: int | None
    seed: int
    operator: Degradation | None
    side: int | None


def _plan(source: PictureSource, request: Request, protocol: protocols.Protocol | None) -> _Plan:
    answers, limit, labels = tuple(request.answers), request.limit, source.labels
    if limit is not None and limit < 1:
        raise ValueError(f"limit {limit}: choose 1 or more, or none for all pictures")
    if request.samples < 1:
        raise ValueError(f"samples {request.samples}: choose 1 or more")
    if not answers or set(answers) - {"mean", "sample"} or len(set(answers)) < len(answers):
        raise ValueError(f"answers {answers}: choose from mean, sample, each at most once")
    count = len(source) if limit is None else min(limit, len(source))
    if count == 0:
        raise ValueError("the source holds no pictures: nothing to evaluate")
    return _Plan(
        names=files.names_of(source.ids[:count]),
        labels=[None if labels is None else str(labels[i]) for i in range(count)],
        answers=answers,
        samples=request.samples if "sample" in answers else 1,
        steps=request.steps,
        seed=request.seed,
        operator=protocol.operator if protocol else None,
        side=protocol.side if protocol else None,
    )


def _restore(
    model: Model, source: PictureSource, workspace: Workspace, plan: _Plan, shard: Shard
) -> None:
    """Degrade and restore block by block; the record of a block is written last."""
    from tqdm import tqdm

    bar = tqdm(total=len(plan.names), desc="restore", unit="picture", disable=None)
    for number, block in files.blocks_of(len(plan.names)):
        record = workspace.state(f"records-{number:05d}.json")
        if shard.owns(number) and not record.exists():
            files.write_json(record, _restore_block(model, source, workspace, plan, block))
        bar.update(len(block))
    bar.close()


def _restore_block(
    model: Model, source: PictureSource, workspace: Workspace, plan: _Plan, block: range
) -> list[dict[str, Any]]:
    observations: list[Observation] = []
    records: list[dict[str, Any]] = []
    for index in block:
        name = plan.names[index]
        clean = prepared(source.read(index), plan.side, model.task.multiple, name)
        generator = rng(plan.seed, "degrade", index)
        observation, params = degraded(model.task, plan.operator, clean, generator)
        workspace.write_pixels("reference", name, to_uint8(clean))
        workspace.write_pixels("input", name, to_uint8(observation.picture))
        workspace.write_pixels("baseline", name, to_uint8(model.task.baseline(observation)))
        if observation.mask is not None:
            workspace.write_pixels("mask", name, observation.mask.astype(np.uint8) * 255)
        observations.append(observation)
        records.append(
            {
                "name": name,
                "height": clean.shape[0],
                "width": clean.shape[1],
                "label": plan.labels[index],
                "missing": None if observation.mask is None else float(observation.mask.mean()),
                "degradation": params,
            }
        )
    for answer in plan.answers:
        for draw in range(plan.samples if answer == "sample" else 1):
            seeds = [draw_seed(rng(plan.seed, answer, draw, index)) for index in block]
            restored = model.restore_observations(observations, answer, plan.steps, seeds)
            for index, picture in zip(block, restored, strict=True):
                workspace.write_pixels(row_of(answer, draw), plan.names[index], to_uint8(picture))
    return records


def prepared(picture: Picture, side: int | None, multiple: int, name: str) -> Picture:
    """The clean picture: its central square at ``side``, or cut to the task's multiple.

    Rounded to 8 bits, as the reference file beside the report is.
    """
    height, width = picture.shape[:2]
    if side is not None:
        edge = min(height, width)
        top, left = (height - edge) // 2, (width - edge) // 2
        square = np.ascontiguousarray(picture[top : top + edge, left : left + edge])
        picture = resize(square, side, side, "cubic_aa")
    elif min(height, width) < multiple:
        raise ValueError(
            f"{name} has {width}×{height} pixels: this task needs {multiple}×{multiple} or more"
        )
    height, width = (edge // multiple * multiple for edge in picture.shape[:2])
    return to_uint8(picture[:height, :width]).astype(np.float32) / np.float32(255)


def degraded(
    task: Task, operator: Degradation | None, clean: Picture, generator: np.random.Generator
) -> tuple[Observation, Params]:
    """What a user would hold of a clean picture, and how it came about."""
    spec = Spec(*clean.shape[:2])
    if operator is None:
        params = task.draw(spec, generator)
        return task.degrade(clean, params), params
    params = operator.draw(spec, generator)
    mask = getattr(operator, "mask", None)  # operators that cut holes say where
    return Observation(operator.apply(clean, params), mask(params) if mask else None), params


def row_of(answer: Answer, draw: int) -> str:
    """The folder of an answer: ``mean``, ``sample``, and ``sample-1`` … for further draws."""
    return answer if draw == 0 else f"{answer}-{draw}"


def _gallery(workspace: Workspace, shard: Shard) -> Gallery:
    """What the table compares; the first three rows expose mistakes of the evaluation itself."""
    manifest = files.read_json(workspace.root / "manifest.json")
    names = manifest["names"]
    records: list[dict[str, Any]] = []
    for number, block in files.blocks_of(len(names)):
        done = shard.owns(number)
        path = workspace.state(f"records-{number:05d}.json")
        records += files.read_json(path) if done else [{"name": names[i]} for i in block]
    titles = {"mean": "model, mean answer", "sample": "model, one sample"}
    folders = [("baseline", "simple baseline", "baseline"), ("original", "originals", "reference")]
    folders += [(answer, titles[answer], answer) for answer in manifest["answers"]]
    masked = any(record.get("missing") is not None for record in records)
    draws = range(manifest["samples"]) if manifest["samples"] > 1 else []
    return Gallery(
        names=names,
        rows=[
            Row("input", "degraded input", workspace.pictures("input", names), is_input=True),
            *(Row(key, title, workspace.pictures(f, names)) for key, title, f in folders),
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names),
        masks=workspace.pictures("mask", names) if masked else None,
        draws=[workspace.pictures(row_of("sample", draw), names) for draw in draws],
        records=records,
    )
