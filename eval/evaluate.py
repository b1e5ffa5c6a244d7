"""A model on clean pictures: degrade, restore, save every picture, measure, report.

The pictures are kept as PNG beside the report, so the figures can be checked with any other tool.
Work goes in blocks; a finished block is never done twice, so a killed evaluation that is started
again with the same arguments ends in the same ``report.json``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np

from palette.eval import workspace as files
from palette.eval.distortion import to_uint8
from palette.eval.measure import Gallery, Row, Settings, measure
from palette.eval.metrics import lookup
from palette.eval.report import Report, write
from palette.eval.workspace import Workspace, stopwatch
from palette.seeding import draw_seed, rng
from palette.types import Observation, Params, Picture, Spec, Task

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
class Plan:
    """Everything that decides what is restored; the digest of it guards the folder."""

    names: list[str]
    labels: list[str | None]
    answers: tuple[Answer, ...]
    samples: int
    steps: int | None
    seed: int


def evaluate(
    model: Model,
    source: PictureSource,
    out: str | Path,
    metrics: Sequence[str] = ("psnr", "ssim"),
    limit: int | None = None,
    seed: int = 0,
    *,
    answers: Sequence[Answer] = ("mean",),
    steps: int | None = None,
    samples: int = 1,
    luma: bool = False,
    border: int = 0,
    title: str | None = None,
) -> Report:
    """Judge ``model`` on the first ``limit`` pictures of ``source``; the report lands in ``out``.

    ``answers`` are the rows of the model: its ``"mean"`` (one evaluation) and a ``"sample"``.
    ``samples`` above 1 draws further samples of every picture, which the report shows side by
    side. ``steps`` is the number of network evaluations of a sample, None is the model's own.
    ``luma`` and ``border`` measure distortion as the super-resolution literature does.
    """
    settings = Settings(tuple(metrics), luma, border)
    workspace, plan = _open(
        model, source, Path(out), settings, limit, seed, answers, steps, samples
    )
    with stopwatch(workspace, "restore"):
        _restore(model, source, workspace, plan)
    gallery = _gallery(workspace, plan)
    result = measure(workspace, gallery, settings)
    return write(workspace, gallery, result, title or "Evaluation")


def _open(
    model: Model,
    source: PictureSource,
    out: Path,
    settings: Settings,
    limit: int | None,
    seed: int,
    answers: Sequence[Answer],
    steps: int | None,
    samples: int,
) -> tuple[Workspace, Plan]:
    """Check the arguments, and that ``out`` is new or holds this very evaluation."""
    lookup(settings.metrics)
    if limit is not None and limit < 1:
        raise ValueError(f"limit {limit}: choose 1 or more, or none for all pictures")
    if samples < 1:
        raise ValueError(f"samples {samples}: choose 1 or more")
    if not answers or set(answers) - {"mean", "sample"} or len(set(answers)) < len(answers):
        raise ValueError(f"answers {tuple(answers)}: choose from mean, sample, each at most once")
    count = len(source) if limit is None else min(limit, len(source))
    if count == 0:
        raise ValueError("the source holds no pictures: nothing to evaluate")
    labels = source.labels
    plan = Plan(
        names=files.names_of(source.ids[:count]),
        labels=[None if labels is None else str(labels[i]) for i in range(count)],
        answers=tuple(answers),
        samples=samples if "sample" in answers else 1,
        steps=steps,
        seed=seed,
    )
    manifest = {
        "kind": "evaluate",
        "model": model.describe(),
        "weights": model.digest,
        "source": source.fingerprint(),
        "pictures": count,
        "names": plan.names,
        "answers": list(plan.answers),
        "samples": plan.samples,
        "steps": steps,
        "seed": seed,
        "settings": settings.as_json(),
    }
    return files.claim(out, manifest), plan


def _restore(model: Model, source: PictureSource, workspace: Workspace, plan: Plan) -> None:
    """Degrade and restore block by block; the record of a block is written last."""
    from tqdm import tqdm

    bar = tqdm(total=len(plan.names), desc="restore", unit="picture", disable=None)
    for number, block in files.blocks_of(len(plan.names)):
        record = workspace.state(f"records-{number:05d}.json")
        if not record.exists():
            files.write_json(record, _restore_block(model, source, workspace, plan, block))
        bar.update(len(block))
    bar.close()


def _restore_block(
    model: Model, source: PictureSource, workspace: Workspace, plan: Plan, block: range
) -> list[dict[str, Any]]:
    observations: list[Observation] = []
    records: list[dict[str, Any]] = []
    for index in block:
        name = plan.names[index]
        clean, observation, params = degraded(model.task, source.read(index), plan.seed, index)
        given = to_uint8(observation.picture)
        workspace.write_pixels("reference", name, to_uint8(clean))
        workspace.write_pixels("input", name, given)
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


def degraded(
    task: Task, picture: Picture, seed: int, index: int
) -> tuple[Picture, Observation, Params]:
    """The clean picture cut to the task's multiple, what a user would hold of it, and how."""
    height, width = (side // task.multiple * task.multiple for side in picture.shape[:2])
    if min(height, width) == 0:
        raise ValueError(
            f"picture {index} of {picture.shape[0]}×{picture.shape[1]} pixels: "
            f"this task needs at least {task.multiple}×{task.multiple}"
        )
    clean = np.ascontiguousarray(picture[:height, :width])
    params = task.draw(Spec(height, width), rng(seed, "degrade", index))
    return clean, task.degrade(clean, params), params


def row_of(answer: Answer, draw: int) -> str:
    """The folder of an answer: ``mean``, ``sample``, and ``sample-1`` … for further draws."""
    return answer if draw == 0 else f"{answer}-{draw}"


def _gallery(workspace: Workspace, plan: Plan) -> Gallery:
    """What the table compares; the first three rows expose mistakes of the evaluation itself."""
    titles = {"mean": "model, mean answer", "sample": "model, one sample"}
    folders = [
        ("baseline", "simple baseline", "baseline"),
        ("original", "originals", "reference"),
        *((answer, titles[answer], answer) for answer in plan.answers),
    ]
    records = [
        record
        for number, _ in files.blocks_of(len(plan.names))
        for record in files.read_json(workspace.state(f"records-{number:05d}.json"))
    ]
    masks = workspace.pictures("mask", plan.names)
    return Gallery(
        names=plan.names,
        rows=[
            Row("input", "degraded input", workspace.pictures("input", plan.names), is_input=True),
            *(Row(key, title, workspace.pictures(f, plan.names)) for key, title, f in folders),
        ],
        target=workspace.pictures("reference", plan.names),
        given=workspace.pictures("input", plan.names),
        masks=masks if masks[plan.names[0]].exists() else None,
        draws=[
            workspace.pictures(row_of("sample", draw), plan.names) for draw in range(plan.samples)
        ]
        if plan.samples > 1
        else [],
        records=records,
    )
