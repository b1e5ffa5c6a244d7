"""Colorization: the luma that comes back is the input's, whatever the network answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import palette
from palette.degradations.grayscale import WEIGHTS
from palette.seeding import rng
from palette.tasks import TASKS
from palette.types import Observation

LUMA = np.array(WEIGHTS["rec601"])


def eight_bit_luma(picture: np.ndarray) -> np.ndarray:
    """(H, W) int, of the float values."""
    return np.rint(255 * (picture.astype(np.float64) @ LUMA)).astype(int)


def grey_picture(draws: np.random.Generator, dark: float = 0.0, bright: float = 1.0) -> np.ndarray:
    """(9, 7, 3) of stored values of 8 bits."""
    stored = np.rint(255 * draws.uniform(dark, bright, (9, 7, 1)))
    return np.repeat(stored / 255, 3, axis=2).astype(np.float32)


ANSWERS: dict[str, Any] = {
    "any": lambda draws, shape: draws.random(shape),
    "extreme": lambda draws, shape: draws.integers(0, 2, shape),
    "beyond": lambda draws, shape: draws.normal(0.5, 3, shape),
    "grey": lambda draws, shape: np.repeat(draws.random((*shape[:2], 1)), 3, axis=2),
    "black": lambda draws, shape: np.zeros(shape),
    "blue": lambda draws, shape: np.broadcast_to([0.0, 0, 1], shape),
    "nearly grey": lambda draws, shape: 0.5 + draws.normal(0, 1e-6, shape),
}


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    answer=st.sampled_from(sorted(ANSWERS)),
    extent=st.sampled_from([(0.0, 1.0), (0.0, 0.02), (0.98, 1.0), (0.0, 0.0), (1.0, 1.0)]),
)
def test_any_answer_keeps_the_luma(seed: int, answer: str, extent: tuple[float, float]) -> None:
    draws = np.random.default_rng(seed)
    given = grey_picture(draws, *extent)
    restored = ANSWERS[answer](draws, given.shape).astype(np.float32)
    before = restored.copy()
    finished = TASKS["colorization"]().finish(restored, Observation(given))
    np.testing.assert_array_equal(restored, before)
    assert finished.dtype == np.float32
    assert finished.min() >= 0
    assert finished.max() <= 1
    np.testing.assert_array_equal(eight_bit_luma(finished), eight_bit_luma(given))
    # and in the file: rounding moves the luma by half a level at most
    saved = np.rint(255 * finished.astype(np.float64)) / 255
    np.testing.assert_array_equal(eight_bit_luma(saved), eight_bit_luma(given))


def test_colours_that_fit_are_kept_and_others_keep_their_hue() -> None:
    task, half = TASKS["colorization"](), np.full((1, 1, 3), 0.5, np.float32)
    fits = np.array([[[0.6, 0.45, 0.52]]], np.float32)
    chroma = fits - fits @ LUMA
    np.testing.assert_allclose(task.finish(fits, Observation(half)), 0.5 + chroma, atol=1e-6)
    bright = np.full((1, 1, 3), 0.95, np.float32)
    paler = task.finish(fits, Observation(bright)) - 0.95
    assert (paler + 0.95).max() == pytest.approx(1)
    np.testing.assert_allclose(paler / paler.max(), chroma / chroma.max(), rtol=1e-4)


@pytest.mark.parametrize("diffuse", ["residual", "picture"])
def test_the_other_forms_keep_what_the_network_made(diffuse: str) -> None:
    draws = np.random.default_rng(0)
    task, given = TASKS["colorization"](diffuse=diffuse), grey_picture(draws)
    made = draws.random(given.shape).astype(np.float32)
    assert task.target == diffuse
    np.testing.assert_array_equal(task.finish(made, Observation(given)), made)


def test_the_condition_is_grey(picture: np.ndarray) -> None:
    x = TASKS["colorization"]().condition(Observation(picture), rng(0)).x
    np.testing.assert_allclose(x[..., 0], x[..., 1], atol=1e-6)
    np.testing.assert_allclose(x[..., 0], x[..., 2], atol=1e-6)
    np.testing.assert_allclose((x[..., 0] + 1) / 2, picture @ LUMA, atol=1e-6)


@pytest.mark.parametrize("answer", ["mean", "sample"])
def test_a_restored_picture_has_the_luma_of_the_input(
    trained: dict[str, Path], picture: np.ndarray, answer: str
) -> None:
    """From the network's noise to the file, of a coloured input and of a grey one."""
    model = palette.load(trained["colorization"], answer=answer, steps=2)
    grey = np.repeat(np.rint(255 * picture @ LUMA)[..., None], 3, axis=2).astype(np.uint8)
    restored = model.restore(grey)
    assert np.ptp(restored.astype(int), axis=2).max() > 1  # it has colours
    np.testing.assert_array_equal(eight_bit_luma(restored / 255.0), grey[..., 0])
    floats = model.restore(picture)
    np.testing.assert_allclose(floats @ LUMA, picture @ LUMA, atol=1e-6)
