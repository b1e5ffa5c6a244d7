"""Fool-rate sheets: exported, answered, read; answers to something else are refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.errors import IntegrityError
from palette.eval.compare import compare
from palette.eval.metrics.intervals import wilson
from palette.eval.report.fool_rate import read_answers
from palette.eval.request import FoolStudy


@pytest.fixture
def study(tmp_path: Path) -> Path:
    generator = np.random.default_rng(0)
    for folder in ("restored", "reference"):
        (tmp_path / folder).mkdir()
        for index in range(12):
            noise = generator.integers(0, 255, (16, 16, 3), dtype=np.uint8)
            Image.fromarray(noise).save(tmp_path / folder / f"{index}.png")
    fool = FoolStudy(pairs=10)
    compare(tmp_path / "restored", tmp_path / "reference", tmp_path / "out", fool=fool)
    return tmp_path


def answer(folder: Path, subject: str, fooled: list[bool], **changes: str) -> Path:
    key = json.loads((folder / "out" / "fool-key.json").read_text())
    lines = ["sheet,subject,trial,choice"]
    for trial, (row, hit) in enumerate(zip(key["trials"], fooled, strict=False)):
        other = "left" if row["restored"] == "right" else "right"
        values = {
            "sheet": key["sheet"],
            "subject": subject,
            "trial": str(trial),
            "choice": row["restored"] if hit else other,
        } | changes
        lines.append(",".join(values.values()))
    path = folder / f"{subject}.csv"
    path.write_text("\n".join(lines) + "\n")
    return path


def test_the_rate_and_its_interval(study: Path) -> None:
    files = (answer(study, "ada", [True] * 4 + [False] * 6), answer(study, "bob", [True] * 5))
    report = compare(
        study / "restored", study / "reference", study / "out", fool=FoolStudy(answers=files)
    )
    fool = report.data["fool_rate"]
    assert fool["rate"] == pytest.approx(9 / 15)
    assert (fool["low"], fool["high"]) == pytest.approx(wilson(9, 15))
    assert fool["by_subject"] == {"ada": 0.4, "bob": 1.0}
    assert "60.0" in report.html.read_text()
    assert "fool rate 60.0%" in report.as_text()


def test_the_sheet_does_not_tell_and_sides_are_mixed(study: Path) -> None:
    page = (study / "out" / "fool-sheet.html").read_text()
    assert page.count("data:image") == 20
    assert "restored" not in page
    assert "http" not in page
    key = json.loads((study / "out" / "fool-key.json").read_text())
    assert len({trial["name"] for trial in key["trials"]}) == 10
    assert {trial["restored"] for trial in key["trials"]} == {"left", "right"}


def test_wrong_answers_are_refused(study: Path) -> None:
    key = study / "out" / "fool-key.json"
    with pytest.raises(IntegrityError, match="answers sheet other"):
        read_answers(key, [answer(study, "eve", [True], sheet="other")])
    with pytest.raises(IntegrityError, match="no answer to trial 99"):
        read_answers(key, [answer(study, "eve", [True], trial="99")])
    with pytest.raises(IntegrityError, match="no answer to trial one"):
        read_answers(key, [answer(study, "eve", [True], trial="one")])
    ada = answer(study, "ada", [True])
    with pytest.raises(IntegrityError, match="twice"):
        read_answers(key, [ada, ada])
    (study / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(ValueError, match="columns"):
        read_answers(key, [study / "other.csv"])
    fool = FoolStudy(pairs=13)
    with pytest.raises(ValueError, match="13 pairs of 12"):
        compare(study / "restored", study / "reference", study / "out", fool=fool)
