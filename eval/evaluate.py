"""A model on clean pictures: degrade, restore, save every picture, measure, report.

The pictures are kept as PNG beside the report, so the figures can be checked with any other tool.
Work goes in blocks; a finished block is never done twice, so a killed evaluation that is started
again with the same arguments ends in the same ``report.json``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from palette.errors import UserError
from palette.eval import protocols
from palette.eval import workspace as files
from palette.eval.cas_rows import Trial, train_twins
from palette.eval.measure import Shard, measure
from palette.eval.metrics.cas import PROFILES, Profile
from palette.eval.metrics.distortion import to_uint8
from palette.eval.pictures import (
    Answer,
    Model,
    PictureSource,
    Plan,
    gallery_of,
    prepared,
    restore,
)
from palette.eval.report import papers
from palette.eval.report.files import Report, write
from palette.eval.report.summary import summarise
from palette.eval.settings import Settings, choose, weights_for
from palette.eval.workspace import Workspace, stopwatch
from palette.types import Task


@dataclass(frozen=True)
class Request:
    """What is asked of an evaluation, before anything is checked.

    ``metrics`` are names of :mod:`palette.eval.metrics.registry` and ``populations``; None is the
    protocol's, or PSNR and SSIM. ``answers`` are the rows of the model: its ``"mean"`` (one
    evaluation) and a ``"sample"``; ``samples`` above 1 draws further samples of every picture.
    ``steps`` is the number of network evaluations of a sample, None is the model's own. ``luma``
    and ``border`` measure distortion as the super-resolution literature does. ``weights`` are
    paths of weights files by kind, ``reference`` an ``.npz`` with statistics for FID, ``dataset``
    what the pictures are declared to be, for the papers' rows. ``cas_test`` are the real pictures,
    with classes, for the metric ``cas``; the evaluated pictures are its training set.
    """

    metrics: Sequence[str] | None = None
    limit: int | None = None
    seed: int = 0
    protocol: str | None = None
    answers: Sequence[Answer] = ("mean",)
    steps: int | None = None
    samples: int = 1
    luma: bool = False
    border: int = 0
    weights: Mapping[str, str | Path | None] | None = None
    reference: str | Path | None = None
    dataset: str | None = None
    cas_test: PictureSource | None = None
    cas_profile: str = "quick"
    device: str = "auto"
    title: str | None = None


def evaluate(
    model: Model,
    source: PictureSource,
    out: str | Path,
    metrics: Sequence[str] | None = None,
    limit: int | None = None,
    seed: int = 0,
    *,
    protocol: str | None = None,
    answers: Sequence[Answer] = ("mean",),
    steps: int | None = None,
    samples: int = 1,
    weights: Mapping[str, str | Path | None] | None = None,
    title: str | None = None,
) -> Report:
    """Judge ``model`` on the first ``limit`` pictures of ``source``; the report lands in ``out``.

    The arguments are those of :class:`Request`, which has some more for :func:`run`.
    """
    request = Request(
        metrics,
        limit,
        seed,
        protocol,
        answers,
        steps,
        samples,
        weights=weights,
        title=title,
    )
    return run(model, source, Path(out), request)


def run(model: Model, source: PictureSource, out: Path, request: Request) -> Report:
    """Do everything that ``request`` asks, in the folder ``out``."""
    return finish(run_shard(model, source, out, request, Shard(0, 1)))


def run_shard(
    model: Model, source: PictureSource, out: Path, request: Request, shard: Shard
) -> Workspace:
    """Restore and measure the blocks of one shard, without a report.

    :func:`palette.eval.merge.merge` joins the folders of all shards into the report that one run
    would have made.
    """
    protocol = protocols.find_protocol(request.protocol) if request.protocol else None
    if protocol is not None:
        _check_task(model.task, protocol)
    metrics = request.metrics or (protocol.metrics if protocol else ("psnr", "ssim"))
    settings = choose(metrics, request.luma, request.border, request.device)
    weights = weights_for(settings, request.weights)
    plan = _plan(source, request, protocol)
    profile = _cas_profile(settings, request, shard)
    manifest = {
        "kind": "evaluate",
        "title": request.title or f"Evaluation{' by ' + protocol.name if protocol else ''}",
        "protocol": protocol and protocol.as_json() | {"digest": files.digest(protocol.as_json())},
        "dataset": request.dataset,
        "model": model.describe(),
        "weights": model.digest,
        "source": source.fingerprint(),
        "names": plan.names,
        "pictures": len(plan.names),
        "answers": list(plan.answers),
        "samples": plan.samples,
        "steps": plan.steps,
        "seed": plan.seed,
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in weights.items()},
        "cas": profile
        and request.cas_test
        and {"profile": profile.as_json(), "test": request.cas_test.fingerprint()},
        "versions": files.versions(),
    }
    workspace = files.claim(out, manifest, request.reference)
    with stopwatch(workspace, "restore"):
        restore(model, source, workspace, plan, shard)
    gallery = gallery_of(workspace, shard)
    measure(workspace, gallery, settings, weights, shard)
    if profile and request.cas_test:
        trial = _trial(workspace, request.cas_test, profile, plan, model.task.multiple)
        train_twins(workspace, gallery, trial, settings.device)
    return workspace


def finish(workspace: Workspace) -> Report:
    """The report of a workspace whose blocks are all done."""
    manifest = files.read_json(workspace.root / "manifest.json")
    gallery = gallery_of(workspace, Shard(0, 1))
    data = summarise(workspace, gallery, Settings.from_json(manifest["settings"]))
    if manifest["protocol"] is not None:
        protocol = protocols.find_protocol(manifest["protocol"]["name"])
        data["papers"] = papers.beside(
            protocol.paper, manifest, protocol.dataset, protocol.reference_count
        )
    return write(workspace, gallery, data)


def _check_task(task: Task, protocol: protocols.Protocol) -> None:
    """Refuse a protocol of another task or scale."""
    spaced = "".join(f"-{c.lower()}" if c.isupper() else c for c in type(task).__name__)
    name = spaced.removeprefix("-")
    if name != protocol.task:
        raise UserError(
            f"protocol {protocol.name} is for {protocol.task}, the model is for {name}: "
            "choose another protocol"
        )
    wanted, scale = getattr(protocol.operator, "scale", None), getattr(task, "scale", None)
    if wanted is not None and wanted != scale:
        raise UserError(
            f"protocol {protocol.name} enlarges {wanted} times, the model {scale} times: "
            "choose another protocol"
        )


def _plan(source: PictureSource, request: Request, protocol: protocols.Protocol | None) -> Plan:
    answers, limit, labels = tuple(request.answers), request.limit, source.labels
    if limit is not None and limit < 1:
        raise UserError(f"limit {limit}: choose 1 or more, or none for all pictures")
    if request.samples < 1:
        raise UserError(f"samples {request.samples}: choose 1 or more")
    if not answers or set(answers) - {"mean", "sample"} or len(set(answers)) < len(answers):
        raise UserError(f"answers {answers}: choose from mean, sample, each at most once")
    count = len(source) if limit is None else min(limit, len(source))
    if count == 0:
        raise UserError("the source holds no pictures: nothing to evaluate")
    return Plan(
        names=files.names_of(source.ids[:count]),
        labels=[None if labels is None else str(labels[i]) for i in range(count)],
        answers=answers,
        samples=request.samples if "sample" in answers else 1,
        steps=request.steps,
        seed=request.seed,
        operator=protocol.operator if protocol else None,
        side=protocol.side if protocol else None,
    )


def _cas_profile(settings: Settings, request: Request, shard: Shard) -> Profile | None:
    """How classifiers are trained, if any are; None without the metric."""
    if not settings.trained:
        return None
    if request.cas_test is None or request.cas_test.labels is None:
        raise UserError("CAS needs real test pictures in class folders: give --cas-test FOLDER")
    if shard.of > 1:
        raise UserError("CAS trains on all pictures at once: leave it out of shards")
    if request.cas_profile not in PROFILES:
        choices = ", ".join(PROFILES)
        raise UserError(f"unknown CAS profile {request.cas_profile!r}: choose from {choices}")
    return PROFILES[request.cas_profile]


def _trial(
    workspace: Workspace, test: PictureSource, profile: Profile, plan: Plan, multiple: int
) -> Trial:
    """The real test pictures, prepared as the training pictures are, in the workspace."""
    names = files.names_of(test.ids)
    for index, name in enumerate(names):
        if not workspace.picture("cas-test", name).exists():
            clean = prepared(test.read(index), plan.side, multiple, name)
            workspace.write_pixels("cas-test", name, to_uint8(clean))
    paths = workspace.pictures("cas-test", names)
    labels = [str(label) for label in test.labels or []]
    return Trial([paths[name] for name in names], labels, profile, plan.seed)
