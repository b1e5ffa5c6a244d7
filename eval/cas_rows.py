"""The Classification Accuracy Score of every row, beside its real and its degraded twin."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.measure import Gallery, Row
from palette.eval.metrics.cas import Examples, Profile, train_and_test
from palette.eval.report.intervals import wilson
from palette.eval.workspace import Workspace, stopwatch

REAL = "original"


@dataclass(frozen=True)
class Trial:
    """The real pictures that the classifiers are tested on, and how these are trained."""

    paths: Sequence[Path]
    labels: Sequence[str]
    profile: Profile
    seed: int = 0


def train_twins(workspace: Workspace, gallery: Gallery, trial: Trial, device: str) -> None:
    """One classifier a row, each kept when done. The raw input is not trained on: the baseline
    is that input at the size of the answers."""
    from tqdm import tqdm

    classes = sorted(set(gallery.labels))
    unknown = sorted(set(trial.labels) - set(classes))
    if len(gallery.labels) < len(gallery.names) or len(classes) < 2:
        raise UserError("CAS needs training pictures in class folders, two classes or more")
    if unknown or not trial.labels:
        raise UserError(
            f"no training pictures for test class {(unknown or ['?'])[0]!r}: "
            "training and test folders must hold the same class folders"
        )
    index = {name: place for place, name in enumerate(classes)}
    labels = [index[label] for label in gallery.labels]
    test = Examples(trial.paths, [index[label] for label in trial.labels])
    rows = [row for row in gallery.rows if not row.is_input]
    epochs = trial.profile.epochs * len(rows)
    bar = tqdm(total=epochs, desc="CAS", unit="epoch", disable=None)
    for row in rows:
        path = workspace.state(f"cas-{row.key}.json")
        if path.exists():
            bar.update(trial.profile.epochs)
            continue
        bar.set_postfix_str(row.title)
        checkpoint = workspace.state(f"cas-{row.key}.pt")
        train = Examples([row.pictures[name] for name in gallery.names], labels)
        with stopwatch(workspace, f"CAS of {row.title}"):
            hits = train_and_test(
                train,
                test,
                len(classes),
                trial.profile,
                checkpoint,
                device,
                trial.seed,
                lambda epoch, loss: bar.update(1),
            )
        counts = {"cas": int(hits.top1.sum()), "cas-top5": int(hits.top5.sum())}
        files.write_json(path, {"hits": counts, "count": len(hits.top1)})
        checkpoint.unlink()
    bar.close()


def cells_of(workspace: Workspace, rows: Sequence[Row], metric: str) -> dict[str, dict[str, Any]]:
    """The cells of one CAS metric by row, with the ratio to the real twin."""
    found = {
        row.key: files.read_json(workspace.state(f"cas-{row.key}.json"))
        for row in rows
        if not row.is_input
    }
    missing = {"value": None, "count": 0, "reason": "see the baseline"}
    return {row.key: _cell(found, row.key, metric) if row.key in found else missing for row in rows}


def _cell(found: Mapping[str, Any], key: str, metric: str) -> dict[str, Any]:
    hits, count = found[key]["hits"][metric], found[key]["count"]
    low, high = wilson(hits, count)
    cell = {"value": 100 * hits / count, "count": count, "low": 100 * low, "high": 100 * high}
    real = found[REAL]["hits"][metric]
    if key != REAL and real:
        cell["note"] = f"{hits / real:.1%} of the real twin"
    return cell
