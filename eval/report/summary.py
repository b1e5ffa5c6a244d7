"""From the values of every picture to what ``report.json`` holds: table, strata, warnings."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from palette.eval import workspace as files
from palette.eval.cas_rows import cells_of
from palette.eval.measure import Gallery, PictureValues, features_of, values_of
from palette.eval.metrics.cas import CAS
from palette.eval.metrics.cas import EXPECT as CAS_EXPECT
from palette.eval.metrics.frechet import Gaussian, gaussian_of
from palette.eval.metrics.registry import METRICS, Value
from palette.eval.metrics.set_metrics import POPULATIONS, Population
from palette.eval.report.groups import strata_of
from palette.eval.report.intervals import BOOTSTRAP, HALF_SAMPLING, WILSON, bootstrap, mean
from palette.eval.settings import Settings
from palette.eval.workspace import Workspace, stopwatch

SCHEMA = 1
"""Version of the layout of ``report.json``."""


def summarise(workspace: Workspace, gallery: Gallery, settings: Settings) -> dict[str, Any]:
    """Everything that ``report.json`` holds. The same pictures give the same bytes."""
    values = values_of(workspace, gallery)
    table = {
        row.key: {n: _summary([v[row.key][n] for v in values]) for n in settings.per_picture}
        for row in gallery.rows
    }
    if settings.populations:
        with stopwatch(workspace, "distances"):
            for row, cells in _populations(workspace, gallery, settings).items():
                table[row] |= cells
    for name in settings.trained:
        for row, cell in cells_of(workspace, gallery.rows, name).items():
            table[row][name] = cell
    manifest = files.read_json(workspace.root / "manifest.json")
    records = list(gallery.records)
    return {
        "schema": SCHEMA,
        "title": manifest["title"],
        "manifest": manifest,
        "manifest_digest": files.digest(manifest),
        "records_digest": files.digest(records),
        "intervals": {"pictures": BOOTSTRAP, "populations": HALF_SAMPLING, "trained": WILSON},
        "metrics": {name: _words(name) for name in settings.metrics},
        "rows": [{"key": row.key, "title": row.title} for row in gallery.rows],
        "table": {
            row.key: {name: table[row.key][name] for name in settings.metrics}
            for row in gallery.rows
        },
        "warnings": sorted(
            {
                cell["warning"]
                for cells in table.values()
                for cell in cells.values()
                if "warning" in cell
            }
        ),
        "strata": _strata(gallery, settings, values),
        "pictures": [
            {"name": name, "record": record, **_split(value)}
            for name, value, record in zip(gallery.names, values, records, strict=True)
        ],
    }


def _words(name: str) -> dict[str, Any]:
    if name in CAS:
        return {
            "title": CAS[name],
            "unit": "%",
            "better": "higher",
            "digits": 1,
            "expect": CAS_EXPECT,
            "per_picture": False,
        }
    metric = METRICS.get(name) or POPULATIONS[name]
    return {
        "title": metric.title,
        "unit": metric.unit,
        "better": metric.better,
        "digits": metric.digits,
        "expect": metric.expect,
        "per_picture": name in METRICS,
    }


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


def _populations(
    workspace: Workspace, gallery: Gallery, settings: Settings
) -> dict[str, dict[str, Any]]:
    """FID and its kin of every row, against given statistics or against the originals."""
    given = workspace.state("reference.npz")
    count = len(gallery.names)
    originals, _ = features_of(workspace, "original", count)
    if given.exists():
        reference, reference_features = Gaussian.load(given), None
    elif count > 1:
        reference, reference_features = gaussian_of(originals), originals
        reference.save(workspace.root / "reference.npz")
    else:
        missing = {"value": None, "count": count, "reason": "one picture is no population"}
        return {row.key: dict.fromkeys(settings.populations, missing) for row in gallery.rows}
    cells: dict[str, dict[str, Any]] = {}
    for row in gallery.rows:
        features, logits = features_of(workspace, row.key, count)
        itself = row.key == "original" and not given.exists()
        population = Population(features, logits, reference, reference_features, itself)
        cells[row.key] = {n: POPULATIONS[n].compute(population) for n in settings.populations}
    return cells


def _strata(
    gallery: Gallery, settings: Settings, values: Sequence[PictureValues]
) -> list[dict[str, Any]]:
    """Means by stratum: the quality, the missing area, the class, …"""
    return [
        {
            "by": stratum.by,
            "groups": [
                {
                    "name": name,
                    "count": len(members),
                    "table": {
                        row.key: {
                            metric: _summary([values[i][row.key][metric] for i in members])
                            for metric in settings.per_picture
                        }
                        for row in gallery.rows
                    },
                }
                for name, members in stratum.groups.items()
            ],
        }
        for stratum in strata_of(gallery.records)
    ]


def _split(values: Mapping[str, Mapping[str, Value]]) -> dict[str, Any]:
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
