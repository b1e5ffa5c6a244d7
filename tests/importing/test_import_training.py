"""Training goes on from imported weights, with the settings of their network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from published_networks import GuidedUNet

import palette
from palette.cli.main import main
from palette.errors import UserError
from palette.resolving import resolve

SETTINGS = {
    "model": {
        "width": 32,
        "multipliers": [1, 2],
        "blocks": 1,
        "patch": 1,
        "groups": 32,
        "output": "plain",
        "embedding": "gamma",
        "known": "clean",
    },
    "diffusion": {"schedule": "palette", "residual": False, "weight": "constant"},
    "train": {"batch": 2, "precision": "fp32", "validate_every": 0, "workers": 0},
    "data": {"size": 32},
}


def test_palettes_inpainting_is_trained_on(photos: Path, tmp_path: Path) -> None:
    torch.manual_seed(0)
    network = GuidedUNet("cond_embed", 32, (1, 2), 1)
    state = {f"denoise_fn.{name}": value for name, value in network.state_dict().items()}
    torch.save(state, tmp_path / "published.pth")
    command = ["import", str(tmp_path / "published.pth"), str(tmp_path / "start")]
    assert main([*command, "--task", "inpainting", "--head-width", "32"]) == 0
    trained = palette.train(
        "inpainting",
        data=photos,
        out=tmp_path / "run",
        init=tmp_path / "start",
        steps=1,
        options={"fill": "noise"},
        config=SETTINGS,
    )
    before, after = (
        model.model.denoiser.unet.stem.weight
        for model in (palette.load(tmp_path / "start"), trained)
    )
    assert 0 < (before - after).abs().max() < 0.1


@pytest.mark.parametrize(
    ("task", "given", "words"),
    [
        ("colorization", {}, "a task has no holes"),
        ("inpainting", {"options": {"fill": "telea"}}, "choose --fill noise"),
        (
            "inpainting",
            {"options": {"fill": "noise"}, "diffusion": {"drop_condition": 0.1}},
            "a dropped condition tells",
        ),
    ],
)
def test_known_pixels_are_clean_where_the_network_is_shown_them(
    task: str, given: dict[str, Any], words: str
) -> None:
    with pytest.raises(UserError, match=words):
        resolve(task, SETTINGS, given)
