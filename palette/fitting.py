"""What the files of a user decide of a task before training: scale and target of pairs, masks."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from palette.config import RunConfig, merge
from palette.data.pairs import Pairs
from palette.data.sources import Source
from palette.data.stored import from_stored
from palette.degradations.mask_files import MaskFiles
from palette.errors import PictureError, UserError
from palette.tasks.generalist import Generalist, make_trainable
from palette.tasks.inpainting import Inpainting
from palette.tasks.paired import Paired
from palette.types import Member, Observation, Picture

LOOKED_AT = 256
"""Pairs that are measured, at most."""
SIDE = 256
"""Of the middle of a target that is measured."""


def fit(
    config: RunConfig,
    members: Sequence[Member],
    source: Source,
    val: Source | None,
    accept_data: bool = False,
) -> tuple[RunConfig, Sequence[Member]]:
    """The configuration and the tasks with what the pictures decide, which restoring needs too.

    UserError where the task and the pictures do not fit each other. A run that is continued finds
    what it was begun with, or with ``accept_data`` other masks.
    """
    given = source.inputs is not None or (val is not None and val.inputs is not None)
    if given and not any(member.task.paired for member in members):
        raise UserError(
            f"{config.task} makes its own inputs: leave --data.input out, or train paired"
        )
    found: dict[str, dict[str, Any]] = {}
    for member in members:
        if isinstance(member.task, Paired):
            found[member.name] = _of_pairs(member.task, source, val)
        elif isinstance(member.task, Inpainting) and member.task.mask_files is not None:
            found[member.name] = _of_masks(member.task, member.task.mask_files, accept_data)
    if not found:
        return config, members
    options = {"parts": found} if config.task == Generalist.name else found[config.task]
    config = replace(config, options=merge(config.options, options))
    return config, make_trainable(config.task, config.options).members()


def _of_pairs(task: Paired, source: Source, val: Source | None) -> dict[str, Any]:
    """Options of the task."""
    if not isinstance(source, Pairs):
        raise UserError("paired learns from pairs: name --data and --data.input")
    if val is not None and not isinstance(val, Pairs):
        raise UserError("paired is judged by pairs: name the inputs of --val with --data.val-input")
    if val is not None and val.scale != source.scale:
        raise UserError(
            f"the pairs of --val have the scale ×{val.scale}, those of --data ×{source.scale}: "
            f"give pairs of one scale"
        )
    scale = None if source.scale == 1 else source.scale
    if task.scale not in (None, scale):
        raise UserError(f"scale is {task.scale}, but the pairs have ×{source.scale}: leave it out")
    if task.diffuse != "auto":
        return {"scale": scale}
    share = _share(replace(task, scale=scale), source)
    diffuse = "residual" if share < 1 else "picture"
    print(
        f"{len(source)} pairs, ×{source.scale}: the difference of a target to its input is "
        f"{share:.2f} of the targets' spread, so the {diffuse} is diffused (--diffuse)",
        file=sys.stderr,
    )
    return {"scale": scale, "diffuse": diffuse}


def _of_masks(task: Inpainting, where: str, accept_data: bool) -> dict[str, Any]:
    """Options of the task. UserError where a run is continued with other masks."""
    masks = MaskFiles(str(Path(where).resolve()))
    if task.mask_digest not in (None, masks.digest) and not accept_data:
        raise UserError(
            f"{masks.where} holds other masks than the run was begun with: put them back, or go on "
            f"with these by --accept-data"
        )
    if task.mask_digest != masks.digest:
        masks.check()
    return {"mask_files": masks.where, "mask_digest": masks.digest}


def _share(task: Paired, pairs: Pairs) -> float:
    """Root mean square of target − baseline, as a share of the targets' standard deviation."""
    count = min(LOOKED_AT, len(pairs))
    error, total, squares, pixels = 0.0, np.zeros(3), 0.0, 0
    broken: list[PictureError] = []
    for index in np.linspace(0, len(pairs) - 1, count).astype(int):
        try:
            target, given = _middle(pairs, int(index))
        except PictureError as unread:  # the training names it
            broken.append(unread)
            continue
        baseline = task.baseline(Observation(given))
        error += float(np.square(target - baseline, dtype=np.float64).sum())
        total += target.sum((0, 1), dtype=np.float64)
        squares += float(np.square(target, dtype=np.float64).sum())
        pixels += target.shape[0] * target.shape[1]
    if len(broken) == count:
        raise broken[0]
    if error == 0:
        raise UserError(f"in all {count} pairs the input equals the target: check --data.input")
    variance = squares - float(np.square(total).sum()) / pixels
    return float(np.sqrt(error / max(variance, 1e-12)))


def _middle(pairs: Pairs, index: int) -> tuple[Picture, Picture]:
    """Of a target, and of its input."""
    target, given = pairs.stored(index), pairs.inputs.stored(index)
    h, w = (min(side, SIDE // pairs.scale) for side in given.shape[:2])
    top, left = (given.shape[0] - h) // 2, (given.shape[1] - w) // 2
    small = given[top : top + h, left : left + w]
    s = pairs.scale
    large = target[s * top : s * (top + h), s * left : s * (left + w)]
    return from_stored(large), from_stored(small)
