"""The figures of an evaluation, for a card: which task, on what, how good, by which metric."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palette.checkpoint import Model
from palette.errors import UserError
from palette.files import read_object, understood

LEFT_OUT = ("original",)
"""Rows that say nothing of the model."""


@dataclass(frozen=True)
class Figures:
    """Of one task."""

    task: str
    pictures: int
    data: str
    """A protocol of the literature, or that the pictures are the user's own."""
    metrics: Mapping[str, str]
    """Titles with units, by key."""
    rows: Mapping[str, Mapping[str, float | None]]
    """Values by the title of the row and the key of the metric."""
    digits: Mapping[str, int]


def read_figures(report: Path, model: Model) -> list[Figures]:
    """Those of a folder that ``palette evaluate`` wrote, of one task or of several.

    UserError where there is no report, and where it is one of another model.
    """
    path = report / "report.json"
    if not path.exists():
        raise UserError(f"{report} holds no report.json: give a folder that palette evaluate wrote")
    data = read_object(path)
    with understood(path):
        places = [report / one["report"] for one in data["tasks"]] if "tasks" in data else [path]
    return [_of_one(place, model) for place in places]


def _of_one(path: Path, model: Model) -> Figures:
    data = read_object(path)
    with understood(path):
        manifest = data["manifest"]
        same = manifest.get("weights") == model.info["sha256"]
    if not same:
        raise UserError(f"{path} is a report of another model: evaluate the one you export")
    with understood(path):
        return Figures(
            task=manifest["model"]["task"],
            pictures=len(data["pictures"]),
            data=_name(manifest["protocol"]),
            metrics={key: _titled(one) for key, one in data["metrics"].items()},
            rows={
                row["title"]: {key: cell.get("value") for key, cell in cells.items()}
                for row in data["rows"]
                if row["key"] not in LEFT_OUT
                for cells in [data["table"][row["key"]]]
            },
            digits={key: one["digits"] for key, one in data["metrics"].items()},
        )


def _titled(metric: Mapping[str, Any]) -> str:
    return f"{metric['title']}, {metric['unit']}" if metric["unit"] else metric["title"]


def _name(protocol: Any) -> str:
    if protocol is None:
        return "own pictures"
    return str(protocol["name"]) if isinstance(protocol, Mapping) else str(protocol)
