"""The pictures of an evaluation: clean ones prepared, degraded, restored by the model, saved."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import cv2
import numpy as np
import torch
from torch.nn.functional import interpolate

from palette.data.pairs import Pairs
from palette.data.sources import Source
from palette.degradations import Degradation
from palette.degradations.mask_files import MaskFiles
from palette.degradations.masks import Hole
from palette.errors import PictureError, UserError
from palette.eval import workspace as files
from palette.eval.conventions import Conventions, bicubic, holds_one_channel, keyed_rng, stored
from palette.eval.gallery import Gallery, Record, Row, failure, read_records
from palette.eval.metrics.pixels import to_uint8
from palette.eval.request import Answer, Asked
from palette.eval.workspace import RECORDS, Workspace, stopwatch
from palette.seeding import draw_seed, rng
from palette.shard import Shard
from palette.types import Observation, Params, Picture, Spec, Task


class Model(Protocol):
    """What is judged: :class:`palette.restoring.restorer.Restorer`, or your own."""

    @property
    def task(self) -> Task: ...

    @property
    def digest(self) -> str:
        """SHA-256 of the weights."""
        ...

    def describe(self) -> dict[str, Any]:
        """Plain JSON about the model and its sampling, for the report."""
        ...

    def restore_observations(
        self, observations: list[Observation], *, answer: Asked, seeds: list[int]
    ) -> list[Picture]:
        """One restored picture ``(H, W, 3)`` in [0, 1] for each observation and its seed."""
        ...


SquareResize = Literal["bicubic", "area"]
"""How a central square gets its size: antialiased bicubic, or the mean over areas as in SR3, which
only makes squares smaller."""


@dataclass(frozen=True)
class Plan:
    """Which pictures are restored, and how.

    ``operator``, ``side``, ``resize`` and ``conventions`` are those of
    :class:`palette.eval.protocol.Protocol`; ``samples`` is the number of samples of every picture;
    ``masks`` are a user's own, with the one of each picture by name.
    """

    names: list[str]
    labels: list[str | None]
    answers: tuple[Answer, ...]
    samples: int
    seed: int
    operator: Degradation | None
    side: int | None
    resize: SquareResize = "bicubic"
    masks: tuple[MaskFiles, list[str]] | None = None
    conventions: Conventions | None = None


def restore(model: Model, source: Source, workspace: Workspace, plan: Plan, shard: Shard) -> None:
    """Degrade and restore block by block; the records of a block are written last.

    A picture that cannot be used gets a line that says why, and the others go on.
    """
    for path, block in files.unfinished(workspace, RECORDS, len(plan.names), shard, "restore"):
        observed: dict[int, tuple[Observation, Record]] = {}
        lines: list[dict[str, Any]] = []
        for index in block:
            try:
                observed[index] = _observe(model.task, source, workspace, plan, index)
            except UserError as error:
                lines.append(failure(plan.names[index], error))
                continue
            lines.append(observed[index][1].as_json())
        if observed:
            _restore_block(model, workspace, plan, observed)
        workspace.settle()
        files.write_json(path, lines)


def _observe(
    task: Task, source: Source, workspace: Workspace, plan: Plan, index: int
) -> tuple[Observation, Record]:
    """Prepare, degrade and save one picture."""
    name = plan.names[index]
    clean, grey = prepared(source.read(index), plan, task.multiple, name), None
    if plan.conventions is not None:
        clean, grey = plan.conventions.clean(clean, holds_one_channel(source, index))
    observation, params = _given(task, source, plan, index, clean)
    missing = None
    pictures = {
        "reference": clean,
        "input": observation.picture,
        "baseline": _baseline(task, plan, observation, *clean.shape[:2]),
        **{row: way(observation) for row, way in task.classical.items()},
    }
    for row, picture in pictures.items():
        workspace.write_pixels(row, name, stored(picture, grey))
    if observation.mask is not None:
        missing = float(observation.mask.mean())
        workspace.write_pixels("mask", name, observation.mask.astype(np.uint8) * 255)
    height, width = clean.shape[:2]
    label = plan.labels[index]
    return observation, Record(name, height, width, label, missing, params, grey=grey)


def _baseline(task: Task, plan: Plan, observation: Observation, height: int, width: int) -> Picture:
    enlarges = observation.picture.shape[:2] != (height, width)
    if plan.conventions is not None and enlarges:
        return bicubic(observation.picture, height, width)
    return task.baseline(observation)


def _given(
    task: Task, source: Source, plan: Plan, index: int, clean: Picture
) -> tuple[Observation, Params]:
    """What the model is given of one picture, and how it came about."""
    height, width = clean.shape[:2]
    if source.inputs is not None:
        scale = task.scale or 1
        params = source.drawn[index] if isinstance(source, Pairs) and source.drawn else {}
        return Observation(source.inputs.read(index)[: height // scale, : width // scale]), params
    if plan.masks is not None:
        masks, names = plan.masks
        params, hole = masks.params_of(names[index], Spec(height, width)), Hole(masks)
        return Observation(hole.apply(clean, params), hole.mask(params)), params
    by_place = plan.conventions is None
    generator = rng(plan.seed, "degrade", index) if by_place else keyed_rng(plan.seed, clean)
    return degraded(task, plan.operator, clean, generator)


def _restore_block(
    model: Model,
    workspace: Workspace,
    plan: Plan,
    observed: Mapping[int, tuple[Observation, Record]],
) -> None:
    """The answers to the observations, by the place of their picture."""
    given = [observation for observation, _ in observed.values()]
    records = [record for _, record in observed.values()]
    asked: list[Asked] = ["mean"] if "mean" in plan.answers else []
    if set(plan.answers) - {"mean"}:
        asked.append("sample")
    for answer in asked:
        total = [np.zeros(1)] * len(given)
        count = plan.samples if answer == "sample" else 1
        for draw in range(count):
            seeds = [draw_seed(rng(plan.seed, answer, draw, index)) for index in observed]
            with stopwatch(workspace, answer):
                restored = model.restore_observations(given, answer=answer, seeds=seeds)
            _write_row(workspace, row_of(answer, draw), records, restored)
            total = [sum_ + picture for sum_, picture in zip(total, restored, strict=True)]
        if answer == "sample" and "average" in plan.answers:
            average = [(sum_ / count).astype(np.float32) for sum_ in total]
            _write_row(workspace, "average", records, average)


def _write_row(
    workspace: Workspace, row: str, records: Sequence[Record], pictures: Sequence[Picture]
) -> None:
    for record, picture in zip(records, pictures, strict=True):
        workspace.write_pixels(row, record.name, stored(picture, record.grey))


def prepared(picture: Picture, plan: Plan, multiple: int, name: str) -> Picture:
    """The clean picture: its central square at ``plan.side``, or cut to the task's multiple.

    Rounded to 8 bits, as the reference file beside the report is.
    """
    height, width = picture.shape[:2]
    if plan.side is not None:
        edge = min(height, width)
        if plan.resize == "area" and edge < plan.side:
            raise PictureError(
                f"{name} has {width}×{height} pixels, and the protocol only makes squares smaller, "
                f"to {plan.side}: leave out pictures below that"
            )
        top, left = (height - edge) // 2, (width - edge) // 2
        square = np.ascontiguousarray(picture[top : top + edge, left : left + edge])
        picture = _resized(square, plan.side, plan.resize)
    elif min(height, width) < multiple:
        raise UserError(
            f"{name} has {width}×{height} pixels: this task needs {multiple}×{multiple} or more"
        )
    height, width = (edge // multiple * multiple for edge in picture.shape[:2])
    return to_uint8(picture[:height, :width]).astype(np.float32) / np.float32(255)


def _resized(square: Picture, side: int, resize: SquareResize) -> Picture:
    if resize == "area":
        small = cv2.resize(square, (side, side), interpolation=cv2.INTER_AREA)
        return np.asarray(small, np.float32)
    batch = torch.from_numpy(square).permute(2, 0, 1)[None]
    batch = interpolate(batch, size=(side, side), mode="bicubic", antialias=True)
    return batch[0].permute(1, 2, 0).numpy()


def degraded(
    task: Task, operator: Degradation | None, clean: Picture, generator: np.random.Generator
) -> tuple[Observation, Params]:
    """What a user would hold of a clean picture, and how it came about."""
    spec = Spec(*clean.shape[:2])
    if operator is None:
        params = task.draw(spec, generator)
        return task.degrade(clean, params), params
    params = operator.draw(spec, generator)
    return Observation(operator.apply(clean, params), operator.mask(params)), params


def row_of(answer: Asked, draw: int) -> str:
    """The folder of an answer: ``mean``, ``sample``, and ``sample-1`` … for further draws."""
    return answer if draw == 0 else f"{answer}-{draw}"


def gallery_of(workspace: Workspace, shard: Shard) -> Gallery:
    """What the table compares; the first three rows expose mistakes of the evaluation itself."""
    manifest = files.read_json(workspace.root / "manifest.json")
    names = manifest["names"]
    records, failed = read_records(workspace, names, shard)
    titles = {
        "mean": "model, mean answer",
        "average": f"model, mean of {manifest['samples']} samples",
        "sample": "model, one sample",
    }
    folders = [("baseline", "simple baseline", "baseline")]
    folders += [(key, key.replace("-", " "), key) for key in manifest["classical"]]
    folders += [("original", "originals", "reference")]
    folders += [(answer, titles[answer], answer) for answer in manifest["answers"]]
    masked = any(record.missing is not None for record in records.values())
    draws = range(manifest["samples"]) if manifest["samples"] > 1 else []
    return Gallery(
        planned=names,
        rows=[
            Row("input", "degraded input", workspace.pictures("input", names), is_input=True),
            *(Row(key, title, workspace.pictures(f, names)) for key, title, f in folders),
        ],
        target=workspace.pictures("reference", names),
        given=workspace.pictures("input", names),
        masks=workspace.pictures("mask", names) if masked else None,
        draws=[workspace.pictures(row_of("sample", draw), names) for draw in draws],
        records=records,
        failed=failed,
    )
