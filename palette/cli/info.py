"""`palette info PATH`: what a run or a model is."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

import tyro

from palette.errors import OK


@dataclass(frozen=True)
class Info:
    """Say what a run or a model is, as JSON, and that its weights are undamaged."""

    path: tyro.conf.Positional[Path]


def run(args: Info) -> int:
    from palette.api import read_model

    model, members = read_model(args.path)
    info = {key: value for key, value in model.info.items() if key != "targets"}
    info["parameters"] = sum(p.numel() for p in model.denoiser.parameters())
    info["tasks"] = [
        {"name": member.name, "weight": member.weight, "target": asdict(target)}
        for member, target in zip(members, model.targets, strict=True)
    ]
    print(json.dumps(info, indent=2))
    return OK
