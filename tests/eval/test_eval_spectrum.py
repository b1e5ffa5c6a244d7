"""Octaves: waves land where they belong, energies add up, drift is in units of 1/255."""

from __future__ import annotations

import numpy as np
import pytest

from palette.eval.metrics.spectrum import colour_drift, octave_energies, octave_shares


@pytest.mark.parametrize(("cycles", "octave"), [(2, 0), (4, 0), (5, 1), (8, 1), (12, 2), (20, 3)])
def test_a_wave_lies_in_its_octave(cycles: int, octave: int) -> None:
    """64 pixels: octaves (2, 4], (4, 8], (8, 16], above 16 cycles, after (1, 2] in front."""
    wave = 0.1 * np.cos(2 * np.pi * cycles * np.arange(64) / 64)
    picture = np.broadcast_to(wave[:, None, None], (64, 64, 3))
    energies = octave_energies(picture)
    assert len(energies) == 5
    expected = np.zeros(5)
    expected[octave + (cycles > 2)] = 3 * 0.1**2 / 2
    np.testing.assert_allclose(energies, expected, atol=1e-12)


def test_octaves_hold_all_but_the_mean_and_the_coarsest() -> None:
    picture = np.random.default_rng(0).random((48, 64, 3))
    spectrum = np.abs(np.fft.fft2(picture, axes=(0, 1))) ** 2 / (48 * 64) ** 2
    frequency = np.hypot(np.fft.fftfreq(48)[:, None], np.fft.fftfreq(64)[None])
    expected = spectrum[frequency > 1 / 32].sum()
    np.testing.assert_allclose(octave_energies(picture).sum(), expected)


def test_shares_are_one_for_the_truth_and_four_for_twice_its_detail() -> None:
    draws = np.random.default_rng(0)
    baseline = [draws.random((16, 16, 3), dtype=np.float32) for _ in range(2)]
    clean = [b + draws.normal(0, 0.1, b.shape).astype(np.float32) for b in baseline]
    twice = [(b + 2 * (c - b)).astype(np.float32) for b, c in zip(baseline, clean, strict=True)]
    np.testing.assert_allclose(octave_shares(clean, clean, baseline), 1)
    np.testing.assert_allclose(octave_shares(baseline, clean, baseline), 0)
    np.testing.assert_allclose(octave_shares(twice, clean, baseline), 4, rtol=1e-5)


def test_drift_is_in_units_of_a_255th() -> None:
    clean = np.full((8, 8, 3), 0.5, np.float32)
    shift = np.array([0.1, 0, -0.2], np.float32)
    np.testing.assert_allclose(colour_drift(clean + shift, clean), [25.5, 0, -51], atol=1e-4)


def test_a_picture_without_octaves_is_refused() -> None:
    with pytest.raises(ValueError, match="4×4"):
        octave_energies(np.zeros((3, 9, 3)))
