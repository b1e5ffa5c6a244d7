"""Pictures of one colour: every figure is finite or absent, and never NaN in JSON."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from PIL import Image

import palette

MEASURED = [
    "psnr",
    "ssim",
    "psnr-b",
    "psnr-b-colour",
    "ms-ssim",
    "drift-red",
    "drift-green",
    "drift-blue",
]


def refuse(constant: str) -> None:
    raise AssertionError(f"{constant} in JSON")


def test_constant_pictures_have_finite_figures_or_none(tmp_path: Path) -> None:
    for folder, levels in {"restored": (0, 128, 255), "originals": (0, 120, 255)}.items():
        (tmp_path / folder).mkdir()
        for level in levels:
            name = tmp_path / folder / f"{levels.index(level)}.png"
            Image.fromarray(np.full((192, 192, 3), level, np.uint8)).save(name)
    metrics = (*MEASURED, "octave-1", "octave-2", "octave-3")
    where = (tmp_path / "restored", tmp_path / "originals", tmp_path / "out")
    palette.compare(*where, metrics=metrics)
    report = json.loads((tmp_path / "out" / "report.json").read_text(), parse_constant=refuse)
    values = [picture["values"]["restored"] for picture in report["pictures"]]
    assert len(values) == 3
    assert {key for one in values for key in one} >= set(MEASURED)
    assert values[0]["psnr"] is None  # equal pictures: no finite value
    assert values[1]["psnr"] is not None
