"""Measure rows of pictures against their targets, and say how sure the means are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from palette.eval import workspace as files
from palette.eval.distortion import Pixels
from palette.eval.intervals import BOOTSTRAP, bootstrap, mean
from palette.eval.metrics import Convention, Measure, Metric, Pair, Value, lookup
from palette.eval.workspace import Workspace, stopwatch

Paths = dict[str, Path]
"""Picture files by name."""

SCHEMA = 1
"""Version of the layout of ``report.json``."""


@dataclass(frozen=True)
class Settings:
    """What is measured, and how."""

    metrics: tuple[str, ...] = ("psnr", "ssim")
    luma: bool = False
    border: int = 0

    def as_json(self) -> dict[str, Any]:
        return asdict(self) | {"metrics": list(self.metrics)}


@dataclass(frozen=True)
class Row:
    """One row of the table: a key, a title for people, and a picture for every name.

    ``is_input`` pictures may be smaller than their targets: they are enlarged as a screen does.
    """

    key: str
    title: str
    pictures: Paths
    is_input: bool = False


@dataclass(frozen=True)
class Gallery:
    """The pictures of an evaluation. ``records`` has one dict a picture, in the order of names."""

    names: Sequence[str]
    rows: Sequence[Row]
    target: Paths
    given: Paths | None = None
    masks: Paths | None = None
    draws: Sequence[Paths] = ()
    records: Sequence[dict[str, Any]] = field(default_factory=list)


def measure(workspace: Workspace, gallery: Gallery, settings: Settings) -> dict[str, Any]:
    """Everything that ``report.json`` holds: table, values of every picture, settings."""
    metrics = lookup(settings.metrics)
    with stopwatch(workspace, "measure"):
        values = _measure_pictures(workspace, gallery, settings, metrics)
    manifest = files.read_json(workspace.root / "manifest.json")
    return {
        "schema": SCHEMA,
        "manifest": manifest,
        "manifest_digest": files.digest(manifest),
        "records_digest": files.digest(list(gallery.records)),
        "intervals": BOOTSTRAP,
        "metrics": {
            name: {
                "title": metric.title,
                "unit": metric.unit,
                "better": metric.better,
                "digits": metric.digits,
                "expect": metric.expect,
            }
            for name, metric in metrics.items()
        },
        "rows": [{"key": row.key, "title": row.title} for row in gallery.rows],
        "table": {
            row.key: {name: _summary([v[row.key][name] for v in values]) for name in metrics}
            for row in gallery.rows
        },
        "pictures": [
            {"name": name, "record": record, **_split(value)}
            for name, value, record in zip(gallery.names, values, gallery.records, strict=True)
        ],
    }


def enlarged(given: Pixels, height: int, width: int) -> Pixels:
    """An input at the size of its target, by nearest neighbour: as a screen shows it."""
    down = np.arange(height) * given.shape[0] // height
    right = np.arange(width) * given.shape[1] // width
    return given[down[:, None], right]


def _split(values: dict[str, dict[str, Value]]) -> dict[str, Any]:
    """Numbers apart from reasons: JSON knows no infinity, so a value that is none says why."""
    numbers = {
        row: {name: None if isinstance(value, str) else value for name, value in cells.items()}
        for row, cells in values.items()
    }
    reasons = {
        row: {name: value for name, value in cells.items() if isinstance(value, str)}
        for row, cells in values.items()
    }
    return {
        "values": numbers,
        "reasons": {row: cells for row, cells in reasons.items() if cells},
    }


def _measure_pictures(
    workspace: Workspace, gallery: Gallery, settings: Settings, metrics: dict[str, Metric]
) -> list[dict[str, dict[str, Value]]]:
    """For every picture: row → metric → value. Finished blocks are read back, never done twice."""
    from tqdm import tqdm

    convention = Convention(settings.luma, settings.border)
    measures = {name: metric.begin(convention) for name, metric in metrics.items()}
    values: list[dict[str, dict[str, Value]]] = []
    bar = tqdm(total=len(gallery.names), desc="measure", unit="picture", disable=None)
    for number, block in files.blocks_of(len(gallery.names)):
        path = workspace.state(f"values-{number:05d}.json")
        if not path.exists():
            files.write_json(path, _measure_block(gallery, measures, block))
        values.extend(files.read_json(path))
        bar.update(len(block))
    bar.close()
    return values


def _measure_block(
    gallery: Gallery, measures: dict[str, Measure], block: range
) -> list[dict[str, dict[str, Value]]]:
    values: list[dict[str, dict[str, Value]]] = [{} for _ in block]
    for row in gallery.rows:
        pairs = [_pair(gallery, row, index) for index in block]
        for name, measure in measures.items():
            for position, value in enumerate(measure(pairs)):
                values[position].setdefault(row.key, {})[name] = value
    return values


def _pair(gallery: Gallery, row: Row, index: int) -> Pair:
    name = gallery.names[index]
    target = files.read_pixels(gallery.target[name])
    answer = files.read_pixels(row.pictures[name])
    if row.is_input:
        answer = enlarged(answer, *target.shape[:2])
    given = files.read_pixels(gallery.given[name]) if gallery.given else None
    mask = files.read_mask(gallery.masks[name]) if gallery.masks else None
    label = gallery.records[index].get("label") if gallery.records else None
    return Pair(answer, target, given, mask, label)


def _summary(values: Sequence[Value]) -> dict[str, Any]:
    """The mean of the numbers, its interval, and the reasons for the pictures without one."""
    numbers = [value for value in values if not isinstance(value, str)]
    reasons = sorted({value for value in values if isinstance(value, str)})
    if not numbers:
        return {"value": None, "count": 0, "reason": "; ".join(reasons)}
    interval = bootstrap(numbers)
    summary: dict[str, Any] = {
        "value": mean(numbers),
        "count": len(numbers),
        "low": None if interval is None else interval.low,
        "high": None if interval is None else interval.high,
    }
    if reasons:
        summary["left_out"] = f"{len(values) - len(numbers)} without a value: {'; '.join(reasons)}"
    return summary
