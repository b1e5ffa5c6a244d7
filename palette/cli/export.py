"""`palette export MODEL OUT`: a model as a folder of its own, to keep or to give away."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import tyro

from palette.errors import OK, UserError


@dataclass(frozen=True)
class Export:
    """Write a model folder: the averaged weights, model.json without paths of this machine, and a
    card. `palette restore`, `evaluate`, `search` and `train --init` take it like a run."""

    model: tyro.conf.Positional[Path]
    """A run folder or a model folder."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """A new folder."""
    precision: Literal["bf16", "fp32"] = "bf16"
    """Of the weights in the file: bf16 takes half the space. The network computes as before."""
    card: Path | None = None
    """A Markdown file in place of the generated card: licence, data, figures."""


def run(args: Export) -> int:
    import torch

    from palette.checkpoint import load_model, save_model
    from palette.config import DataConfig

    if args.out.exists():
        raise UserError(f"{args.out} exists and is not overwritten: choose another output")
    card = None
    if args.card is not None:
        try:
            card = args.card.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"the card {args.card} cannot be read: {error}") from None
    model = load_model(args.model)
    own = DataConfig()
    data = replace(
        model.config.data,
        path=own.path,
        val=own.val,
        input=own.input,
        val_input=own.val_input,
    )
    model = replace(model, config=replace(model.config, data=data))
    args.out.parent.mkdir(parents=True, exist_ok=True)
    save_model(args.out, model, torch.bfloat16 if args.precision == "bf16" else None, card)
    print(args.out)
    return OK
