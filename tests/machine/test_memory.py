"""What restoring keeps: counted tensors against the estimate, and canvases against the formulas."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from live_memory import LiveMemory

import palette
from palette.diffusion.loss import Target
from palette.diffusion.samplers import SAMPLERS
from palette.machine.memory import bytes_per_pixel, free_bytes, is_out_of_memory, room
from palette.network.architecture import PRESETS, Architecture
from palette.network.denoiser import Denoiser
from palette.restoring.tiling import plan, tiled

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
    architecture: Architecture = SHAPES[shape]
    denoiser = Denoiser(architecture, 64).eval().requires_grad_(False)
    side = 256  # large enough for autocast's copy of one layer's weights not to count
    x, y_t, gamma = torch.zeros(1, 3, side, side), torch.zeros(1, 3, side, side), torch.ones(1) / 2
    known = [*denoiser.parameters(), *denoiser.buffers(), gamma]
    with torch.inference_mode(), LiveMemory(known) as live:
        inputs = x.clone(), y_t.clone()
        with torch.autocast("cpu", dtype=dtype, enabled=dtype != torch.float32):
            denoiser(*inputs, gamma)
    assert 0.5 < bytes_per_pixel(architecture, dtype) / (live.peak / side**2) < 2


def test_free_memory_leaves_room() -> None:
    free = free_bytes(torch.device("cpu"))
    assert 2**20 < free < 2**50
    assert free_bytes(torch.device("mps")) == math.inf
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


CANVASES = {"dpmpp_2m": 4, "dpmpp_3m": 5, "dpmpp_2m_sde": 5, "ddim": 4, "ancestral": 4, "unipc": 6}
"""The state y_t, its successor, the x̂0 or noise that make it: what a formula has at once."""


@pytest.mark.parametrize("name", CANVASES)
@pytest.mark.parametrize("residual_scale", [None, 0.1])
def test_samplers_keep_no_canvas_more_than_their_formulas(
    name: str, residual_scale: float | None
) -> None:
    x, target = torch.zeros(1, 3, 128, 128), Target(residual_scale)
    denoise = lambda y_t, gamma: y_t * 0.5  # noqa: E731
    noise = lambda k: torch.ones_like(x)  # noqa: E731
    gammas = torch.linspace(0.1, 0.9, 5)
    with torch.inference_mode(), LiveMemory([x, gammas]) as live:
        SAMPLERS[name](denoise, gammas, noise, lambda z: target.clip(z, x))
    assert live.peak < (CANVASES[name] + 0.1) * 4 * x.numel()


def test_tiles_add_one_canvas() -> None:
    x = torch.zeros(1, 3, 256, 256)
    tiles = plan(256, 256, 32, 4, stride=8)
    denoise = tiled(lambda x, y_t, gamma: y_t * 1, x, tiles, 1)
    gamma = torch.ones(1)
    with torch.inference_mode(), LiveMemory([x, gamma]) as live:
        denoise(x, gamma)
    assert live.peak < 1.2 * 4 * x.numel()


def test_memory_chooses_the_tile(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    restorer = palette.load(trained["jpeg-restoration"], precision="fp32")
    each = bytes_per_pixel(restorer.model.config.model, torch.float32)

    def chosen(pixels: int, room_pixels: float) -> int | None:
        free = room_pixels * each + 8 * 12 * pixels
        monkeypatch.setattr("palette.restoring.restorer.free_bytes", lambda device: free)
        return restorer._auto_tile(pixels, restorer.sampling)

    assert chosen(1000**2, 1e9) is None
    assert chosen(2048**2, 1e9) == 512
    assert capsys.readouterr().err == ""
    assert chosen(1000**2, 600**2) == 512
    assert chosen(2048**2, 300**2) == 256
    assert "little free memory: tiles of 256" in capsys.readouterr().err
    assert chosen(2048**2, 0) == 64
    assert chosen(2048**2, math.inf) == 512


def test_little_memory_takes_a_batch_apart(
    trained: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    restorer = palette.load(trained["jpeg-restoration"], precision="fp32", steps=2)
    pictures = [np.random.default_rng(i).random((80, 80, 3), dtype=np.float32) for i in range(2)]
    sizes = []
    run = restorer._run

    def counting(conditions: list, *args: object) -> np.ndarray:
        sizes.append((len(conditions), args[-1]))
        return run(conditions, *args)  # type: ignore[arg-type]

    restorer._run = counting  # type: ignore[method-assign, assignment]
    monkeypatch.setattr("palette.restoring.restorer.free_bytes", lambda device: 0.0)
    restored = restorer.restore(pictures)
    assert [picture.shape for picture in restored] == [(80, 80, 3)] * 2
    assert sizes == [(1, 64), (1, 64)]


def test_the_mean_of_samples_is_theirs(trained: dict[str, Path], picture: np.ndarray) -> None:
    restorer = palette.load(trained["jpeg-restoration"], precision="fp32", steps=2, samples=3)
    single, fitting = [], restorer._fitting
    restorer._fitting = lambda *args: single.append(fitting(*args).copy()) or single[-1].copy()  # type: ignore[method-assign, func-returns-value]
    mean = restorer.restore(picture)
    np.testing.assert_array_equal(mean, np.mean(single, axis=0)[0])
