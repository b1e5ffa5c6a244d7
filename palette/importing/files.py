"""A file of weights as tensors by name. Nothing of it is run, and nothing is left unread."""

from __future__ import annotations

import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from palette.errors import IntegrityError, UserError, some
from palette.files import visible


@dataclass(frozen=True)
class Weights:
    """Tensors by name, and the file that they are from, for error messages."""

    file: Path
    tensors: Mapping[str, Tensor]

    def __contains__(self, name: str) -> bool:
        return name in self.tensors

    def shape(self, name: str) -> tuple[int, ...]:
        """UserError where there is no such tensor."""
        if name not in self.tensors:
            raise UserError(f"{self.file} lacks {name}: give the checkpoint as it was saved")
        return tuple(self.tensors[name].shape)

    def count(self, group: str) -> int:
        """How many entries a list of modules has, of names such as ``group.7.weight``."""
        numbers = [re.match(rf"{re.escape(group)}\.(\d+)\.", name) for name in self.tensors]
        return max((int(number[1]) + 1 for number in numbers if number), default=0)


def averaged(file: Path) -> Path | None:
    """The averaged weights (EMA) that lie beside ``file``, by the names of the public tools.

    Palette's port: 200_Network.pth and 200_Network_ema.pth; guided-diffusion: model020000.pt and
    ema_0.9999_020000.pt, of several the slowest.
    """
    if file.name.endswith("_Network.pth"):
        beside = file.with_name(f"{file.stem}_ema.pth")
        return beside if beside.is_file() else None
    saved = re.fullmatch(r"model(\d+)\.pt", file.name)
    if saved is None:
        return None
    names = {
        path: re.fullmatch(rf"ema_(0\.\d+)_{saved[1]}\.pt", path.name)
        for path in visible(file.parent)
    }
    rates = {path: float(name[1]) for path, name in names.items() if name}
    return max(rates, key=lambda path: rates[path], default=None)


def read_weights(file: Path) -> Weights:
    """A bare state dict: .pth or .pt, unpickled as tensors alone, or .safetensors.

    UserError where the file holds something else, IntegrityError where it cannot be read or would
    have to be run.
    """
    if not file.is_file():
        raise UserError(f"there is no file {file}: check the path")
    found = _safetensors(file) if file.suffix == ".safetensors" else _pickled(file)
    odd = [name for name, value in found.items() if not isinstance(value, Tensor)]
    if odd or not found:
        what = f"{some(odd)} beside tensors" if odd else "nothing"
        raise UserError(f"{file} holds {what}: give a bare state dict, tensors by name")
    return Weights(file, found)


def _safetensors(file: Path) -> dict[str, Tensor]:
    try:
        return load_file(file)
    except SafetensorError as error:
        raise IntegrityError(f"{file} cannot be read: {error}") from None


def _pickled(file: Path) -> dict[str, Tensor]:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of pickles that are refused anyway
            found = torch.load(file, map_location="cpu", weights_only=True)
    except (MemoryError, OSError):
        raise
    except Exception as error:  # whatever a broken or a malicious pickle leads to
        named = re.search(r"GLOBAL ([\w.]+)", str(error))
        what = f"it asks for {named[1]}" if named else "it is damaged or no file of weights"
        raise IntegrityError(
            f"{file} is refused, and nothing of it was run: {what}; give a state dict of tensors"
        ) from None
    if not isinstance(found, dict) or not all(isinstance(name, str) for name in found):
        raise UserError(f"{file} holds no state dict: give a bare one, tensors by name")
    return found
