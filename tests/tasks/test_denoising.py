"""Denoising without a network: the row that a network has to beat."""

from __future__ import annotations

import numpy as np
import pytest

from palette.seeding import rng
from palette.tasks.denoising import Denoising, _sigma
from palette.types import Observation


@pytest.mark.parametrize("sigma", [5, 15, 25, 50])
def test_the_strength_of_noise_is_found(sigma: float) -> None:
    """On a slope, which the details of Haar do not see."""
    slope = np.linspace(0.4, 0.6, 96)[:, None, None]
    noisy = slope + rng(0, "noise").standard_normal((96, 96, 3)) * sigma / 255
    assert _sigma(noisy.astype(np.float32)) * 255 == pytest.approx(sigma, rel=0.05)


def test_non_local_means_removes_most_of_the_noise(picture: np.ndarray) -> None:
    noise = rng(0, "noise").standard_normal(picture.shape).astype(np.float32) * np.float32(25 / 255)
    noisy = np.clip(picture + noise, 0, 1)
    cleaned = Denoising().classical["non-local-means"](Observation(noisy))
    before, after = (float(np.mean((p - picture) ** 2)) for p in (noisy, cleaned))
    assert after < before / 2
