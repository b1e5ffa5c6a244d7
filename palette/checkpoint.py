"""Checkpoints of a run and finished models: safetensors and JSON, digests beside them.

``checkpoints/step-N/`` holds the weights, their average, the optimizer's moments and
``state.json``; the folder takes its name once it is complete. ``model/`` holds the averaged
weights, ``model.json`` and a card: restoring needs this folder and a picture only.
"""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import safetensors
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from palette import models
from palette.config import RunConfig, from_dict, to_dict
from palette.diffusion.loss import Target
from palette.errors import IntegrityError, MachineError, UserError
from palette.files import complete_folder, read_object, sha256, understood, write_json
from palette.network.denoiser import Denoiser

SCHEMA = 1
"""Of state.json, model.json and searched.json."""
WEIGHTS = "weights.safetensors"
SEARCHED_FOR = ("task", "sampler", "start", "steps")
"""What `palette search` finds levels for: a task of the model, by its name, and a sampling."""
Tensors = dict[str, Tensor]
"""Parameters, or what belongs to them, by the parameter's name."""


def save_checkpoint(
    run: Path, step: int, tensors: Mapping[str, Tensors], state: Mapping[str, Any], keep: int
) -> Path:
    """Save groups of tensors and a JSON ``state`` as ``checkpoints/step-N``; drop old ones."""
    target = run / "checkpoints" / f"step-{step}"
    with complete_folder(target) as folder:
        digests = {
            f"{name}.safetensors": _save_tensors(folder / f"{name}.safetensors", group)
            for name, group in tensors.items()
        }
        about = {"schema": SCHEMA, "step": step, "sha256": digests, **state}
        write_json(folder / "state.json", about)
    for old in checkpoints(run)[:-keep]:
        shutil.rmtree(old)
    return target


def checkpoints(run: Path) -> list[Path]:
    """Complete checkpoints of a run, oldest first."""
    found = [p for p in (run / "checkpoints").glob("step-*") if re.fullmatch(r"step-\d+", p.name)]
    return sorted((p for p in found if (p / "state.json").exists()), key=lambda p: int(p.name[5:]))


def load_checkpoint(folder: Path) -> tuple[dict[str, Tensors], dict[str, Any]]:
    """Groups of tensors and the state; IntegrityError names a damaged file."""
    state = _read_json(folder / "state.json")
    with understood(folder / "state.json"):
        digests = {Path(name).name: digest for name, digest in state["sha256"].items()}
    tensors = {
        name.removesuffix(".safetensors"): _load_tensors(folder / name, digest)
        for name, digest in digests.items()
    }
    return tensors, state


@dataclass(frozen=True)
class Model:
    """A trained network with all that is needed to use it."""

    denoiser: Denoiser
    targets: tuple[Target, ...]
    """What is diffused of each task."""
    config: RunConfig
    info: dict[str, Any]
    """What model.json says: step, digest of the weights, fingerprint of the data, versions …"""
    searched: tuple[Mapping[str, Any], ...] = ()
    """What `palette search` found: task, sampler, start, steps; logsnrs, eta and their scores."""
    folder: Path | None = None
    """Where it was loaded from, absolute."""


def save_model(
    folder: Path, model: Model, dtype: torch.dtype | None = None, card: str | None = None
) -> None:
    """Write a model folder; it is complete or absent. ``dtype``: of the weights in the file."""
    weights = {name: value.to(dtype=dtype) for name, value in model.denoiser.state_dict().items()}
    with complete_folder(folder) as temporary:
        about = {
            "schema": SCHEMA,
            **model.info,
            "targets": [asdict(target) for target in model.targets],
            "sha256": _save_tensors(temporary / WEIGHTS, weights),
            "config": to_dict(model.config),
        }
        write_json(temporary / "model.json", about)
        (temporary / "README.md").write_text(card or _card(about), encoding="utf-8")


def save_searched(folder: Path, entry: Mapping[str, Any]) -> None:
    """Add to searched.json of a model folder, in place of an entry for the same SEARCHED_FOR."""
    folder = _model_folder(folder)
    weights = _read_json(folder / "model.json")["sha256"]
    others = [
        other
        for other in _searched(folder, weights)
        if any(other[name] != entry[name] for name in SEARCHED_FOR)
    ]
    content = {"schema": SCHEMA, "weights": weights, "searched": [*others, entry]}
    write_json(folder / "searched.json", content)


