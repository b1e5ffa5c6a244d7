"""The Classification Accuracy Score of every row, beside that of the originals."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from palette.data.opening import open_source
from palette.data.sources import Source
from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.gallery import Gallery, Row
from palette.eval.metrics.cas import PROFILES, Examples, Profile, train_and_test
from palette.eval.metrics.cell import Cell
from palette.eval.metrics.intervals import wilson
from palette.eval.metrics.pixels import to_uint8
from palette.eval.metrics.registry import METRICS, Trained
from palette.eval.pictures import Plan, prepared
from palette.eval.request import Request
from palette.eval.settings import Settings
from palette.eval.workspace import Workspace, stopwatch
from palette.progress import Progress
from palette.shard import Shard

REAL = "original"
"""The row whose classifier sets the ceiling."""


@dataclass(frozen=True)
class CasTest:
    """The real pictures that the classifiers are tested on, and how these are trained.

    ``train`` and ``test`` are the classes of the pictures as numbers below ``classes``.
    """

    source: Source
    profile: Profile
    train: list[int]
    test: list[int]
    classes: int

    def as_json(self) -> dict[str, object]:
        return {"profile": self.profile.as_json(), "test": self.source.fingerprint()}


def cas_test(
    settings: Settings, request: Request, shard: Shard, labels: Sequence[str | None]
) -> CasTest | None:
    """What the request says of CAS, checked; None without one of its metrics.

    ``labels`` are the classes of the pictures that are evaluated.
    """
    if not settings.computed(Trained):
        return None
    source = None if request.cas_test is None else open_source(request.cas_test)
    if source is None or source.labels is None:
        raise UserError("CAS needs real test pictures in class folders: give --cas-test FOLDER")
    if shard.of > 1:
        raise UserError("CAS trains on all pictures at once: leave it out of shards")
    if request.cas_profile not in PROFILES:
        choices = ", ".join(PROFILES)
        raise UserError(f"unknown CAS profile {request.cas_profile!r}: choose from {choices}")
    numbers = _class_indices(labels, source.labels, request.limit)
    return CasTest(source, PROFILES[request.cas_profile], *numbers)


def train_rows(
    workspace: Workspace,
    gallery: Gallery,
    test: CasTest,
    paths: list[Path],
    seed: int,
    device: str,
) -> None:
    """One classifier a row, tested on the real pictures ``paths``; a result is kept when done.

    The raw input is not trained on: the baseline is that input at the size of the answers.
    """
    labels = [
        label
        for name, label in zip(gallery.planned, test.train, strict=True)
        if name not in gallery.failed
    ]
    rows = [row for row in gallery.rows if not row.is_input]
    left = [row for row in rows if not _result(workspace, row).exists()]
    epochs = test.profile.epochs
    total, done = epochs * len(rows), epochs * (len(rows) - len(left))
    with Progress(total, "CAS", "epochs", done) as bar:
        for row in left:
            bar.note(row.title)
            checkpoint = workspace.state(f"cas-{row.key}.pt")
            with stopwatch(workspace, f"CAS of {row.title}"):
                hits = train_and_test(
                    Examples([row.pictures[name] for name in gallery.names], labels),
                    Examples(paths, test.test),
                    test.classes,
                    test.profile,
                    checkpoint,
                    device,
                    seed,
                    lambda epoch, loss: bar.update(1),
                )
            known = {
                name: int(metric.how.known(hits).sum())
                for name, metric in METRICS.items()
                if isinstance(metric.how, Trained)
            }
            result = {"hits": known, "count": len(hits.top1)}
            files.write_json(_result(workspace, row), result)
            checkpoint.unlink()


def save_test(workspace: Workspace, test: Source, plan: Plan, multiple: int) -> list[Path]:
    """The real test pictures, prepared as the training pictures are, in the workspace.

    PictureError for a broken one: test sets are the same for all who use them.
    """
    names = files.names_of(test.ids)
    for index, name in enumerate(names):
        if not workspace.picture("cas-test", name).exists():
            clean = prepared(test.read(index), plan, multiple, name)
            workspace.write_pixels("cas-test", name, to_uint8(clean))
    return [workspace.picture("cas-test", name) for name in names]


def _class_indices(
    labels: Sequence[str | None], test_labels: Sequence[str], limit: int | None
) -> tuple[list[int], list[int], int]:
    """The classes of the training and of the test pictures as numbers, and how many there are."""
    known = [label for label in labels if label is not None]
    classes = sorted(set(known))
    some = "" if limit is None else f"; --limit {limit} takes the first pictures only"
    if len(known) < len(labels) or len(classes) < 2:
        raise UserError(f"CAS needs --data with pictures in two class folders or more{some}")
    if unknown := sorted(set(test_labels) - set(classes)):
        cure = some or ": both folders must hold the same class folders"
        raise UserError(f"no training pictures for test class {unknown[0]!r}{cure}")
    index = {name: place for place, name in enumerate(classes)}
    return [index[v] for v in known], [index[v] for v in test_labels], len(classes)


def cells_of(workspace: Workspace, rows: Sequence[Row], metric: str) -> dict[str, Cell]:
    """The cells of one CAS metric by row, with the share of what the originals reach."""
    found = {row.key: files.read_json(_result(workspace, row)) for row in rows if not row.is_input}
    cells = {row.key: Cell(None, 0, reason="see the baseline") for row in rows}
    for key, result in found.items():
        hits, count = result["hits"][metric], result["count"]
        low, high = wilson(hits, count)
        real = found[REAL]["hits"][metric]
        note = f"{hits / real:.1%} of the real twin" if key != REAL and real else None
        cells[key] = Cell(100 * hits / count, count, 100 * low, 100 * high, note=note)
    return cells


def _result(workspace: Workspace, row: Row) -> Path:
    return workspace.state(f"cas-{row.key}.json")
