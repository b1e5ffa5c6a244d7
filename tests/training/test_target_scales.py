"""The scales of what is diffused: measured, so that it is as strong as the noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from short_runs import GENERALIST, training_set

from palette.diffusion.loss import CHROMA_SHARE, LUMA, LUMA_SHARE, Target
from palette.tasks import TASKS
from palette.training.set import TrainingSet
from palette.types import Member, Observation, Picture


@pytest.mark.parametrize("balance", [True, False])
def test_targets_are_as_strong_as_the_noise(balance: bool, photos: Path) -> None:
    """Of the examples that they are measured on: luma and chroma, or all three channels."""
    config = {"options": {"tasks": "super-resolution,colorization,inpainting", "scale": "2"}}
    crops = training_set("generalist", photos, config)
    targets = crops.targets(residual=True, balance=balance)
    assert [target.chroma for target in targets] == [False, True, False]
    assert all(target.residual for target in targets)
    for member, target in zip(crops.members, targets, strict=True):
        alone = TrainingSet(crops.source, [member], crops.config)
        luma, chroma, whole, pixels = 0.0, 0.0, 0.0, 0.0
        for position in range(64):
            example = {k: torch.from_numpy(v)[None] for k, v in alone.example(position).items()}
            z = target.for_all().encode(example["y"], example["x"])
            part = (z * torch.tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
            region = example["region"] if member.task.masked else torch.ones_like(part)
            luma += float((part.square() * region).sum())
            chroma += float(((z - part).square() * region).sum()) / 3
            whole += float((z.square() * region).sum()) / 3
            pixels += float(region.sum())
        if target.chroma:
            assert luma / pixels == pytest.approx(0, abs=1e-6)
            assert chroma / pixels == pytest.approx(CHROMA_SHARE, rel=1e-3)
        elif balance:
            assert luma / pixels == pytest.approx(LUMA_SHARE, rel=1e-3)
            assert chroma / pixels == pytest.approx(CHROMA_SHARE, rel=1e-3)
        else:
            assert target.gain == 1
            assert whole / pixels == pytest.approx(1, rel=1e-3)


def test_the_shares_are_those_of_white_noise() -> None:
    white = torch.randn(1, 3, 500, 500, generator=torch.Generator().manual_seed(0))
    luma = (white * torch.tensor(LUMA)[:, None, None]).sum(dim=1, keepdim=True)
    assert luma.var().item() == pytest.approx(LUMA_SHARE, rel=0.01)
    assert (white - luma).square().mean().item() == pytest.approx(CHROMA_SHARE, rel=0.01)


def test_without_residuals_the_picture_is_diffused(photos: Path) -> None:
    crops = training_set("generalist", photos, {"options": GENERALIST})
    assert crops.targets(residual=False, balance=True) == (Target(),) * 5


def test_a_condition_that_equals_its_target_can_be_divided_by(photos: Path) -> None:
    class Nothing(type(TASKS["denoising"]())):
        def degrade(self, clean: Picture, params: Any) -> Observation:
            return Observation(clean)

    crops = training_set("denoising", photos)
    same = TrainingSet(crops.source, [Member("nothing", Nothing())], crops.config)
    for balance in (True, False):
        (target,) = same.targets(residual=True, balance=balance)
        assert target.scale == pytest.approx(1e-3)
        assert target.gain == 1
