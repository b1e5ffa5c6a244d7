"""Models by their folder or, those of the package, by name: `palette restore photos IN OUT`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from palette import hub
from palette.files import read_object, understood

DEFAULT = "photos"


def shipped() -> dict[str, Path]:
    """Their folders; each holds weights, model.json and a card (README.md)."""
    folders = sorted(Path(__file__).parent.glob("*/model.json"))
    return {file.parent.name: file.parent for file in folders}


def find(model: Path) -> Path | None:
    """The folder with model.json of a run or a model folder, of hf://OWNER/NAME, or of a model of
    the package by its name."""
    if hub.is_remote(model):
        model = hub.fetch(model.as_posix())
    for place in (model / "model", model):
        if (place / "model.json").exists():
            return place
    return shipped().get(str(model))  # a folder of that name may hold pictures


def also_pictures(model: Path) -> bool:
    """Whether a model of the package has this name, and something else that is there has it too."""
    own = shipped().get(str(model))
    return own is not None and model.exists() and find(model) == own


def sampling_of(model: Path) -> dict[str, Any]:
    """What model.json says of how it is sampled where nobody says otherwise, as that of an imported
    model does; empty where it says nothing, or there is no model."""
    found = find(model)
    if found is None:
        return {}
    with understood(found / "model.json"):
        return dict(read_object(found / "model.json").get("sampling", {}))
