"""`palette info PATH`: what a run, a model or a data set is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import tyro

from palette.errors import OK, SOME_FAILED, UserError

SHEET_ROWS, SHEET_COLUMNS = 4, 6


@dataclass(frozen=True)
class Info:
    """Say what a run, a model or a data set is, as JSON.

    Of a model: its tasks and parameters, and that its weights are undamaged. Of a folder of
    pictures, a picture or a packed file: sizes, kinds, JPEG quality, how many are grey, and which
    are repeated or broken; every picture is read.
    """

    path: tyro.conf.Positional[Path]
    """A run folder, a model folder, a folder of pictures, a picture, an .h5 file or, where no
    folder has that name, a model of the package."""
    contact_sheet: Path | None = None
    """Write a picture of some of the pictures, from all over the data set."""


def run(args: Info) -> int:
    if _is_model(args.path):
        print(json.dumps(_of_model(args.path), indent=2))
        return OK
    from palette.data.survey import survey

    sheet = args.contact_sheet
    if sheet is not None and sheet.exists():
        raise UserError(f"{sheet} exists and is not overwritten: choose another output")
    found = survey(args.path)
    if sheet is not None and found.seen:
        _write_sheet(args.path, [one.name for one in found.seen], sheet)
    print(json.dumps(found.as_json(), indent=2, ensure_ascii=False))
    return SOME_FAILED if found.broken else OK


def _is_model(path: Path) -> bool:
    from palette.hub import is_remote
    from palette.models import shipped

    files = ("model.json", "model/model.json", "run.json")
    named = not path.exists() and str(path) in shipped()
    return named or is_remote(path) or any((path / name).exists() for name in files)


def _of_model(path: Path) -> dict[str, Any]:
    from palette.api import read_model

    model, members = read_model(path)
    info = {key: value for key, value in model.info.items() if key != "targets"}
    info["parameters"] = sum(p.numel() for p in model.denoiser.parameters())
    info["tasks"] = [
        {"name": member.name, "weight": member.weight, "target": asdict(target)}
        for member, target in zip(members, model.targets, strict=True)
    ]
    return info


def _write_sheet(path: Path, names: list[str], sheet: Path) -> None:
    """Evenly spaced pictures of a data set, each with name and size below."""
    from palette.data.images import write
    from palette.data.opening import open_source
    from palette.degradations.contact_sheet import cell, contact_sheet

    source = open_source(path)
    count = min(len(names), SHEET_ROWS * SHEET_COLUMNS)
    cells = []
    for place in np.linspace(0, len(names) - 1, count).astype(int):
        picture = source.read(source.ids.index(names[place]))
        height, width = picture.shape[:2]
        cells.append(cell(picture, f"{names[place]} {width}x{height}"))
    rows = [cells[i : i + SHEET_COLUMNS] for i in range(0, count, SHEET_COLUMNS)]
    write(sheet, contact_sheet(rows))
