"""The Fréchet distance between two Gaussians, and the mean and covariance that it needs.

Heusel et al. 2017, equation 6: d² = |μ₁ − μ₂|² + Tr(Σ₁ + Σ₂ − 2 (Σ₁Σ₂)^½). With L Lᵀ = Σ₂ the last
trace is that of (LᵀΣ₁L)^½, whose matrix is symmetric: a Cholesky factor and the eigenvalues of a
symmetric matrix instead of the square root of a general one. ``eigvalsh(Σ₁Σ₂)`` would be wrong, as
Σ₁Σ₂ is not symmetric.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import get_lapack_funcs

from palette.errors import UserError, of_file
from palette.files import write_bytes

Array = NDArray[np.float64]


class Moments:
    """Count, mean and covariance of vectors that arrive in batches, in float64.

    Chan, Golub and LeVeque 1983: means and scatters merge pairwise, so large means cost no digits
    and batches or shards merge in any order. ``scatter`` is Σ (x − mean)(x − mean)ᵀ.
    """

    def __init__(self, dimensions: int) -> None:
        self.count = 0
        self.mean: Array = np.zeros(dimensions)
        self.scatter: Array = np.zeros((dimensions, dimensions))

    def update(self, features: NDArray[np.floating]) -> None:
        """Add a batch ``(B, D)``."""
        if features.ndim != 2 or features.shape[1] != self.mean.size:
            raise UserError(f"features of shape {features.shape}: expected (B, {self.mean.size})")
        if len(features) == 0:
            return
        batch = features.astype(np.float64)
        mean = batch.mean(axis=0)
        centred = batch - mean
        self._add(len(batch), mean, centred.T @ centred)

    def merge(self, other: Moments) -> None:
        """Add everything that ``other`` has seen."""
        if other.mean.shape != self.mean.shape:
            raise UserError(
                f"moments of {self.mean.size} and {other.mean.size} dimensions do not merge"
            )
        if other.count:
            self._add(other.count, other.mean, other.scatter)

    def _add(self, count: int, mean: Array, scatter: Array) -> None:
        total = self.count + count
        shift = mean - self.mean
        self.mean = self.mean + shift * (count / total)
        self.scatter = self.scatter + scatter
        self.scatter += np.outer(shift, shift) * (self.count * count / total)
        self.count = total

    def compute(self) -> Gaussian:
        """Mean and unbiased covariance; UserError below two vectors."""
        if self.count < 2:
            raise UserError(f"a covariance needs 2 pictures or more, not {self.count}")
        return Gaussian(self.mean, self.scatter / (self.count - 1), self.count)


@dataclass(frozen=True)
class Gaussian:
    """Mean ``(D,)`` and covariance ``(D, D)`` of features; ``count`` is None where not known.

    ``deviations`` are the ``(D, N)`` centred features over √(N−1), where they are few.
    """

    mean: Array
    covariance: Array
    count: int | None = None
    deviations: Array | None = None

    @cached_property
    def root(self) -> Array:
        """``L (D, R)`` with L Lᵀ = covariance; computed once, or the deviations themselves.

        By Cholesky with pivoting, which stops at the numerical rank R: a fraction of the time of
        the symmetric eigenproblem that would give another such root.
        """
        if self.deviations is not None:
            return self.deviations
        dimensions = len(self.mean)
        largest = float(np.diag(self.covariance).max())
        if largest <= 0:
            return np.zeros((dimensions, 0))
        tolerance = largest * dimensions * np.finfo(np.float64).eps
        (factorise,) = get_lapack_funcs(("pstrf",), (self.covariance,))
        factor, pivots, rank, _ = factorise(self.covariance, lower=1, tol=tolerance)
        root = np.zeros((dimensions, rank))
        root[pivots - 1] = np.tril(factor)[:, :rank]
        return root

    def distance(self, other: Gaussian) -> float:
        """Fréchet distance; the root of ``self`` is kept, so let ``self`` be the reference."""
        if self.root.shape[1] == 0:
            trace_of_root = 0.0
        else:
            inner = self.root.T @ other.covariance @ self.root
            trace_of_root = float(np.sqrt(np.clip(np.linalg.eigvalsh(inner), 0, None)).sum())
        return self._assemble(other.mean, float(np.trace(other.covariance)), trace_of_root)

    def distance_to_features(self, features: NDArray[np.floating]) -> float:
        """The same distance to the Gaussian of ``features (N, D)``, whose covariance is not formed.

        With centred features X, Tr (LᵀΣL)^½ is the nuclear norm of X L / √(N−1), found from the
        Gram matrix of its shorter side: cheap while there are fewer pictures than dimensions.
        """
        if len(features) < 2:
            raise UserError(f"a covariance needs 2 pictures or more, not {len(features)}")
        x = features.astype(np.float64)
        mean = x.mean(axis=0)
        x -= mean
        x /= np.sqrt(len(x) - 1)
        cross = x @ self.root
        gram = cross @ cross.T if cross.shape[0] < cross.shape[1] else cross.T @ cross
        nuclear = float(np.sqrt(np.clip(np.linalg.eigvalsh(gram), 0, None)).sum())
        return self._assemble(mean, float(np.square(x).sum()), nuclear)

    def _assemble(self, mean: Array, trace: float, trace_of_root: float) -> float:
        difference = self.mean - mean
        own = float(np.trace(self.covariance))
        return float(difference @ difference) + own + trace - 2 * trace_of_root

    def save(self, path: Path) -> None:
        """An ``.npz`` that pytorch-fid reads: ``mu``, ``sigma``, and ``count`` (0: unknown)."""
        buffer = io.BytesIO()
        count = np.array(self.count or 0)
        np.savez(buffer, mu=self.mean, sigma=self.covariance, count=count)
        write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path) -> Gaussian:
        """Read statistics that this class or pytorch-fid wrote."""
        if not zipfile.is_zipfile(path):
            raise UserError(f"{path} is missing or no .npz file: give mu and sigma in one")
        try:
            with np.load(path) as file:
                arrays = {name: file[name] for name in ("mu", "sigma", "count") if name in file}
        except Exception as error:  # a damaged file raises anything at all
            raise UserError(f"{path} is no sound .npz file: {error}") from None
        missing = {"mu", "sigma"} - set(arrays)
        if missing:
            raise UserError(
                f"{path} lacks {', '.join(sorted(missing))}: "
                "it must hold mu and sigma, as `pytorch-fid --save-stats` writes them"
            )
        count = int(arrays.get("count", np.array(0)).flat[0])
        with of_file(path):
            return _checked(arrays["mu"], arrays["sigma"], count or None)


def frechet_distance(
    mu1: NDArray[np.floating],
    sigma1: NDArray[np.floating],
    mu2: NDArray[np.floating],
    sigma2: NDArray[np.floating],
) -> float:
    """Fréchet distance of N(``mu1``, ``sigma1``) and N(``mu2``, ``sigma2``), in float64.

    Means are ``(D,)`` and covariances ``(D, D)``, symmetric, of any rank.
    """
    return _checked(mu1, sigma1).distance(_checked(mu2, sigma2))


def gaussian_of(features: NDArray[np.floating]) -> Gaussian:
    """Mean and unbiased covariance of ``features (N, D)``, with a root for free where N < D."""
    moments = Moments(features.shape[1])
    moments.update(features)
    gaussian = moments.compute()
    if len(features) >= features.shape[1]:
        return gaussian
    deviations = (features - gaussian.mean).T / np.sqrt(len(features) - 1)
    return replace(gaussian, deviations=deviations)


def _checked(
    mean: NDArray[np.floating], covariance: NDArray[np.floating], count: int | None = None
) -> Gaussian:
    mean = np.atleast_1d(np.asarray(mean, np.float64))
    covariance = np.atleast_2d(np.asarray(covariance, np.float64))
    if mean.ndim != 1 or covariance.shape != (mean.size, mean.size):
        raise UserError(
            f"mean of shape {mean.shape} and covariance of shape {covariance.shape}: "
            "expected (D,) and (D, D)"
        )
    if not (np.isfinite(mean).all() and np.isfinite(covariance).all()):
        raise UserError("the statistics hold NaN or infinity: compute them again")
    return Gaussian(mean, (covariance + covariance.T) / 2, count)
