"""Wrapped transforms of other libraries."""

from __future__ import annotations

import numpy as np
import pytest

from palette.degradations.compose import Sequence
from palette.degradations.resize import Shrink
from palette.degradations.wrappers import Albumentations, Kornia
from palette.seeding import rng
from palette.types import Picture, Spec


def noise_picture(height: int = 48, width: int = 64) -> Picture:
    return np.random.default_rng(0).random((height, width, 3), dtype=np.float32)


def test_unknown_transforms_and_arguments_are_refused() -> None:
    spec, picture = Spec(16, 16), noise_picture(16, 16)
    with pytest.raises(ValueError, match="has no transform 'Fog'"):
        Albumentations("Fog").draw(spec, rng(0))
    with pytest.raises(ValueError, match=r"quality_lower.* not valid"):  # else quality 99–100
        Albumentations("ImageCompression", {"quality_lower": 10}).apply(picture, {"seed": 1})
    with pytest.raises(ValueError, match=r"RandomBoxBlur: .*unexpected"):
        Kornia("RandomBoxBlur", {"size": 3}).draw(spec, rng(0))


def test_wrapped_draws_are_recorded() -> None:
    jpeg = Albumentations("ImageCompression", {"quality_range": (30, 95), "p": 1.0})
    draws = [jpeg.draw(Spec(16, 16), rng(i)) for i in range(30)]
    qualities = [one["drawn"]["ImageCompression"]["quality"] for one in draws]
    assert min(qualities) >= 30
    assert max(qualities) <= 95
    assert len(set(qualities)) > 10
    solarize = Kornia("RandomSolarize", {"p": 1.0})
    drawn = solarize.draw(Spec(16, 16), rng(0))["drawn"]
    assert 0.4 <= drawn["thresholds"][0] <= 0.6


def test_wrapped_transforms_may_change_the_size() -> None:
    for crop in (
        Albumentations("RandomCrop", {"height": 8, "width": 12, "p": 1.0}),
        Kornia("RandomCrop", {"size": (8, 12), "p": 1.0}),
    ):
        sequence = Sequence({"crop": crop, "half": Shrink(2)})
        params = sequence.draw(Spec(20, 30), rng(0))
        assert sequence.apply(noise_picture(20, 30), params).shape == (4, 6, 3)


def test_wrapping_leaves_the_global_generators_alone() -> None:
    import torch

    torch.manual_seed(1)
    np.random.seed(1)
    expected = torch.rand(1).item(), np.random.random()
    torch.manual_seed(1)
    np.random.seed(1)
    for wrapped in (Albumentations("GaussNoise", {"p": 1.0}), Kornia("RandomGaussianNoise")):
        params = wrapped.draw(Spec(16, 16), rng(0))
        wrapped.apply(noise_picture(16, 16), params)
    assert (torch.rand(1).item(), np.random.random()) == expected
