"""What a small picture says for certain of the large one."""

from __future__ import annotations

import numpy as np
import pytest

from palette.degradations.resize import resize
from palette.seeding import rng
from palette.tasks.super_resolution import BICUBIC, SuperResolution
from palette.types import Observation, Spec


def missed(restored: np.ndarray, small: np.ndarray) -> float:
    """Root mean square of how far its reduction is from the small picture, in 8 bits."""
    reduced = resize(restored, small.shape[0], small.shape[1], "cubic_aa")
    return float(255 * np.sqrt(np.mean(np.square(reduced - small))))


@pytest.mark.parametrize("scale", range(2, 9))
@pytest.mark.parametrize("size", [(1, 1), (2, 5), (11, 7), (20, 32)])
def test_what_is_finished_reduces_to_what_was_given(scale: int, size: tuple[int, int]) -> None:
    task = SuperResolution(scale=scale)
    small = rng(1, "small").uniform(0.2, 0.8, (*size, 3)).astype(np.float32)
    off = task.baseline(Observation(small)) + rng(2, "off").normal(0, 0.05, 3).astype(np.float32)
    off = off.astype(np.float32)
    finished = task.finish(off, Observation(small))
    assert finished.shape == off.shape
    assert finished.dtype == np.float32
    assert 0 <= finished.min() <= finished.max() <= 1
    assert missed(finished, small) < 0.4 * missed(off, small)
    reduced = resize(finished, *size, "cubic_aa")
    assert np.abs(reduced.mean((0, 1)) - small.mean((0, 1))).max() < 1 / 255


def test_errors_of_a_network_become_smaller(picture: np.ndarray) -> None:
    """Of any kind: what is put right was wrong."""
    task = SuperResolution(scale=2)
    small = task.degrade(picture, task.draw(Spec(*picture.shape[:2]), rng(0)))
    for kind, error in {
        "colour": np.full_like(picture, [0.03, -0.02, 0.01]),
        "noise": rng(0, "noise").normal(0, 0.03, picture.shape),
        "blur": task.baseline(small) - picture,
    }.items():
        made = np.clip(picture + error, 0, 1).astype(np.float32)
        before = np.square(made - picture).mean()
        assert np.square(task.finish(made, small) - picture).mean() < 0.97 * before, kind


@pytest.mark.parametrize("degradation", ["sr_bicubic", "sr_matlab", "bsr_light", "real_esrgan"])
def test_nothing_is_certain_where_more_than_a_reduction_was_done(
    degradation: str, picture: np.ndarray
) -> None:
    task = SuperResolution(degradation=degradation, scale=4)
    made = 1 - picture
    small = resize(picture, 10, 14, "cubic_aa")
    kept = np.array_equal(task.finish(made, Observation(small)), made)
    assert kept == (degradation not in BICUBIC)
    published = SuperResolution(degradation=degradation, scale=4, back_projection=False)
    np.testing.assert_array_equal(published.finish(made, Observation(small)), made)
    assert "back-projected-bicubic" not in published.classical
    augmented = Observation(small, strength=0.3)
    np.testing.assert_array_equal(task.finish(made, augmented), made)
