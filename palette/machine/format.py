"""Precision and memory format of the network: measured once on a machine, then remembered.

Which of them is fastest depends on the processor, on torch's version and on the network, so a few
passes of the very network decide. The times are kept in the user's cache folder; a run that trains
keeps its choice in its checkpoints.
"""

from __future__ import annotations

import json
import os
import platform
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from copy import deepcopy
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn

from palette.errors import UserError
from palette.files import write_json
from palette.network.architecture import Architecture
from palette.network.denoiser import Denoiser

Mode = Literal["restore", "train"]

Precision = Literal["fp32", "bf16", "fp16"]

DTYPES: dict[Precision, torch.dtype] = {
    "fp32": torch.float32,
    "bf16": torch.bfloat16,
    "fp16": torch.float16,
}
WORTH = 0.9
"""16 bits must take less than this share of float32's time to be worth their rounding."""
ROUNDS, BUDGET_SECONDS = 6, 1.2
"""Timed passes of each format, fewer where they take longer than this in all."""


@dataclass(frozen=True)
class Format:
    """How the network runs; its parameters are kept in float32 while it is trained."""

    precision: Precision = "fp32"
    memory: Literal["contiguous", "channels_last"] = "contiguous"

    def __str__(self) -> str:
        return f"{self.precision} {self.memory}"

    @property
    def dtype(self) -> torch.dtype:
        return DTYPES[self.precision]

    def lay_out(self, denoiser: Denoiser) -> Denoiser:
        """Put the weights in this memory format, in place. What convolutions make follows them."""
        last = self.memory == "channels_last"
        return denoiser.to(memory_format=torch.channels_last if last else torch.contiguous_format)

    def for_restoring(self, denoiser: Denoiser) -> Denoiser:
        """A copy that is not trained, its convolutions and linear layers cast once and for all."""
        copy = self.lay_out(deepcopy(denoiser)).requires_grad_(False).eval()
        for module in copy.modules():
            if isinstance(module, nn.Conv2d | nn.Linear):
                module.to(self.dtype)
        return copy


def choose_precision(precision: str, device: torch.device, mode: Mode) -> Precision:
    """ "auto" is 16 bits where the hardware has instructions for them, else float32.

    bfloat16, or on GPUs without it float16. To that auto trains only: what another precision has
    trained may leave its range. MPS gets float32, unless it is asked for more.
    """
    if precision == "auto":
        if device.type == "cuda":
            if torch.cuda.is_bf16_supported(including_emulation=False):
                return "bf16"
            return "fp16" if mode == "train" else "fp32"
        fast = device.type == "cpu" and torch.cpu._is_avx512_bf16_supported()
        return "bf16" if fast else "fp32"
    if precision not in DTYPES:
        raise UserError(f"precision is {precision!r}: choose auto, {', '.join(DTYPES)}")
    return precision


def autocast(device: torch.device, dtype: torch.dtype) -> AbstractContextManager[object]:
    """Run the network in ``dtype``; weights stay float32."""
    if dtype == torch.float32:
        return nullcontext()
    return torch.autocast(device.type, dtype=dtype)


def choose(denoiser: Denoiser, precision: str, mode: Mode) -> Format:
    """The fastest format for ``denoiser`` on its device, measured if this machine does not know it.

    ``precision`` is "auto", "fp32", "bf16" or "fp16". auto takes 16 bits only where the hardware
    has instructions for them and where they are a good deal faster.
    """
    device = next(denoiser.parameters()).device
    formats = _candidates(precision, device, mode)
    if len(formats) == 1:
        return formats[0]
    machine = machine_name(device, denoiser.unet.architecture, mode)
    times = remembered().get(machine, {})
    unknown = [f for f in _candidates("auto", device, mode) + formats if str(f) not in times]
    if unknown:
        try:
            measured = measure(denoiser, list(dict.fromkeys(unknown)), mode)
        except torch.OutOfMemoryError:
            return Format(formats[-1].precision)
        times = {**times, **measured}
        _remember(machine, times)
    chosen = _fastest(times, formats)
    if unknown:
        found = ", ".join(f"{name} {milliseconds:g} ms" for name, milliseconds in times.items())
        print(f"measured once for this machine: {found}; {mode} uses {chosen}", file=sys.stderr)
    return chosen


def _candidates(precision: str, device: torch.device, mode: Mode) -> list[Format]:
    fast = choose_precision(precision, device, mode)
    tried: list[Precision] = ["fp32", fast] if precision == "auto" and fast != "fp32" else [fast]
    if device.type == "mps":
        return [Format(one) for one in tried]
    return [form for one in tried for form in (Format(one), Format(one, "channels_last"))]


