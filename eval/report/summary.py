"""From the values of every picture to the report: the table, and the groups of pictures."""

from __future__ import annotations

from collections.abc import Sequence

from palette.eval import workspace as files
from palette.eval.cas_rows import cells_of
from palette.eval.gallery import Gallery
from palette.eval.measure import PictureValues, features_of, values_of
from palette.eval.metrics.cell import Cell, Value
from palette.eval.metrics.frechet import Gaussian, gaussian_of
from palette.eval.metrics.intervals import bootstrap, mean
from palette.eval.metrics.registry import METRICS, PerPicture, PerSet, Trained
from palette.eval.metrics.set_metrics import PictureSet
from palette.eval.report.groups import groups_of
from palette.eval.report.result import Group, PictureResult, Report, Table
from palette.eval.settings import Settings
from palette.eval.workspace import Workspace, stopwatch


def summarise(workspace: Workspace, gallery: Gallery, settings: Settings) -> Report:
    """The report of pictures that are all measured. The same pictures give the same bytes."""
    values = values_of(workspace, gallery, settings)
    table = _means(gallery, settings, values)
    if settings.computed(PerSet):
        with stopwatch(workspace, "distances"):
            for row, cells in _set_metrics(workspace, gallery, settings).items():
                table[row] |= cells
    for name in settings.computed(Trained):
        for row, cell in cells_of(workspace, gallery.rows, name).items():
            table[row][name] = cell
    records = [gallery.records[name] for name in gallery.names]
    return Report(
        out=workspace.root,
        manifest=files.read_json(workspace.root / "manifest.json"),
        metrics={name: METRICS[name] for name in settings.metrics},
        rows=gallery.rows,
        table={row: {n: cells[n] for n in settings.metrics} for row, cells in table.items()},
        groups={
            by: [
                Group(name, len(members), _means(gallery, settings, [values[i] for i in members]))
                for name, members in groups.items()
            ]
            for by, groups in groups_of(records).items()
        },
        pictures=[PictureResult(r, own) for r, own in zip(records, values, strict=True)],
        failed=gallery.failed,
    )


def _means(
    gallery: Gallery, settings: Settings, values: Sequence[PictureValues]
) -> dict[str, dict[str, Cell]]:
    """The cells of the metrics of single pictures, over these pictures."""
    return {
        row.key: {
            name: _mean([own[row.key][name] for own in values])
            for name in settings.computed(PerPicture)
        }
        for row in gallery.rows
    }


def _mean(values: Sequence[Value]) -> Cell:
    """The mean of the numbers, its interval, and the reasons for the pictures without one."""
    numbers = [value for value in values if not isinstance(value, str)]
    reasons = "; ".join(sorted({value for value in values if isinstance(value, str)}))
    if not numbers:
        return Cell(None, 0, reason=reasons)
    low, high = bootstrap(numbers) or (None, None)
    without = len(values) - len(numbers)
    left_out = f"{without} without a value: {reasons}" if without else None
    return Cell(mean(numbers), len(numbers), low, high, left_out=left_out)


def _set_metrics(workspace: Workspace, gallery: Gallery, settings: Settings) -> Table:
    """Set metrics of every row, against given statistics or against the originals."""
    given, count = workspace.state("reference.npz"), len(gallery.names)
    metrics = settings.computed(PerSet)
    originals, _ = features_of(workspace, gallery, "original")
    if given.exists():
        reference, reference_features = Gaussian.load(given), None
    elif count > 1:
        reference, reference_features = gaussian_of(originals), originals
        reference.save(workspace.root / "reference.npz")
    else:
        missing = Cell(None, count, reason="metrics of a set need 2 pictures or more")
        return {row.key: dict.fromkeys(metrics, missing) for row in gallery.rows}
    cells: dict[str, dict[str, Cell]] = {}
    for row in gallery.rows:
        features, logits = features_of(workspace, gallery, row.key)
        itself = row.key == "original" and not given.exists()
        pictures = PictureSet(features, logits, reference, reference_features, itself)
        cells[row.key] = {name: how.compute(pictures) for name, how in metrics.items()}
    return cells
