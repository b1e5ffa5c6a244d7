"""The Fréchet distance against closed forms, the matrix square root and pytorch-fid's function."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import scipy.linalg
from hypothesis import given, settings
from hypothesis import strategies as st

from palette.eval.metrics.frechet import Gaussian, Moments, frechet_distance, gaussian_of


def features(count: int, dimensions: int, seed: int = 0, mean: float = 0.0) -> np.ndarray:
    """Correlated features with a steep spectrum, as Inception's are."""
    rng = np.random.default_rng(seed)
    mixing = rng.normal(size=(dimensions, dimensions)) * np.geomspace(1, 1e-2, dimensions)
    return rng.normal(size=(count, dimensions)) @ mixing.T + mean + rng.normal(size=dimensions)


def by_square_root(mu1, sigma1, mu2, sigma2) -> float:
    """The formula of the paper, with SciPy's square root of a general matrix."""
    root = scipy.linalg.sqrtm(sigma1 @ sigma2)
    return float(np.sum((mu1 - mu2) ** 2) + np.trace(sigma1 + sigma2 - 2 * np.real(root)))


def statistics(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return x.mean(axis=0), np.cov(x, rowvar=False)


@given(
    st.lists(st.tuples(*[st.floats(0.01, 100) for _ in range(4)]), min_size=1, max_size=8),
)
def test_commuting_gaussians_have_a_closed_form(axes: list[tuple[float, ...]]) -> None:
    m1, s1, m2, s2 = (np.array(column) for column in zip(*axes, strict=True))
    expected = np.sum((m1 - m2) ** 2) + np.sum((s1 - s2) ** 2)
    computed = frechet_distance(m1, np.diag(s1**2), m2, np.diag(s2**2))
    assert computed == pytest.approx(expected, rel=1e-9, abs=1e-7)


def test_rotated_gaussians_have_the_same_distance() -> None:
    rng = np.random.default_rng(3)
    rotation, _ = np.linalg.qr(rng.normal(size=(6, 6)))
    s1, s2 = np.diag(rng.uniform(1, 5, 6)), np.diag(rng.uniform(1, 5, 6))
    zero = np.zeros(6)
    turned = frechet_distance(zero, rotation @ s1 @ rotation.T, zero, rotation @ s2 @ rotation.T)
    assert turned == pytest.approx(np.sum((np.sqrt(s1) - np.sqrt(s2)) ** 2), rel=1e-10)


@pytest.mark.parametrize(("n", "m"), [(500, 400), (40, 400), (400, 40), (30, 20)])
def test_equals_the_matrix_square_root_for_any_rank(n: int, m: int) -> None:
    x, y = features(n, 96, 0), features(m, 96, 1, mean=0.3)
    exact = by_square_root(*statistics(x), *statistics(y))
    assert frechet_distance(*statistics(x), *statistics(y)) == pytest.approx(exact, rel=1e-6)
    assert gaussian_of(x).distance_to_features(y) == pytest.approx(exact, rel=1e-6)
    assert gaussian_of(y).distance_to_features(x) == pytest.approx(exact, rel=1e-6)
    assert gaussian_of(y).distance(gaussian_of(x)) == pytest.approx(exact, rel=1e-6)


def test_equals_pytorch_fid_with_any_scipy(monkeypatch: pytest.MonkeyPatch) -> None:
    """SciPy 1.18 dropped ``disp``, and with it pytorch-fid's function; ours does not need it."""
    from pytorch_fid.fid_score import calculate_frechet_distance

    x, y = statistics(features(200, 64, 0)), statistics(features(300, 64, 1))
    sqrtm = scipy.linalg.sqrtm

    def older(matrix: np.ndarray, disp: bool = True) -> object:
        return sqrtm(matrix) if disp else (sqrtm(matrix), 0.0)

    monkeypatch.setattr(scipy.linalg, "sqrtm", older)
    theirs = calculate_frechet_distance(*x, *y)
    assert frechet_distance(*x, *y) == pytest.approx(theirs, rel=1e-6)

    def newer(matrix: np.ndarray) -> object:
        return sqrtm(matrix)

    monkeypatch.setattr(scipy.linalg, "sqrtm", newer)
    with pytest.raises(TypeError):
        calculate_frechet_distance(*x, *y)
    assert frechet_distance(*x, *y) == pytest.approx(theirs, rel=1e-6)


def test_is_a_squared_distance() -> None:
    x, y = statistics(features(50, 32, 0)), statistics(features(60, 32, 1))
    scale = float(np.trace(x[1]))
    assert frechet_distance(*x, *x) == pytest.approx(0, abs=1e-6 * scale)
    assert frechet_distance(*x, *y) == pytest.approx(frechet_distance(*y, *x), rel=1e-9)
    assert frechet_distance(*x, x[0] + 2, x[1]) == pytest.approx(4 * 32, rel=1e-6)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 40), min_size=2, max_size=6), st.floats(-1e4, 1e4), st.randoms())
