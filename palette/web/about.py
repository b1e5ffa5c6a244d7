"""What the page says of a model and its tasks, as plain JSON values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from palette.restoring.restorer import Restorer
from palette.restoring.sampling import Sampling
from palette.tasks.base import DegradedTask
from palette.types import Member
from palette.web.effort import most_steps
from palette.web.limits import Limits
from palette.web.order import MOST_ITEMS, MOST_SAMPLES

TITLES = {
    "super-resolution": ("Enlarge", "Makes a small picture larger, with detail."),
    "jpeg-restoration": ("Repair JPEG", "Removes the blocks and ringing of strong compression."),
    "denoising": ("Remove noise", "Cleans a grainy picture, however strong the noise is."),
    "colorization": ("Colour", "Gives colours to a grey picture; its brightness stays as it is."),
    "inpainting": ("Fill holes", "Paint over what is missing or should go."),
    "uncropping": ("Extend", "Drag the frame beyond the picture: what is new in it is made."),
    "paired": ("Translate", "Does what this model has learnt from pairs of pictures."),
}
"""Title and hint by the name of a task; those of other packages go by their own name."""


def about(model: str, restorers: Mapping[str, Restorer], limits: Limits) -> dict[str, Any]:
    """The model, its tasks in order, its own choices of a sampling and the limits.

    ``sampler`` is None where it is the usual one.
    """
    first = next(iter(restorers.values()))
    own = first.sampling
    return {
        "model": model,
        "sha256": first.digest,
        "device": first.solver.device.type,
        "tasks": [
            described(restorer.member) | {"answer": restorer.answer}
            for restorer in restorers.values()
        ],
        "defaults": {"steps": own.steps},
        "sampler": None if own == Sampling() else f"{own.sampler}, levels {own.grid}",
        "limits": asdict(limits)
        | {
            "items": MOST_ITEMS,
            "samples": MOST_SAMPLES,
            "steps": most_steps(restorers.values()),
        },
    }


def described(member: Member) -> dict[str, Any]:
    """``hole`` says how its hole is marked, "painted" or "border"; None where it fills none."""
    task = member.task
    title, hint = TITLES.get(task.name, (task.name, ""))
    if task.scale is not None:
        title += f" ×{task.scale}"
    usual = {task.name, f"{task.name}-x{task.scale}"}
    if member.name not in usual:
        title += f" · {member.name.removesuffix(f'-x{task.scale}')}"
        if isinstance(task, DegradedTask):
            hint += f" Learnt from pictures that were damaged by {task.degradation}."
    hole = ("border" if task.name == "uncropping" else "painted") if task.masked else None
    return {
        "name": member.name,
        "title": title,
        "hint": hint,
        "hole": hole,
        "scale": task.scale or 1,
    }
