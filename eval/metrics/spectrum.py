"""What a restored picture has of each scale: energy per octave, and the drift of its mean colour.

PSNR rewards a blurred mean. Whether a *sample* is one of the posterior shows here: the energy of
(restored − baseline) in each octave over that of (clean − baseline) is 1 where it has as much
detail as the truth, below where it is too smooth, above where it makes noise.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.types import Picture


def octave_energies(picture: NDArray[np.floating]) -> NDArray[np.float64]:
    """Energy per pixel in each octave of ``picture`` (H, W, C), coarse to fine: (n,).

    The finest octave holds the frequencies above 1/4 cycle per pixel, each further one goes down
    by half, n = ⌊log₂ of the shorter side⌋ − 1 of them; the mean colour and what is coarser than
    the last octave are in none. UserError for a side below 4.
    """
    height, width = picture.shape[:2]
    if min(height, width) < 4:
        raise UserError(f"a picture of {width}×{height} has no octaves: 4×4 is the least")
    power = np.abs(np.fft.fft2(picture, axes=(0, 1))) ** 2
    power = power.sum(axis=2) / (height * width) ** 2  # Parseval: sums to the mean square
    frequency = np.hypot(np.fft.fftfreq(height)[:, None], np.fft.fftfreq(width)[None])
    count = int(np.log2(min(height, width))) - 1
    edges = 0.5 ** np.arange(count + 1, 1, -1)
    places = np.digitize(frequency.ravel(), edges, right=True)
    sums = np.bincount(places, weights=power.ravel(), minlength=count + 1)
    return sums[1:].astype(np.float64)


def octave_shares(
    restored: Sequence[Picture], clean: Sequence[Picture], baseline: Sequence[Picture]
) -> NDArray[np.float64]:
    """Energy of restored − baseline over that of clean − baseline, per octave, coarse to fine.

    Over all pictures of a list together, which are of one size: (n,).
    """
    made = sum(octave_energies(r - b) for r, b in zip(restored, baseline, strict=True))
    true = sum(octave_energies(c - b) for c, b in zip(clean, baseline, strict=True))
    return np.asarray(made / np.maximum(true, 1e-20))


def colour_drift(restored: Picture, clean: Picture) -> NDArray[np.float64]:
    """Mean colour of restored − that of clean: (3,), in units of 1/255."""
    return 255 * (restored.mean(axis=(0, 1), dtype=np.float64) - clean.mean(axis=(0, 1)))
