"""`palette import FILE OUT`: the weights of another tool as a model folder."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Import:
    """Make a model folder of published weights: of Palette's public port (both networks), of SR3's
    public port or of guided-diffusion, recognised by the names of their tensors. Nothing in the
    file is run. `palette restore OUT IN RESULT` then samples as its authors do."""

    file: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="FILE")]
    """A checkpoint: .pth, .pt or .safetensors."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """A new folder."""
    task: str | None = None
    """What it was trained for, which Palette's checkpoints do not say."""
    scale: int | None = None
    """How many times it enlarges: SR3 8 and guided-diffusion 4, unless said otherwise."""
    ema: bool = True
    """Take the averaged weights (EMA) that lie beside FILE: 200_Network_ema.pth beside
    200_Network.pth, ema_0.9999_020000.pt beside model020000.pt."""
    label: int | None = None
    """Of a network that tells classes apart: the class that all pictures are taken for."""
    heads: int | None = None
    """Heads of its attention (num_heads), where the shape is not a published one."""
    head_width: int | None = None
    """Channels of each head (num_head_channels), instead."""
    groups: int | None = None
    """Of its normalizations (norm_groups of SR3), where the shape is not a published one."""
    size: int | None = None
    """Side of the pictures that it was trained on, where the shape is not a published one."""


def run(args: Import) -> int:
    from palette.importing.model import Wishes, import_model
    from palette.importing.published import Told

    told = Told(args.size, args.heads, args.head_width, args.groups)
    wishes = Wishes(told, args.task, args.scale, args.label, args.ema)
    made = import_model(args.file, args.out, wishes)
    sampling = made.sampling
    print(
        f"{made.file.name}: {made.title}, {made.parameters:,} parameters, for {made.task}; sampled "
        f"by {sampling['sampler']} in {sampling['steps']} evaluations",
        file=sys.stderr,
    )
    print(args.out)
    return OK
