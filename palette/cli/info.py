"""`palette info PATH`: what a run or a model is."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Info:
    """Say what a run or a model is, and that its weights are undamaged."""

    path: tyro.conf.Positional[Path]


def run(args: Info) -> int:
    from palette.checkpoint import load_model

    model = load_model(args.path)
    parameters = sum(p.numel() for p in model.denoiser.parameters())
    print(json.dumps({**model.info, "parameters": parameters}, indent=2))
    return OK
