"""Measure rows of pictures against their targets, block by block; a finished block is kept."""

from __future__ import annotations

import io
from collections.abc import Mapping, Sequence
from zipfile import BadZipFile

import numpy as np
from numpy.typing import NDArray

from palette.eval import workspace as files
from palette.eval.gallery import Gallery, Row, enlarged
from palette.eval.metrics.cell import Value
from palette.eval.metrics.inception import FEATURES, Inception
from palette.eval.metrics.per_picture import Measure, Pair, Setup
from palette.eval.metrics.pixels import read_mask, read_pixels
from palette.eval.metrics.registry import PerPicture, PerSet
from palette.eval.metrics.weights import Weights
from palette.eval.settings import Settings
from palette.eval.workspace import VALUES, Workspace, stopwatch
from palette.files import write_bytes
from palette.shard import Shard

PictureValues = dict[str, dict[str, Value]]
"""Row → metric → value, of one picture."""


def measure(
    workspace: Workspace,
    gallery: Gallery,
    settings: Settings,
    weights: Mapping[str, Weights],
    shard: Shard,
) -> None:
    """Values of every picture and features of every row, kept in the workspace's state."""
    if settings.computed(PerPicture):
        setup = Setup(
            settings.luma, settings.border, weights, gallery.labels, device=settings.device
        )
        with stopwatch(workspace, "measure"):
            _measure_pictures(workspace, gallery, settings, setup, shard)
    if settings.computed(PerSet):
        with stopwatch(workspace, "features"):
            _extract_features(workspace, gallery, weights["inception"], settings.device, shard)


def values_of(workspace: Workspace, gallery: Gallery, settings: Settings) -> list[PictureValues]:
    """What :func:`measure` found, picture by picture; empty without metrics of single pictures."""
    if not settings.computed(PerPicture):
        return [{} for _ in gallery.names]
    values: list[PictureValues] = []
    for number, _ in files.blocks_of(len(gallery.planned)):
        values += files.read_json(workspace.state(VALUES.format(number)))
    return values


def features_of(workspace: Workspace, gallery: Gallery, row: str) -> tuple[NDArray, NDArray]:
    """Features ``(N, 2048)`` and logits ``(N, 1008)`` of a row, float32, in the order of names."""
    features, logits = [], []
    for number, _ in files.blocks_of(len(gallery.planned)):
        path = workspace.state(_features_file(row).format(number))
        try:
            with np.load(path) as arrays:
                features.append(arrays["features"])
                logits.append(arrays["logits"])
        except FileNotFoundError:
            raise files.missing(path) from None
        except (ValueError, BadZipFile):
            raise files.damaged(path) from None
    return np.concatenate(features), np.concatenate(logits)


def _measure_pictures(
    workspace: Workspace, gallery: Gallery, settings: Settings, setup: Setup, shard: Shard
) -> None:
    measures: dict[str, Measure] = {}
    count = len(gallery.planned)
    for path, block in files.unfinished(workspace, VALUES, count, shard, "measure"):
        names = gallery.block(block)
        if names and not measures:
            measures = {n: how.begin(setup) for n, how in settings.computed(PerPicture).items()}
        files.write_json(path, _measure_block(gallery, measures, names) if names else [])


def _measure_block(
    gallery: Gallery, measures: Mapping[str, Measure], names: Sequence[str]
) -> list[PictureValues]:
    values: list[PictureValues] = [{} for _ in names]
    for row in gallery.rows:
        pairs = [_pair(gallery, row, name) for name in names]
        for metric, measure_pairs in measures.items():
            for own, value in zip(values, measure_pairs(pairs), strict=True):
                own.setdefault(row.key, {})[metric] = value
    return values


def _pair(gallery: Gallery, row: Row, name: str) -> Pair:
    target = read_pixels(gallery.target[name])
    answer = read_pixels(row.pictures[name])
    if row.is_input:
        answer = enlarged(answer, *target.shape[:2])
    return Pair(
        answer,
        target,
        given=read_pixels(gallery.given[name]) if gallery.given else None,
        mask=read_mask(gallery.masks[name]) if gallery.masks else None,
        label=gallery.records[name].label,
        grey=bool(gallery.records[name].grey),
        draws=[read_pixels(p[name]) for p in gallery.draws] if row.key == "sample" else (),
    )


def _extract_features(
    workspace: Workspace, gallery: Gallery, weights: Weights, device: str, shard: Shard
) -> None:
    network: Inception | None = None
    count = len(gallery.planned)
    for row in gallery.rows:
        pattern, doing = _features_file(row.key), f"features of {row.title}"
        for path, block in files.unfinished(workspace, pattern, count, shard, doing):
            network = network or Inception(weights, device)
            pictures = [read_pixels(row.pictures[name]) for name in gallery.block(block)]
            features = np.zeros((0, FEATURES), np.float32)
            if pictures:
                features = network.features(pictures)
            logits = network.logits(features).astype(np.float32)
            buffer = io.BytesIO()
            np.savez(buffer, features=features, logits=logits)
            write_bytes(path, buffer.getvalue())


def _features_file(row: str) -> str:
    return f"features-{row}-{{:05d}}.npz"
