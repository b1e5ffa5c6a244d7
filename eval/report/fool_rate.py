"""Fool rate: how often people take the restored picture for the one from a camera.

Two-alternative forced choice as in Palette's colorization study: both pictures side by side for a
few seconds, then "which one is from a camera?". 50 % is as good as the originals. The sheet is one
HTML page; which side is which stays in a key file apart from it.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from palette.errors import IntegrityError, UserError
from palette.eval import workspace as files
from palette.eval.gallery import Gallery, Row
from palette.eval.metrics.intervals import wilson
from palette.eval.metrics.pixels import read_pixels
from palette.eval.report.embedded import data_uri
from palette.files import digest, write_bytes
from palette.seeding import rng

SIDES = ("left", "right")


@dataclass(frozen=True)
class FoolRate:
    """``rate`` of all trials with its 95 % Wilson interval, and the rate of every subject."""

    rate: float
    low: float
    high: float
    trials: int
    by_subject: dict[str, float]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)

    def as_text(self) -> str:
        """A line for a terminal."""
        return (
            f"fool rate {self.rate:.1%} ({self.low:.1%} to {self.high:.1%}), "
            f"{self.trials} trials of {len(self.by_subject)} subjects; 50 % is perfect"
        )


def export_sheet(
    gallery: Gallery, row: Row, out: Path, pairs: int, seconds: float, seed: int = 0
) -> Path:
    """Write ``fool-sheet.html`` with ``pairs`` pictures of ``row``, and ``fool-key.json``.

    Pictures, their order and sides depend on ``seed``. UserError for more pairs than pictures.
    """
    from jinja2 import Environment

    if not 1 <= pairs <= len(gallery.names):
        raise UserError(
            f"{pairs} pairs of {len(gallery.names)} pictures: choose 1 to {len(gallery.names)}"
        )
    generator = rng(seed, "fool-rate")
    chosen: list[int] = generator.permutation(len(gallery.names))[:pairs].tolist()
    trials, key = [], []
    for index in chosen:
        name = gallery.names[index]
        restored = data_uri(read_pixels(row.pictures[name]), lossless=True)
        original = data_uri(read_pixels(gallery.target[name]), lossless=True)
        restored_at = SIDES[int(generator.integers(2))]
        shown = (restored, original) if restored_at == "left" else (original, restored)
        trials.append({"left": shown[0], "right": shown[1]})
        key.append({"name": name, "restored": restored_at})
    identity = digest(key)[:12]
    source = (
        resources.files("palette.eval.report")
        .joinpath("fool_sheet.html.j2")
        .read_text(encoding="utf-8")
    )
    template = Environment(autoescape=True).from_string(source)
    page = template.render(trials=trials, seconds=seconds, sheet=identity)
    write_bytes(out / "fool-sheet.html", page.encode())
    files.write_json(out / "fool-key.json", {"sheet": identity, "seconds": seconds, "trials": key})
    return out / "fool-sheet.html"


def read_answers(key_path: Path, answers: Sequence[Path]) -> FoolRate:
    """The rate of the subjects' CSV files (columns sheet, subject, trial, choice).

    IntegrityError for answers to another sheet, unknown trials and doubled answers.
    """
    if not key_path.is_file():
        raise UserError(f"there is no key {key_path}: export the sheet first (--fool-pairs)")
    key = files.read_json(key_path)
    fooled: dict[tuple[str, int], bool] = {}
    for path in answers:
        for line in _lines(path):
            if line["sheet"] != key["sheet"]:
                raise IntegrityError(f"{path} answers sheet {line['sheet']}, not {key['sheet']}")
            subject, number = line["subject"], line["trial"]
            trial = int(number) if number.isdecimal() else -1
            if line["choice"] not in SIDES or not 0 <= trial < len(key["trials"]):
                raise IntegrityError(f"{path}: no answer to trial {number}: {line['choice']!r}")
            if (subject, trial) in fooled:
                raise IntegrityError(f"{path}: subject {subject!r} answers trial {trial} twice")
            fooled[subject, trial] = line["choice"] == key["trials"][trial]["restored"]
    if not fooled:
        raise UserError("no answers: name the CSV files that the sheet saved")
    low, high = wilson(sum(fooled.values()), len(fooled))
    subjects = sorted({subject for subject, _ in fooled})
    by_subject = {
        one: [hit for (subject, _), hit in fooled.items() if subject == one] for one in subjects
    }
    return FoolRate(
        rate=sum(fooled.values()) / len(fooled),
        low=low,
        high=high,
        trials=len(fooled),
        by_subject={one: sum(hits) / len(hits) for one, hits in by_subject.items()},
    )


def _lines(path: Path) -> list[dict[str, str]]:
    wanted = ["sheet", "subject", "trial", "choice"]
    with open(path, newline="", encoding="utf-8") as file:
        reader = csv.DictReader(file)
        if list(reader.fieldnames or []) != wanted:
            raise UserError(f"{path}: the columns must be {', '.join(wanted)}")
        return [{name: line[name] or "" for name in wanted} for line in reader]
