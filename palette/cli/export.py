"""`palette export MODEL OUT`: a model as a folder of its own, ours or that of other programs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Export:
    """Write a model as a folder to keep, to give away or to use in other programs.

    Without --to: a model folder with the averaged weights, model.json without paths of this
    machine, and a card. `palette restore`, `evaluate`, `search` and `train --init` take it like a
    run.
    """

    model: tyro.conf.Positional[Path]
    """A run folder, a model folder, hf://OWNER/NAME or a model of the package."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """A new folder."""
    to: Literal["palette", "onnx", "torch", "diffusers", "spandrel", "hub"] = "palette"
    """onnx: mean.onnx, picture to picture of any size by one evaluation, e.g. for chaiNNer, and
    epsilon.onnx, the network. torch: the same by torch.export, .pt2. diffusers: a UNet2DModel and a
    scheduler. hub: a repository for the Hugging Face hub. spandrel: says why that cannot be."""
    task: str | None = None
    """For onnx and torch, of a model of several tasks: the one whose mean answer is written."""
    scale: int | None = None
    """Where it has that task at several scales."""
    precision: Literal["bf16", "fp32"] | None = None
    """Of the weights of a model folder: bf16, the default, takes half the space. The network
    computes as before."""
    card: Path | None = None
    """A Markdown file with the text of the card, in place of a generated one or, for hub, of the
    one that the model has: what it is for, its data, its limits."""
    license: str | None = None
    """Of the weights, as the hub writes it, e.g. apache-2.0; for hub, and for onnx with --repo."""
    repo: str | None = None
    """OWNER/NAME on the hub, where it will be published. With onnx an entry for OpenModelDB is
    written too."""
    mean: tuple[str, ...] | None = None
    """For a model folder: the tasks that it answers with the mean where nobody says otherwise."""
    report: Path | None = None
    """The folder of a `palette evaluate` of this model, whose figures the card shows."""


def run(args: Export) -> int:
    from palette.exporting.export import export

    chosen = {key: value for key, value in vars(args).items() if key not in ("model", "out")}
    print(export(args.model, args.out, **chosen, say=print))
    return OK