def _searched(folder: Path, weights: str) -> tuple[Mapping[str, Any], ...]:
    """Entries of searched.json, if it belongs to the weights of this digest."""
    if not (folder / "searched.json").exists():
        return ()
    path = folder / "searched.json"
    content = _read_json(path)
    with understood(path):
        if content["weights"] != weights:
            return ()
        return tuple({**entry, **_levels(entry)} for entry in content["searched"])


def _levels(entry: Mapping[str, Any]) -> dict[str, Any]:
    """What an entry says of the noise levels; any error for what is none."""
    logsnrs = [float(value) for value in entry["logsnrs"]]
    shares = {name: float(entry[name]) for name in ("eta", "detail")}
    inside = all(0 <= share <= 1 for share in shares.values())
    if not logsnrs or not all(map(math.isfinite, logsnrs)) or not inside:
        raise ValueError(f"eta and detail are {shares} and logsnrs are {logsnrs}")
    _ = [entry[name] for name in SEARCHED_FOR]
    return {"logsnrs": logsnrs, **shares}


def read_card(folder: Path) -> str:
    """README.md of a model; empty where it has none."""
    card = _model_folder(folder) / "README.md"
    return card.read_text(encoding="utf-8") if card.exists() else ""


def _model_folder(folder: Path) -> Path:
    found = models.find(folder)
    if found is None and folder.is_file():
        raise UserError(
            f"{folder} holds no model, which is a folder: of weights that another tool published "
            f"`palette import {folder} OUT` makes one"
        )
    if found is None:
        raise UserError(
            f"{folder} holds no model: give a run folder with a finished or saved model, a folder "
            f"with model.json and {WEIGHTS}, hf://OWNER/NAME, or the name of a model that comes "
            f"with palette: {', '.join(models.shipped())}"
        )
    return found


def load_model(folder: Path, device: str | torch.device = "cpu") -> Model:
    """Load a model folder, or the ``model`` folder of a run.

    Raises UserError where there is no model, IntegrityError where it is damaged.
    """
    folder = _model_folder(folder)
    info = _read_json(folder / "model.json")
    with understood(folder / "model.json"):
        digest, config = info["sha256"], from_dict(RunConfig, info["config"])
        targets = tuple(from_dict(Target, one) for one in info["targets"])
    weights = _load_tensors(folder / WEIGHTS, digest)
    try:
        if config.model.blocks * len(config.model.multipliers) > len(weights):
            raise ValueError(f"{len(weights)} tensors are too few for its blocks")
        denoiser = Denoiser(config.model, config.data.size)
        denoiser.load_state_dict(weights)
    except (RuntimeError, ValueError, TypeError, ArithmeticError, MemoryError) as error:
        reason = " ".join(str(error).split())
        raise IntegrityError(f"{folder}: the weights do not fit model.json: {reason}") from None
    denoiser.requires_grad_(False).eval().to(device)
    searched = _searched(folder, info["sha256"])
    return Model(denoiser, targets, config, info, searched, folder.absolute())


def _save_tensors(path: Path, tensors: Tensors) -> str:
    """The digest of the file."""
    path.touch()
    mode = path.stat().st_mode  # as the umask has it: safetensors lets the owner alone read
    try:
        save_file({name: value.contiguous() for name, value in tensors.items()}, path)
    except safetensors.SafetensorError as error:  # that of the system, in words
        raise MachineError(f"{path} cannot be written: {error}") from None
    path.chmod(mode)
    return sha256(path)


def _load_tensors(path: Path, digest: str) -> Tensors:
    if not path.exists():
        raise IntegrityError(f"{path} is missing: the folder is incomplete, copy it again")
    if sha256(path) != digest:
        raise IntegrityError(f"{path} is damaged (its SHA-256 differs): copy it again")
    try:
        return load_file(path)
    except safetensors.SafetensorError as error:
        raise IntegrityError(f"{path} cannot be read: {error}") from None


def _read_json(path: Path) -> dict[str, Any]:
    value = read_object(path)
    with understood(path):
        newer = value.get("schema", 0) > SCHEMA
    if newer:
        raise IntegrityError(
            f"{path} was written by a newer version (schema {value['schema']}, this one reads "
            f"up to {SCHEMA}): update palette"
        )
    return value


def _card(info: Mapping[str, Any]) -> str:
    config = info["config"]
    options = ", ".join(f"{k} = {v}" for k, v in config["options"].items())
    return (
        f"# {config['task']}\n\n"
        f"A palette model, {options or 'default options'}; {info.get('step', '?')} steps on "
        f"{info.get('pictures', '?')} pictures.\n\n"
        f"    palette restore THIS_FOLDER photo.jpg restored.png\n\n"
        f"A diffusion model invents detail: do not use its output as evidence.\n"
    )
