"""What restoring keeps: counted tensors against the estimate, and canvases against the formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from live_memory import LiveMemory
from torch._subclasses.fake_tensor import FakeTensorMode

from palette.diffusion.loss import Target
from palette.diffusion.samplers import SAMPLERS
from palette.machine import memory
from palette.machine.memory import bytes_per_pixel, free_bytes, is_out_of_memory, room
from palette.network.architecture import PRESETS, Architecture
from palette.network.denoiser import Denoiser

SHAPES = {
    "tiny": PRESETS["tiny"],
    "small": PRESETS["small"],
    "flat": replace(PRESETS["tiny"], patch=1, multipliers=(1, 1)),
    "coarse": replace(PRESETS["tiny"], patch=4, width=64, blocks=1),
    "attending": replace(PRESETS["tiny"], attention=(32, 16)),
}


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_estimate_is_within_a_factor_of_two(shape: str, dtype: torch.dtype) -> None:
    """Counted on tensors without data: bfloat16 takes minutes on CPUs that only emulate it."""
    architecture: Architecture = SHAPES[shape]
    side = 256  # large enough for autocast's copy of one layer's weights not to count
    with FakeTensorMode(), torch.inference_mode():
        denoiser = Denoiser(architecture, 64).eval().requires_grad_(False)
        x, y_t, gamma = torch.zeros(1, 3, side, side), torch.zeros(1, 3, side, side), torch.ones(1)
        with LiveMemory([*denoiser.parameters(), *denoiser.buffers(), gamma]) as live:
            inputs = x.clone(), y_t.clone()
            with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
                denoiser(*inputs, gamma)
    assert 0.5 < bytes_per_pixel(architecture, dtype) / (live.peak / side**2) < 2


def test_free_memory_leaves_room() -> None:
    free = free_bytes(torch.device("cpu"))
    assert 2**20 < free < 2**50
    assert free_bytes(torch.device("mps")) == math.inf


@pytest.mark.parametrize(
    ("membership", "place", "files"),
    [
        # of a container, which sees its own group as the root; and of a job, limited above a step
        ("0::/\n", "", ("memory.max", "memory.current", "inactive_file")),
        ("0::/job_7/step_0\n", "job_7", ("memory.max", "memory.current", "inactive_file")),
        (
            "3:cpuset:/a\n2:cpu,memory:/job/step\n0::/\n",
            "memory/job",
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ),
    ],
)
def test_the_limit_of_a_container_counts(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    membership: str,
    place: str,
    files: tuple[str, str, str],
) -> None:
    (tmp_path / "membership").write_text(membership)
    monkeypatch.setattr(memory, "GROUPS", tmp_path)
    monkeypatch.setattr(memory, "MEMBERSHIP", tmp_path / "membership")
    whole = free_bytes(torch.device("cpu"))
    limit, used, gives_way = files
    folder = tmp_path / place
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "memory.stat").write_text(f"anon 1\n{gives_way} 4096\n")
    (folder / used).write_text("10000\n")
    (folder / limit).write_text("12000\n")
    assert free_bytes(torch.device("cpu")) == 12000 - 10000 + 4096
    (folder / limit).write_text("max\n")
    assert whole / 2 < free_bytes(torch.device("cpu")) < 2 * whole
    tiny = PRESETS["tiny"]
    assert room(tiny, torch.float32, 2**30, 1024**2) > room(tiny, torch.float32, 2**30, 2048**2)
    assert room(tiny, torch.bfloat16, 2**30, 0) > 1.5 * room(tiny, torch.float32, 2**30, 0)
    assert room(tiny, torch.float32, 2**20, 2048**2) < 0
    assert room(tiny, torch.float32, math.inf, 2048**2) == math.inf


def test_the_errors_of_allocators() -> None:
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**60, dtype=torch.uint8)
    assert is_out_of_memory(caught.value)
    assert is_out_of_memory(torch.OutOfMemoryError())
    assert is_out_of_memory(MemoryError())
    assert not is_out_of_memory(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


CANVASES = {
    "dpmpp_2m": 4,
    "dpmpp_3m": 5,
    "dpmpp_2m_sde": 5,
    "ddim": 4,
    "ancestral": 4,
    "ancestral_beta": 4,
    "unipc": 6,
}
"""The state y_t, its successor, the x̂0 or noise that make it: what a formula has at once."""


@pytest.mark.parametrize("name", CANVASES)
@pytest.mark.parametrize(
    ("kind", "luma"),
    [
        (Target(), 0),
        (Target(True, 0.1), 0),
        (Target(True, 0.1, gain=2.0), 1 / 3),  # of which the luma is one channel
        (Target(True, 0.1, chroma=True), 1 / 3),
    ],
)
def test_samplers_keep_no_canvas_more_than_their_formulas(
    name: str, kind: Target, luma: float
) -> None:
    x, target = torch.zeros(1, 3, 128, 128), kind.for_all()
    denoise = lambda y_t, gamma: y_t * 0.5  # noqa: E731
    noise = lambda k: torch.ones_like(x)  # noqa: E731
    gammas = torch.linspace(0.1, 0.9, 5)
    with torch.inference_mode(), LiveMemory([x, gammas]) as live:
        SAMPLERS[name](denoise, gammas, noise, lambda z: target.clip(z, x))
    assert live.peak < (CANVASES[name] + luma + 0.1) * 4 * x.numel()
