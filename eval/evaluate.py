"""A model on clean pictures: degrade, restore, save every picture, measure, report.

The pictures are kept as PNG beside the report, so the figures can be checked with any other tool.
Work goes in blocks; a finished block is never done twice, so a killed evaluation that is started
again with the same arguments ends in the same ``report.json``, byte for byte.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from palette.data.pairs import check_inputs
from palette.data.sources import Source
from palette.degradations.mask_files import MaskFiles
from palette.errors import UserError
from palette.eval import workspace as files
from palette.eval.cas_rows import CasTest, cas_test, save_test, train_rows
from palette.eval.conventions import check_source
from palette.eval.measure import measure
from palette.eval.metrics.weights import Weights
from palette.eval.pictures import Model, Plan, gallery_of, restore
from palette.eval.protocol import Protocol
from palette.eval.protocols import find_protocol
from palette.eval.report.files import write
from palette.eval.report.result import Report
from palette.eval.report.summary import summarise
from palette.eval.request import Request
from palette.eval.settings import USUAL_OF_HOLES, USUAL_OF_MODELS, Settings, weights_for
from palette.eval.workspace import Workspace, stopwatch
from palette.files import digest
from palette.shard import Shard
from palette.types import Task


def evaluate(
    model: Model, source: Source, out: str | Path, request: Request | None = None
) -> Report:
    """Judge ``model`` on the pictures of ``source``; the report lands in the folder ``out``.

    UserError for a bad request and for a folder of another evaluation.
    """
    return finish(evaluate_shard(model, source, out, request or Request(), Shard()))


def evaluate_shard(
    model: Model, source: Source, out: str | Path, request: Request, shard: Shard
) -> Workspace:
    """Restore and measure the blocks of one shard, without a report.

    :func:`palette.eval.merge.merge` joins the folders of all shards into the report that one run
    would have made.
    """
    return begin(model, source, out, request, shard).do(shard)


@dataclass(frozen=True)
class Evaluation:
    """One whose folder is claimed: its blocks can be done in any order, and by many at once."""

    model: Model
    source: Source
    workspace: Workspace
    plan: Plan
    settings: Settings
    weights: Mapping[str, Weights]
    cas: CasTest | None

    def do(self, shard: Shard) -> Workspace:
        """Restore and measure the blocks of ``shard``, as far as they are not done."""
        workspace, plan = replace(self.workspace, part=shard.suffix), self.plan
        cas_paths = []
        if self.cas is not None:
            multiple = self.model.task.multiple
            cas_paths = save_test(workspace, self.cas.source, plan, multiple)
        with stopwatch(workspace, "restore"):
            restore(self.model, self.source, workspace, plan, shard)
        gallery = gallery_of(workspace, shard)
        measure(workspace, gallery, self.settings, self.weights, shard)
        if self.cas is not None:
            device = self.settings.device
            train_rows(workspace, gallery, self.cas, cas_paths, plan.seed, device)
        return workspace


def begin(
    model: Model, source: Source, out: str | Path, request: Request, shard: Shard
) -> Evaluation:
    """Claim the folder ``out`` for an evaluation of which this is the ``shard``.

    UserError for a bad request and for a folder of another evaluation.
    """
    check_given(model.task, source, request)
    protocol = None if request.protocol is None else find_protocol(request.protocol)
    if protocol is not None and (reason := protocol.misfit(model.task)):
        raise UserError(f"protocol {protocol.name} {reason}: choose another protocol")
    if protocol is not None:
        check_source(source, protocol.conventions, protocol.name)
    usual = USUAL_OF_HOLES if model.task.masked else USUAL_OF_MODELS
    settings = protocol.settings(request) if protocol else Settings.of(request, usual)
    weights = weights_for(settings, request.weights)
    plan = _plan(source, request, protocol)
    cas = cas_test(settings, request, shard, plan.labels)
    masks = None if plan.masks is None else plan.masks[0].digest
    settled = None if protocol is None else protocol.as_json()
    if settled is not None and masks is not None:
        settled["operator"] = f"masks {masks}"
    manifest = {
        **_manifest_of_request(request, settled, settings, weights, cas),
        "classical": list(model.task.classical),
        "model": model.describe(),
        "weights": model.digest,
        "source": source.fingerprint(),
        "masks": masks,
        "names": plan.names,
        "pictures": len(plan.names),
        "samples": plan.samples,
    }
    workspace = files.claim(Path(out), manifest, request.reference)
    return Evaluation(model, source, workspace, plan, settings, weights, cas)


def check_given(task: Task, source: Source, request: Request) -> None:
    """UserError where what is named beside the pictures is not for the task."""
    check_inputs(source, task)
    if source.inputs is not None and request.protocol is not None:
        raise UserError(
            f"protocol {request.protocol} degrades the pictures itself: leave --data.input out"
        )
    if request.mask_files is not None and not task.masked:
        raise UserError(f"{task.name} fills no holes: leave --mask-files out, or choose --task")


def finish(workspace: Workspace) -> Report:
    """The report of a workspace whose blocks are all done."""
    manifest = files.read_json(workspace.root / "manifest.json")
    gallery = gallery_of(workspace, Shard())
    report = summarise(workspace, gallery, Settings.from_json(manifest["settings"]))
    if manifest["protocol"] is not None:
        protocol = find_protocol(manifest["protocol"]["name"])
        report = replace(report, papers=protocol.beside(report))
    return write(workspace, gallery, report)


def _manifest_of_request(
    request: Request,
    settled: dict[str, Any] | None,
    settings: Settings,
    weights: dict[str, Weights],
    cas: CasTest | None,
) -> dict[str, Any]:
    return {
        "kind": "evaluate",
        "title": request.title or f"Evaluation{' by ' + settled['name'] if settled else ''}",
        "protocol": settled and {**settled, "digest": digest(settled)},
        "dataset": request.dataset,
        "answers": list(request.answers),
        "steps": None,  # part of the layout; "model" has those of the sampling
        "seed": request.seed,
        "settings": settings.as_json(),
        "weights_of_metrics": {kind: file.describe() for kind, file in weights.items()},
        "cas": cas and cas.as_json(),
        "versions": files.versions(),
    }


def _plan(source: Source, request: Request, protocol: Protocol | None) -> Plan:
    limit, labels = request.limit, source.labels
    count = len(source) if limit is None else min(limit, len(source))
    if count == 0:
        raise UserError("the source holds no pictures: nothing to evaluate")
    names = files.names_of(source.ids[:count])
    masks = None if request.mask_files is None else MaskFiles(request.mask_files)
    return Plan(
        names=names,
        labels=[None if labels is None else str(labels[i]) for i in range(count)],
        answers=tuple(request.answers),
        samples=request.samples if set(request.answers) - {"mean"} else 1,
        seed=request.seed,
        operator=protocol.operator if protocol else None,
        side=protocol.side if protocol else None,
        resize=protocol.resize if protocol else "bicubic",
        masks=None if masks is None else (masks, masks.for_pictures(names)),
        conventions=protocol.conventions if protocol else None,
    )
