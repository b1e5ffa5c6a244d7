"""From layers of settings to the configuration of a run and the tasks that its network serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from palette.config import RunConfig, from_dict, merge, preset, read_toml, to_dict
from palette.errors import UserError, of_file
from palette.tasks.generalist import Generalist, make_trainable
from palette.types import Member, Task


def configure(
    task: str, *layers: Mapping[str, Any], architecture: str | None = None
) -> tuple[RunConfig, Task | Generalist]:
    """The configuration of a run as it was chosen, and the task or generalist.

    Defaults under ``layers``, the later over the earlier. ``architecture`` names a model preset; so
    may ``preset`` in a layer's [model].
    """
    for layer in layers:
        for name in ("model", "options"):
            if not isinstance(layer.get(name, {}), Mapping):
                raise UserError(f"{name} is {layer[name]!r}: give a table of settings")
    named = [layer.get("model", {}).get("preset") for layer in layers]
    chosen = preset(([name for name in (*named, architecture) if name] or ["tiny"])[-1])
    flag = {} if architecture is None else {"model": to_dict(chosen)}  # wins over files, whole
    values = merge({"model": to_dict(chosen)}, *layers, flag, {"task": task})
    values["model"].pop("preset", None)
    made = make_trainable(task, values.get("options", {}))
    return from_dict(RunConfig, merge(values, {"options": to_dict(made)})), made


def resolve(task: str, *layers: Mapping[str, Any]) -> tuple[RunConfig, Sequence[Member]]:
    """The whole configuration of a run, and the tasks that its network serves."""
    config, made = configure(task, *layers)
    members = made.members()
    return suited(config, members), members


def begun(run: Path, given: Mapping[str, Any]) -> tuple[RunConfig, Sequence[Member]]:
    """The configuration of a run that was begun, under what is ``given``, and its tasks."""
    values = read_toml(run / "config.toml")
    with of_file(run / "config.toml"):
        return resolve(str(values.get("task", "")), values, given)


def suited(config: RunConfig, members: Sequence[Member]) -> RunConfig:
    """The configuration with what of the network the tasks decide, where nobody else did."""
    model = config.model
    several = len(members) if len(members) > 1 else 0
    mask = any(shows_mask(member) for member in members) if model.mask is None else model.mask
    tasks = several if model.tasks is None else model.tasks
    if 0 < tasks < len(members):
        raise UserError(
            f"model.tasks is {tasks}, but the network serves {len(members)} tasks: "
            f"leave it out, or choose 0 to show it none"
        )
    if model.known == "clean" and not all(member.task.masked for member in members):
        raise UserError("model.known is clean, but a task has no holes: leave it at noised")
    if model.known == "clean" and any(shows_mask(member) for member in members):
        raise UserError(
            "model.known is clean, but what is diffused is the difference to a filled hole: "
            "choose --fill noise, or leave it at noised"
        )
    if model.known == "clean" and config.diffusion.drop_condition:
        raise UserError(
            "model.known is clean, but a dropped condition tells the network of no known pixels: "
            "leave diffusion.drop_condition at 0, or model.known at noised"
        )
    return replace(config, model=replace(model, mask=mask, tasks=tasks))


def shows_mask(member: Member) -> bool:
    """Whether the network must be shown the hole; one that is filled with noise can be seen."""
    return member.task.masked and member.task.target != "picture"
