"""Which device, and which precisions it is made for: never switched in silence."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch


def choose_device(name: str) -> torch.device:
    """ "auto" is CUDA, then MPS, then the CPU; ValueError where the device asked for is absent."""
    if name == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise ValueError(f"device is {name!r}: choose auto, cpu, cuda, cuda:N or mps") from None
    absent = (device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()) or (
        device.type == "mps" and not torch.backends.mps.is_available()
    )
    if absent:
        raise ValueError(
            f"device is {name!r}, but torch {torch.__version__} sees no such device here: "
            f"choose auto or cpu, or install a torch build and driver for it"
        )
    return device


def choose_dtype(precision: str, device: torch.device) -> torch.dtype:
    """ "auto" is bfloat16 where the hardware has instructions for it, else float32."""
    if precision == "auto":
        fast = (
            torch.cuda.is_bf16_supported(including_emulation=False)
            if device.type == "cuda"
            else device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        )
        return torch.bfloat16 if fast else torch.float32
    if precision not in ("bf16", "fp32"):
        raise ValueError(f"precision is {precision!r}: choose auto, bf16 or fp32")
    return torch.bfloat16 if precision == "bf16" else torch.float32


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Run the network in ``dtype``; weights stay float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)
