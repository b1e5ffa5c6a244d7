"""A suite: many protocols of one model, of which those are run that the data folder allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Literal

import tyro

from palette.errors import UserError, nearest
from palette.eval.literature_protocols import LITERATURE
from palette.eval.pictures import Model
from palette.eval.protocol import Protocol
from palette.eval.request import Answers, Names, Request, WeightsFiles

SuiteName = Literal["restoration"]
SUITES: dict[str, tuple[Protocol, ...]] = {"restoration": LITERATURE}

OTHER_NAMES = {
    "b100": ("bsd100", "bsds100"),
    "div2k": ("div2kvalid", "div2kvalidhr"),
    "kodak24": ("kodak",),
    "mcmaster": ("mcm",),
    "cbsd68": ("bsd68", "cbsd68hq"),
}
"""Of the folders that test sets are handed around in, in small letters without marks."""

JUDGED_BY = {"alexnet": "lpips", "squeezenet": "lpips-squeeze"}
"""Metrics that are measured where the weights for them are named."""


@dataclass(frozen=True)
class Choices:
    """What of a suite is run, and how a model is judged."""

    protocols: Names | None = None
    """Some of them only, names with commas: set5-x4,live1-grey-q10. None: all that the data and the
    model's tasks allow."""
    metrics: Names | None = None
    """None: those of each protocol (psnr, ssim, for JPEG psnr-b), and lpips or lpips-squeeze where
    --weights-alexnet or --weights-squeezenet names their file."""
    answers: Answers = ("mean",)
    """The rows of the model: its mean answer (one evaluation of the network), the average of its
    samples, one sample; both: mean and sample."""
    samples: int = 8
    """Samples of the row average."""
    limit: int | None = None
    """Only this many pictures of each set, the first ones. None: all."""
    seed: int = 0
    """Of the noise in degradations and samples."""
    weights: Annotated[WeightsFiles, tyro.conf.OmitArgPrefixes] = field(
        default_factory=WeightsFiles
    )
    title: str | None = None
    """Of the report."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""

    def request(self, protocol: Protocol, title: str) -> Request:
        """Of the evaluation by one protocol. A folder of its name is taken to be its data set."""
        metrics = self.metrics
        if metrics is None:
            named = [m for kind, m in JUDGED_BY.items() if getattr(self.weights, kind) is not None]
            metrics = (*protocol.metrics, *named)
        return Request(
            metrics=metrics,
            weights=self.weights,
            protocol=protocol.name,
            dataset=protocol.dataset,
            title=title,
            device=self.device,
            limit=self.limit,
            answers=self.answers,
            samples=self.samples if "average" in self.answers else 1,
            seed=self.seed,
        )


@dataclass(frozen=True)
class Planned:
    """One protocol, the folder with its pictures, and the task of the model that it is for."""

    protocol: Protocol
    folder: Path
    task: str


def planned(
    suite: str, data: Path, models: Mapping[str, Model], only: Iterable[str] | None = None
) -> list[Planned]:
    """The protocols that ``data`` has a folder for, and ``models`` (by task) a task.

    UserError names what there would have to be, where that is none or one of ``only`` is not.
    """
    if not data.is_dir():
        raise UserError(f"there is no folder {data}: give one that holds Set5/, LIVE1/ …")
    protocols = {protocol.name: protocol for protocol in SUITES[suite]}
    folders = {_plain(path.name): path for path in sorted(data.iterdir()) if path.is_dir()}
    chosen = list(protocols) if only is None else list(only)
    found: list[Planned] = []
    for name in chosen:
        if name not in protocols:
            raise UserError(f"unknown protocol {name!r} of {suite}: {nearest(name, protocols)}")
        protocol = protocols[name]
        folder = _folder_of(protocol, folders)
        task = next((t for t, model in models.items() if not protocol.misfit(model.task)), None)
        if folder is not None and task is not None:
            found.append(Planned(protocol, folder, task))
        elif only is not None and folder is None:
            raise UserError(f"protocol {name} needs a folder {protocol.dataset} in {data}")
        elif only is not None:
            raise UserError(f"protocol {name} fits none of the tasks {', '.join(models)}")
    if not found:
        sets = sorted({str(protocol.dataset) for protocol in protocols.values()})
        raise UserError(
            f"no protocol of {suite} fits {', '.join(models)} and the folders in {data}: name them "
            f"after the sets, which are {', '.join(sets)}"
        )
    return found


def _folder_of(protocol: Protocol, folders: Mapping[str, Path]) -> Path | None:
    names = (str(protocol.dataset), *OTHER_NAMES.get(str(protocol.dataset), ()))
    return next((folders[name] for name in names if name in folders), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
