"""A model in another format: ``palette export MODEL OUT --to onnx|torch|diffusers|hub``."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import get_args

from palette.errors import UserError, nearest
from palette.exporting.choices import Choices, Precision, Say, To

NO_SPANDREL = (
    "spandrel loads the architectures of its own list, and none of them is the U-Net of a "
    "diffusion model: it would know no file of this one. For chaiNNer, export it --to onnx and use "
    "the ONNX nodes"
)


def export(
    model: str | Path,
    out: str | Path,
    to: To = "palette",
    *,
    task: str | None = None,
    scale: int | None = None,
    precision: Precision | None = None,
    card: str | Path | None = None,
    license: str | None = None,
    repo: str | None = None,
    report: str | Path | None = None,
    mean: Sequence[str] | None = None,
    say: Say = lambda line: None,
) -> Path:
    """Write a model to the new folder ``out`` in the format ``to``, and return the folder.

    "palette": a model folder of our own, its weights in ``precision`` ("bf16" by default), with the
    text of the Markdown file ``card``; ``mean`` are the tasks that it answers with the mean where
    nobody says otherwise. "onnx" and "torch" (torch.export): ``mean``, the answer of
    one evaluation for a ``task`` as picture → picture, and ``epsilon``, the network. "diffusers": a
    ``UNet2DModel`` and a scheduler. "hub": a repository for the Hugging Face hub, whose card says
    ``license``, ``repo`` ("OWNER/NAME") and the figures of ``report``, the folder of an evaluation
    of this model. "spandrel" is refused, with the reason.

    ``task`` and ``scale`` as in :func:`palette.load`. ``say`` gets a line for each file: how far
    its answer is from palette's own. Raises UserError for what a format does not hold, take or
    lack, and for an answer that differs by more than 1e-4; ``out`` is complete or absent.
    """
    if to not in get_args(To):
        raise UserError(f"to is {to!r}: {nearest(to, get_args(To))}")
    means = None if mean is None else tuple(mean)
    chosen = Choices(task, scale, precision, _path(card), license, repo, _path(report), means)
    chosen.refuse_unused(to)
    out = Path(out)
    if to == "spandrel":
        raise UserError(NO_SPANDREL)
    if out.exists():
        raise UserError(f"{out} exists and is not overwritten: choose another output")
    out.parent.mkdir(parents=True, exist_ok=True)
    if to == "onnx":
        from palette.exporting.to_onnx import write
    elif to == "torch":
        from palette.exporting.to_torch import write
    elif to == "diffusers":
        from palette.exporting.to_diffusers import write
    elif to == "hub":
        from palette.exporting.to_hub import write
    else:
        from palette.exporting.to_palette import write
    write(model, out, chosen, say)
    return out


def _path(path: str | Path | None) -> Path | None:
    return None if path is None else Path(path)
