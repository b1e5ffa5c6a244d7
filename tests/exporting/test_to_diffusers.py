"""The network as diffusers computes it, and what has no such form."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from random_models import random_model, random_network

import palette
from palette.data.opening import open_source
from palette.seeding import rng

pytest.importorskip("diffusers")
from palette.exporting.to_diffusers import save_diffusers, timestep

SHAPES: list[dict[str, Any]] = [
    {"width": 16, "multipliers": [1, 2, 2], "blocks": 2, "attention": [16]},
    {"embedding": "gamma", "output": "plain", "middle_attention": False},
    {"patch": 2, "mask": True, "tasks": 3, "attention": [16, 8]},
    {"heads": 2, "head_width": 3},
]


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_the_network_is_the_same(shape: dict[str, Any], tmp_path: Path) -> None:
    from diffusers.models.unets.unet_2d import UNet2DModel

    denoiser = random_network(**shape)
    assert save_diffusers(tmp_path, denoiser) < 1e-5
    theirs: Any = UNet2DModel.from_pretrained(tmp_path)
    a = denoiser.unet.architecture
    draws = torch.Generator().manual_seed(1)
    x = torch.randn(1, 3 + bool(a.mask), 2 * a.stride, 2 * a.stride, generator=draws)
    y_t, gamma = torch.randn(1, 3, *x.shape[2:], generator=draws), torch.tensor([0.4])
    number = torch.tensor([2])
    own = denoiser.unet(x, y_t, gamma, None, number if a.tasks else None)
    both = torch.nn.functional.pixel_unshuffle(torch.cat([x, y_t], dim=1), a.patch)
    with torch.no_grad():
        answer = theirs(both, timestep(a, gamma), number if a.tasks else None).sample
    answer = torch.nn.functional.pixel_shuffle(answer, a.patch)
    assert own.abs().mean() > 0.1
    assert (own - answer).abs().max() < 1e-5


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        ({"multipliers": [2, 2]}, "its first depth is 2 times as wide as its stem"),
        ({"strength": True}, "it embeds the strength of an augmentation"),
        ({"attention": [32, 16], "head_width": 16}, "attention heads are not of one width"),
        ({"attention": [32, 16], "heads": 2}, "attention heads are not of one width"),
        ({"embedding": "root-gamma"}, "its embedding is root-gamma, .* logsnr or gamma alone"),
        ({"embedding": "ddpm-step"}, "its embedding is ddpm-step"),
        ({"modulation": "shift"}, "its modulation is shift"),
        ({"resampling": "convolution"}, "its resampling is convolution"),
        ({"known": "clean"}, "its known is clean"),
    ],
)
def test_other_shapes_are_refused(shape: dict[str, Any], reason: str, tmp_path: Path) -> None:
    with pytest.raises(palette.UserError, match=reason):
        save_diffusers(tmp_path, random_network(**shape))
    assert not list(tmp_path.iterdir())


def test_the_code_of_its_readme_restores(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With diffusers alone, a noisy photograph comes nearer to the clean one."""
    out = palette.export("photos", tmp_path / "out", "diffusers")
    text = (out / "README.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"```python\n(.*?)```", text, re.DOTALL)
    (row,) = (line for line in text.splitlines() if "| denoising |" in line)
    number, _, *target = [cell.strip() for cell in row.strip("|").split("|")]
    monkeypatch.chdir(out)
    scope: dict[str, Any] = {}
    exec(code.replace("set_timesteps(20)", "set_timesteps(6)"), scope)
    clean = open_source("bundled", split="held_out").read(0)[100:164, 200:264]
    noisy = clean + 0.1 * rng(0, "noise").standard_normal(clean.shape, dtype=np.float32)
    x = torch.from_numpy(2 * np.clip(noisy, 0, 1) - 1).permute(2, 0, 1)[None]
    x = torch.cat([x, torch.zeros_like(x[:, :1])], dim=1)
    answer = scope["sample"](x, int(number), *map(float, target))[0].permute(1, 2, 0).numpy()
    errors = [float(np.square(one - clean).mean()) for one in (answer, np.clip(noisy, 0, 1))]
    assert errors[0] < 0.5 * errors[1]


def test_one_model_at_a_time_is_complete_or_absent(tmp_path: Path) -> None:
    model = random_model(tmp_path / "m", "denoising", {}, multipliers=[2, 2])
    with pytest.raises(palette.UserError, match="no UNet2DModel"):
        palette.export(model, tmp_path / "out", "diffusers")
    assert {path.name for path in tmp_path.iterdir()} == {"m"}