def test_streaming_moments_equal_numpy_in_any_batches_and_order(sizes, mean, random) -> None:
    x = features(sum(sizes), 8, mean=mean)
    parts = []
    for part in np.split(x, np.cumsum(sizes)[:-1]):
        moments = Moments(8)
        for half in np.array_split(part, 2):
            moments.update(half)
        parts.append(moments)
    random.shuffle(parts)
    merged = Moments(8)
    for part in parts:
        merged.merge(part)
    gaussian = merged.compute()
    assert gaussian.count == len(x)
    assert gaussian.mean == pytest.approx(x.mean(axis=0), rel=1e-12, abs=1e-12)
    covariance = np.cov(x, rowvar=False)
    largest = np.abs(covariance).max()
    # np.cov itself carries the rounding of the mean: about ε·|mean| on every deviation.
    tolerance = 1e-12 + 4 * np.finfo(float).eps * abs(mean) / np.sqrt(largest)
    assert np.abs(gaussian.covariance - covariance).max() / largest < tolerance


def test_statistics_files_are_those_of_pytorch_fid(tmp_path: Path) -> None:
    from pytorch_fid.fid_score import compute_statistics_of_path

    gaussian = gaussian_of(features(50, 16))
    gaussian.save(tmp_path / "ours.npz")
    mean, covariance = compute_statistics_of_path(str(tmp_path / "ours.npz"), None, 1, 16, "cpu")
    np.testing.assert_array_equal(mean, gaussian.mean)
    np.testing.assert_array_equal(covariance, gaussian.covariance)
    np.savez_compressed(tmp_path / "theirs.npz", mu=mean, sigma=covariance)
    theirs = Gaussian.load(tmp_path / "theirs.npz")
    assert theirs.count is None
    assert Gaussian.load(tmp_path / "ours.npz").count == 50
    np.testing.assert_allclose(theirs.covariance, gaussian.covariance, rtol=1e-15)


def test_errors_say_what_is_wrong(tmp_path: Path) -> None:
    eye = np.eye(3)
    with pytest.raises(ValueError, match=r"\(D, D\)"):
        frechet_distance(np.zeros(2), eye, np.zeros(3), eye)
    with pytest.raises(ValueError, match="NaN"):
        frechet_distance(np.full(3, np.nan), eye, np.zeros(3), eye)
    with pytest.raises(ValueError, match="2 pictures"):
        Moments(3).compute()
    with pytest.raises(ValueError, match="do not merge"):
        Moments(3).merge(Moments(4))
    (tmp_path / "text.npz").write_text("hello")
    with pytest.raises(ValueError, match="npz"):
        Gaussian.load(tmp_path / "text.npz")
    np.savez(tmp_path / "other.npz", mean=eye)
    with pytest.raises(ValueError, match="lacks mu, sigma"):
        Gaussian.load(tmp_path / "other.npz")
