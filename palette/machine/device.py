"""Which device the network runs on: never switched in silence."""

from __future__ import annotations

import torch

from palette.errors import UserError


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA, then MPS, then the CPU; UserError where the device asked for is absent."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise UserError(f"device is {name!r}: choose auto, cpu, cuda, cuda:N or mps") from None
    absent = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent:
        raise UserError(
            f"device is {name!r}, but torch {torch.__version__} sees no such device here: "
            f"choose auto or cpu, or install a torch build and driver for it"
        )
    return device