def _fastest(times: dict[str, float], formats: Sequence[Format]) -> Format:
    def time_of(f: Format) -> float:
        return times[str(f)] * (1 if f.precision == "fp32" else 1 / WORTH)

    return min(formats, key=time_of)


def measure(denoiser: Denoiser, formats: Sequence[Format], mode: Mode) -> dict[str, float]:
    """Milliseconds of one pass (train: forward and backward), the least of interleaved ones."""
    device = next(denoiser.parameters()).device
    gpu = device.type == "cuda"
    step = denoiser.unet.architecture.stride
    side = -(-(128 if gpu else 64) // step) * step
    draws = torch.Generator(device).manual_seed(0)
    batch = 8
    y_t = torch.randn((batch, 3, side, side), generator=draws, device=device)
    mask = y_t[:, : int(denoiser.unet.architecture.takes_mask)]
    x = torch.cat([y_t, mask], dim=1)
    gamma = torch.full((batch,), 0.5, device=device)
    passes: dict[str, Callable[[], None]] = {}
    for f in formats:
        prepare = _training_pass if mode == "train" else _restoring_pass
        passes[str(f)] = prepare(f, denoiser, x, y_t, gamma)

    times: dict[str, list[float]] = {name: [] for name in passes}
    begin = time.perf_counter()
    with torch.random.fork_rng():  # dropout draws
        for _ in range(1 + ROUNDS):
            for name, run in passes.items():
                start = time.perf_counter()
                run()
                if gpu:
                    torch.cuda.synchronize(device)
                times[name].append(1000 * (time.perf_counter() - start))
            timed = min(map(len, times.values())) - 1
            if timed and time.perf_counter() - begin > BUDGET_SECONDS:
                break
    # the first pass of each only warms up
    # the least: what else runs on the machine only ever adds to a pass
    return {name: round(min(passed[1:]), 3) for name, passed in times.items()}


def _restoring_pass(
    f: Format, denoiser: Denoiser, x: Tensor, y_t: Tensor, gamma: Tensor
) -> Callable[[], None]:
    network = f.for_restoring(denoiser)

    def run() -> None:
        with torch.inference_mode(), autocast(x.device, f.dtype):
            network(x, y_t, gamma, task=torch.zeros_like(gamma, dtype=torch.int64))

    return run


def _training_pass(
    f: Format, denoiser: Denoiser, x: Tensor, y_t: Tensor, gamma: Tensor
) -> Callable[[], None]:
    network = f.lay_out(deepcopy(denoiser)).requires_grad_(True).train()

    def run() -> None:
        with autocast(x.device, f.dtype):
            loss = (
                network(x, y_t, gamma, task=torch.zeros_like(gamma, dtype=torch.int64))
                .square()
                .mean()
            )
        loss.backward()
        network.zero_grad(set_to_none=True)

    return run


def remembered() -> dict[str, dict[str, float]]:
    """Milliseconds by format, by machine and network. A cache that cannot be read holds nothing."""
    try:
        entries = json.loads(_cache().read_text(encoding="utf-8"))
        return {
            str(machine): {str(name): float(ms) for name, ms in times.items()}
            for machine, times in entries.items()
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _remember(machine: str, times: dict[str, float]) -> None:
    with suppress(OSError):  # a home that is read-only, or none: it is measured again next time
        _cache().parent.mkdir(parents=True, exist_ok=True)
        write_json(_cache(), {**remembered(), machine: times})


def _cache() -> Path:
    base = os.environ.get("XDG_CACHE_HOME") or Path("~/.cache").expanduser()
    return Path(base) / "palette" / "formats.json"


def machine_name(device: torch.device, architecture: Architecture, mode: Mode) -> str:
    """Everything that the times depend on, to be read by people too."""
    if device.type == "cuda":
        hardware = torch.cuda.get_device_name(device)
    else:
        capability = torch.backends.cpu.get_cpu_capability()
        hardware = f"{processor()} {capability}, {torch.get_num_threads()} threads"
    plain = asdict(Architecture())
    shape = [
        f"{field.name} {getattr(architecture, field.name)}"
        for field in fields(architecture)
        if getattr(architecture, field.name) != plain[field.name]
    ]
    return f"{mode}: {', '.join(shape) or 'default network'}; {hardware}; torch {torch.__version__}"


def processor() -> str:
    """The name of this machine's processor."""
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.processor() or platform.machine()
