"""A checkpoint of another tool to a model folder of ours."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from palette.checkpoint import Model, save_model
from palette.config import to_dict
from palette.diffusion.loss import Target
from palette.diffusion.samplers import evaluations
from palette.diffusion.schedule import (
    GAMMA_MAX,
    SCHEDULES,
    ddpm_grid,
    palette_test_grid,
    sr3_grid,
)
from palette.errors import UserError, nearest
from palette.files import sha256
from palette.importing.convert import Conversion, shape_of
from palette.importing.families import GUIDED_DIFFUSION, Family, recognise
from palette.importing.files import averaged, read_weights
from palette.importing.published import Told, architecture_of
from palette.importing.shape import Shape
from palette.resolving import resolve
from palette.tasks.choosing import available, make_task

PUBLISHED_GRIDS = {"palette": palette_test_grid, "sr3": sr3_grid, "ddpm": ddpm_grid}
HOLES = ("inpainting", "uncropping")
"""Tasks that an unconditional network can do."""
OPTIONS = {
    "colorization": {"diffuse": "picture"},
    "paired": {"diffuse": "picture"},
    "inpainting": {"fill": "noise"},
    "uncropping": {"fill": "noise"},
    "super-resolution": {"back_projection": False},
}
"""Options of tasks by which the picture itself is diffused and is the answer, as in published
networks."""


@dataclass(frozen=True)
class Wishes:
    """What a user says of the checkpoint; None: what was published, where that is known."""

    told: Told
    task: str | None = None
    scale: int | None = None
    label: int | None = None
    ema: bool = True


@dataclass(frozen=True)
class Imported:
    """What was made of which file."""

    file: Path
    title: str
    parameters: int
    task: str
    sampling: Mapping[str, Any]


def import_model(file: Path, out: Path, wishes: Wishes) -> Imported:
    """Write the model folder ``out``, complete or not at all.

    UserError where the file is of no known family, where tensors are missing, left over or odd,
    and where neither file nor wishes say what is needed; IntegrityError where it cannot be read.
    """
    if out.exists():
        raise UserError(f"{out} exists and is not overwritten: choose another output")
    used = (averaged(file) if wishes.ema else None) or file
    family, network = recognise(read_weights(used))
    shape = shape_of(family, network)
    task, options = _task_of(family, shape, wishes, file)
    label = _label(shape, wishes.label, file)
    clean = family.clean and make_task(task, options).masked
    architecture, size = architecture_of(family, shape, wishes.told, file, clean)
    settings = {
        "options": options,
        "model": to_dict(architecture),
        "diffusion": {"schedule": family.schedule, "residual": False, "weight": "constant"},
        "data": {"size": size},
    }
    config, _ = resolve(task, settings)
    denoiser = Conversion(family, shape, config.model, size, label).run(network)
    parameters = sum(value.numel() for value in network.tensors.values())
    source = {"from": family.title, "file": used.name, "sha256": sha256(used)}
    info = {
        "imported": source if label is None else {**source, "label": label},
        "sampling": published_sampling(family, shape),
        "palette": version("palette-diffusion"),
    }
    out.parent.mkdir(parents=True, exist_ok=True)
    save_model(out, Model(denoiser, (Target(),), config, info), card=_card(info, parameters))
    return Imported(used, family.title, parameters, task, info["sampling"])


def published_sampling(family: Family, shape: Shape) -> dict[str, Any]:
    """How the family's own code samples, as fields of a Sampling.

    Palette's and SR3's ports add noise of the posterior's variance. guided-diffusion stays between
    this and the step's own variance where it has learnt to, and takes the latter where not. What
    has seen no condition fills holes by RePaint.
    """
    schedule, grid = SCHEDULES[family.schedule], PUBLISHED_GRIDS[family.grid]
    levels = len(grid(family.steps, schedule.gamma_min, min(schedule.gamma_max, GAMMA_MAX)))
    sampler = "ancestral"
    if shape.inputs == 3:
        sampler = "repaint"
    elif family is GUIDED_DIFFUSION and shape.outputs == 3:
        sampler = "ancestral_beta"
    return {"sampler": sampler, "grid": family.grid, "steps": evaluations(sampler, levels)}


def _task_of(
    family: Family, shape: Shape, wishes: Wishes, file: Path
) -> tuple[str, dict[str, Any]]:
    """The task and its options."""
    conditional = shape.inputs == 6
    usual = "super-resolution" if family.scale else None
    task = wishes.task or (usual if conditional else "inpainting")
    if task is None:
        raise UserError(
            f"{file} does not say what it was trained for: give --task, one of "
            f"{', '.join(available())}"
        )
    if task not in available():
        raise UserError(f"task is {task!r}: {nearest(task, available())}")
    if not conditional and task not in HOLES:
        raise UserError(
            f"{file} is shown no condition, so that it can fill holes only: task is {task!r}, "
            f"choose {' or '.join(HOLES)}"
        )
    options = dict(OPTIONS.get(task, {}))
    if task == "super-resolution":
        scale = wishes.scale or family.scale
        if scale is None:
            raise UserError(f"{file} does not say how many times it enlarges: give --scale")
        options |= {"scale": scale, "enlarge": family.enlarge}
    elif wishes.scale is not None:
        raise UserError(f"{task} does not enlarge: leave --scale out")
    return task, options


def _label(shape: Shape, label: int | None, file: Path) -> int | None:
    """The class that the network is held at, of those that it tells apart."""
    if shape.classes and (label is None or not 0 <= label < shape.classes):
        given = "" if label is None else f"label is {label}: "
        raise UserError(
            f"{given}{file} tells {shape.classes} classes apart: choose one for all pictures by "
            f"--label, 0 to {shape.classes - 1}"
        )
    if label is not None and not shape.classes:
        raise UserError(f"{file} tells no classes apart: leave --label out")
    return label


def _card(info: Mapping[str, Any], parameters: int) -> str:
    source, sampling = info["imported"], info["sampling"]
    faster = "--sampler dpmpp_2m --grid logsnr --steps 20"
    if sampling["sampler"] == "repaint":  # which alone shows it what is known
        faster = f"--steps {evaluations('repaint', 25)}"
    return (
        f"# {source['file']}\n\n"
        f"Imported by palette from {source['from']}; {parameters:,} parameters. The file had the "
        f"SHA-256 {source['sha256']}.\nIts licence and data are those of its authors.\n\n"
        f"    palette restore THIS_FOLDER photo.jpg restored.png\n\n"
        f"samples as its authors do: {sampling['sampler']}, {sampling['steps']} evaluations on the "
        f"levels {sampling['grid']}. Faster:\n\n"
        f"    palette restore THIS_FOLDER photo.jpg restored.png {faster}\n\n"
        f"A diffusion model invents detail: do not use its output as evidence.\n"
    )
