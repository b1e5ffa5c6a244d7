"""Kernel Inception distance (Bińkowski et al. 2018) and Inception score (Salimans et al. 2016)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from palette.errors import UserError
from palette.seeding import rng

SUBSETS = 100
SUBSET_SIZE = 1000
CHUNK = 5000
"""The Inception score is the mean over chunks of this many pictures, as published ones are."""


class Spread(NamedTuple):
    """A figure and its standard deviation over subsets or chunks; None where there is only one."""

    value: float
    deviation: float | None


def kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """(x·y / d + 1)³ of all pairs: ``(N, D)`` and ``(M, D)`` to ``(N, M)``."""
    return (x @ y.T / x.shape[1] + 1) ** 3


def squared_discrepancy(x: NDArray[np.float64], y: NDArray[np.float64]) -> float:
    """Unbiased estimate of MMD² (Gretton et al. 2012, equation 3): negative values are possible."""
    n, m = len(x), len(y)
    if min(n, m) < 2:
        raise UserError(f"the kernel distance needs 2 pictures or more a side, not {n} and {m}")
    xx, yy = kernel(x, x), kernel(y, y)
    within_x = (xx.sum() - np.trace(xx)) / (n * (n - 1))
    within_y = (yy.sum() - np.trace(yy)) / (m * (m - 1))
    return float(within_x + within_y - 2 * kernel(x, y).mean())


def kernel_distance(
    x: NDArray[np.floating], y: NDArray[np.floating], seed: int = 0, subset_size: int = SUBSET_SIZE
) -> Spread:
    """KID of features ``(N, D)`` and ``(M, D)``: the mean over seeded subsets.

    Where both sides fit into one subset, one subset holds everything and there is no spread.
    """
    x, y = x.astype(np.float64), y.astype(np.float64)
    if max(len(x), len(y)) <= subset_size:
        return Spread(squared_discrepancy(x, y), None)
    size = min(subset_size, len(x), len(y))
    generator = rng(seed, "kid", len(x), len(y))
    values = []
    for _ in range(SUBSETS):
        chosen_x = generator.choice(len(x), size, replace=False)
        chosen_y = generator.choice(len(y), size, replace=False)
        values.append(squared_discrepancy(x[chosen_x], y[chosen_y]))
    return Spread(float(np.mean(values)), float(np.std(values)))


def inception_score(logits: NDArray[np.floating], chunk: int = CHUNK) -> Spread:
    """exp E_x KL(p(y|x) ‖ p(y)) of logits ``(N, C)``: the mean over chunks of pictures in order.

    A last chunk of less than half of ``chunk`` joins the one before: small chunks score lower.
    """
    if len(logits) == 0:
        raise UserError("the Inception score of no pictures")
    count = max(1, round(len(logits) / chunk))
    scores = []
    for part in np.array_split(logits.astype(np.float64), count):
        shifted = part - part.max(axis=1, keepdims=True)
        log_p = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
        p = np.exp(log_p)
        marginal = p.mean(axis=0)
        # 0·log 0 is 0: classes that never occur must not turn the sum into NaN.
        entropy = -(marginal * np.log(np.where(marginal > 0, marginal, 1))).sum()
        scores.append(np.exp((p * log_p).sum(axis=1).mean() + entropy))
    deviation = float(np.std(scores)) if count > 1 else None
    return Spread(float(np.mean(scores)), deviation)
