"""Measure rows of pictures against their targets, block by block; a finished block is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.metrics.distortion import Pixels
from palette.eval.metrics.registry import METRICS, Measure, Pair, Setup, Value
from palette.eval.metrics.weights import Weights
from palette.eval.settings import Settings
from palette.eval.workspace import Workspace, stopwatch
from palette.files import write_bytes

Paths = Mapping[str, Path]
"""Picture files by name."""

PictureValues = dict[str, dict[str, Value]]
"""Row → metric → value, of one picture."""


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

    @property
    def labels(self) -> list[str]:
        labels = [record.get("label") for record in self.records]
        return [label for label in labels if label is not None]


@dataclass(frozen=True)
class Shard:
    """Every ``of``-th block, beginning with number ``index``."""

    index: int
    of: int

    def owns(self, block: int) -> bool:
        return block % self.of == self.index


def parse_shard(text: str) -> Shard:
    """``"0/4"`` … ``"3/4"`` are the four shards of four."""
    first, slash, last = text.partition("/")
    if not (slash and first.isdigit() and last.isdigit() and int(first) < int(last)):
        raise UserError(f"shard {text!r}: write i/n with i from 0 to n−1, such as 0/4")
    return Shard(int(first), int(last))


def measure(
    workspace: Workspace,
    gallery: Gallery,
    settings: Settings,
    weights: Mapping[str, Weights],
    shard: Shard,
) -> None:
    """Values of every picture and features of every row, kept in the workspace's state."""
    if settings.per_picture:
        setup = Setup(
            settings.luma, settings.border, weights, gallery.labels, device=settings.device
        )
        with stopwatch(workspace, "measure"):
            _measure_pictures(workspace, gallery, settings, setup, shard)
    if settings.populations:
        with stopwatch(workspace, "features"):
            _extract_features(workspace, gallery, settings, weights["inception"], shard)


def values_of(workspace: Workspace, gallery: Gallery) -> list[PictureValues]:
    """What :func:`measure` found, picture by picture; empty where it had nothing to measure."""
    values: list[PictureValues] = []
    for number, block in files.blocks_of(len(gallery.names)):
        path = workspace.state(f"values-{number:05d}.json")
        values.extend(files.read_json(path) if path.exists() else [{} for _ in block])
    return values


def features_of(workspace: Workspace, row: str, count: int) -> tuple[NDArray, NDArray]:
    """Features ``(N, 2048)`` and logits ``(N, 1008)`` of a row, float32, in the order of names."""
    features, logits = [], []
    for number, _ in files.blocks_of(count):
        with np.load(_features_path(workspace, row, number)) as arrays:
            features.append(arrays["features"])
            logits.append(arrays["logits"])
    return np.concatenate(features), np.concatenate(logits)


def enlarged(given: Pixels, height: int, width: int) -> Pixels:
    """An input at the size of its target, by nearest neighbour: as a screen shows it."""
    down = np.arange(height) * given.shape[0] // height
    right = np.arange(width) * given.shape[1] // width
    return given[down[:, None], right]


def _measure_pictures(
    workspace: Workspace, gallery: Gallery, settings: Settings, setup: Setup, shard: Shard
) -> None:
    from tqdm import tqdm

    measures: dict[str, Measure] = {}
    bar = tqdm(total=len(gallery.names), desc="measure", unit="picture", disable=None)
    for number, block in files.blocks_of(len(gallery.names)):
        path = workspace.state(f"values-{number:05d}.json")
        if shard.owns(number) and not path.exists():
            measures = measures or {n: METRICS[n].begin(setup) for n in settings.per_picture}
            files.write_json(path, _measure_block(gallery, measures, block))
        bar.update(len(block))
    bar.close()


def _measure_block(
    gallery: Gallery, measures: dict[str, Measure], block: range
) -> list[PictureValues]:
    values: list[PictureValues] = [{} for _ in block]
    for row in gallery.rows:
        pairs = [_pair(gallery, row, index) for index in block]
        for name, measure_pairs in measures.items():
            for position, value in enumerate(measure_pairs(pairs)):
                values[position].setdefault(row.key, {})[name] = value
    return values


def _pair(gallery: Gallery, row: Row, index: int) -> Pair:
    name = gallery.names[index]
    target = files.read_pixels(gallery.target[name])
    answer = files.read_pixels(row.pictures[name])
    if row.is_input:
        answer = enlarged(answer, *target.shape[:2])
    return Pair(
        answer,
        target,
        given=files.read_pixels(gallery.given[name]) if gallery.given else None,
        mask=files.read_mask(gallery.masks[name]) if gallery.masks else None,
        label=gallery.records[index].get("label"),
        draws=[files.read_pixels(p[name]) for p in gallery.draws] if row.key == "sample" else (),
    )


def _extract_features(
    workspace: Workspace, gallery: Gallery, settings: Settings, weights: Weights, shard: Shard
) -> None:
    from tqdm import tqdm

    from palette.eval.metrics.inception import Inception

    network: Inception | None = None
    total = len(gallery.names) * len(gallery.rows)
    bar = tqdm(total=total, desc="features", unit="picture", disable=None)
    for number, block in files.blocks_of(len(gallery.names)):
        for row in gallery.rows:
            path = _features_path(workspace, row.key, number)
            if shard.owns(number) and not path.exists():
                network = network or Inception(weights, settings.device)
                pictures = [files.read_pixels(row.pictures[gallery.names[i]]) for i in block]
                features = network.features(pictures)
                logits = network.logits(features).astype(np.float32)
                buffer = io.BytesIO()
                np.savez(buffer, features=features, logits=logits)
                write_bytes(path, buffer.getvalue())
            bar.update(len(block))
    bar.close()


def _features_path(workspace: Workspace, row: str, block: int) -> Path:
    return workspace.state(f"features-{row}-{block:05d}.npz")
