"""The tasks by name, and one of those that a network serves."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Any

from palette.config import from_dict
from palette.errors import UserError, did_you_mean, nearest
from palette.tasks.colorization import Colorization
from palette.tasks.denoising import Denoising
from palette.tasks.inpainting import Inpainting
from palette.tasks.jpeg_restoration import JpegRestoration
from palette.tasks.paired import Paired
from palette.tasks.super_resolution import SuperResolution
from palette.tasks.uncropping import Uncropping
from palette.types import Member, Task

TASKS: dict[str, type[Any]] = {
    task.name: task
    for task in (
        SuperResolution,
        JpegRestoration,
        Colorization,
        Inpainting,
        Uncropping,
        Denoising,
        Paired,
    )
}


def available() -> dict[str, type[Any]]:
    """TASKS and what other packages add under the entry point ``palette.tasks``."""
    return {**_added(), **TASKS}


@cache
def _added() -> dict[str, type[Any]]:
    return {entry.name: entry.load() for entry in entry_points(group="palette.tasks")}


def make_task(name: str, options: Mapping[str, Any]) -> Task:
    """The task ``name`` with its options; UserError names the choices."""
    tasks = available()
    if name not in tasks:
        raise UserError(f"task is {name!r}: {nearest(name, tasks)}")
    return from_dict(tasks[name], options)


def find_member(members: Sequence[Member], task: str | None, scale: int | None = None) -> int:
    """The number of the member of that name, or of the only one of that task and ``scale``.

    A task means the members that are named after it (super-resolution-x4) before those with a name
    of their own (real-x4). Without a task it is the only member there is. UserError lists them.
    """
    fitting = {
        number: member.name
        for number, member in enumerate(members)
        if (task is None or task in (member.name, member.task.name))
        and (scale is None or scale == member.task.scale)
    }
    exact = [number for number, name in fitting.items() if name == task]
    after = [
        n for n, name in fitting.items() if task and name == f"{task}-x{members[n].task.scale}"
    ]
    for found in (exact, after, list(fitting)):
        if len(found) == 1:
            return found[0]
    if fitting:
        names = ", ".join(fitting.values())
        raise UserError(f"this model does several tasks: choose --task from {names}")
    names = [member.name for member in members]
    asked = " ".join(str(word) for word in (task, scale and f"×{scale}") if word)
    hint = "" if task in (None, *(m.task.name for m in members)) else did_you_mean(task, names)
    raise UserError(f"this model does not do {asked}: {hint}choose --task from {', '.join(names)}")
