"""Fills: known pixels stay, any hole of any size, and what each of them continues."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import PHOTOS
from hypothesis import given, settings
from hypothesis import strategies as st

from palette.data.opening import open_source
from palette.degradations import build
from palette.degradations.fill import FILLS, harmonic
from palette.degradations.masks import Hole
from palette.seeding import rng
from palette.types import Mask, Picture, Spec

every_fill = pytest.mark.parametrize("name", FILLS)


@every_fill
@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 33),
    width=st.integers(1, 33),
    share=st.sampled_from([0.0, 0.02, 0.5, 0.98, 1.0]),
    seed=st.integers(0, 99),
)
def test_any_hole_of_any_size(name: str, height: int, width: int, share: float, seed: int) -> None:
    draws = np.random.default_rng(seed)
    picture = draws.random((height, width, 3), dtype=np.float32)
    hole = draws.random((height, width)) < share
    before = picture.copy()
    filled = FILLS[name](picture, hole)
    np.testing.assert_array_equal(picture, before)
    assert filled.dtype == np.float32
    assert filled.shape == picture.shape
    np.testing.assert_array_equal(filled[~hole], picture[~hole])
    assert filled.min() >= 0
    assert filled.max() <= 1
    if hole.all():
        np.testing.assert_array_equal(filled, np.full_like(picture, 0.5))


@every_fill
def test_what_is_in_the_hole_does_not_matter(name: str) -> None:
    draws = np.random.default_rng(0)
    picture = draws.random((24, 31, 3), dtype=np.float32)
    hole = draws.random((24, 31)) < 0.4
    other = np.where(hole[..., None], np.float32(0.5), picture)
    np.testing.assert_array_equal(FILLS[name](picture, hole), FILLS[name](other, hole))


@every_fill
def test_a_constant_is_continued(name: str) -> None:
    picture = np.full((20, 27, 3), 51 / 255, np.float32)
    hole = np.zeros((20, 27), bool)
    hole[4:17, 5:20] = True
    exact = name in ("harmonic", "mean")  # OpenCV rounds to 8 bits on its way
    error = np.abs(FILLS[name](picture, hole) - picture).max()
    assert error < (1e-6 if exact else 3 / 255)


@pytest.mark.parametrize("size", [(1, 1), (1, 9), (9, 1)])
@every_fill
def test_a_single_known_pixel_fills_all(name: str, size: tuple[int, int]) -> None:
    picture, hole = np.zeros((*size, 3), np.float32), np.ones(size, bool)
    picture[0, 0], hole[0, 0] = (0.2, 0.4, 0.6), False
    filled = FILLS[name](picture, hole)
    np.testing.assert_array_equal(filled[0, 0], picture[0, 0])
    if name in ("harmonic", "mean"):
        np.testing.assert_allclose(filled, np.broadcast_to(picture[0, 0], filled.shape), atol=1e-6)


@pytest.mark.parametrize("slope", [(0.9, 0.0), (0.0, 0.9), (0.4, -0.5)])
def test_a_ramp_around_a_hole_is_continued(slope: tuple[float, float]) -> None:
    """A linear ramp is harmonic, so that it is what the membrane must find."""
    rows, columns = np.meshgrid(np.linspace(0, 1, 48), np.linspace(0, 1, 40), indexing="ij")
    ramp = (0.5 + slope[0] * (rows - 0.5) + slope[1] * (columns - 0.5)).astype(np.float32)
    picture = np.repeat(ramp[..., None], 3, axis=2)
    hole = np.zeros(ramp.shape, bool)
    hole[12:37, 10:29] = True
    error = np.abs(harmonic(picture, hole) - picture)[hole]
    assert error.max() < 3 / 255
    assert np.abs(FILLS["mean"](picture, hole) - picture)[hole].max() > 20 / 255


def solved(picture: Picture, hole: Mask) -> Picture:
    """The membrane by a linear system: each missing pixel is the mean of its neighbours."""
    from scipy.sparse import lil_matrix
    from scipy.sparse.linalg import spsolve

    places = {tuple(place): i for i, place in enumerate(np.argwhere(hole))}
    matrix, right = lil_matrix((len(places), len(places))), np.zeros((len(places), 3))
    for (row, column), i in places.items():
        matrix[i, i] = 4
        for there in ((row - 1, column), (row + 1, column), (row, column - 1), (row, column + 1)):
            if there in places:
                matrix[i, places[there]] -= 1
            else:
                right[i] += picture[there]
    filled = picture.copy()
    filled[hole] = np.asarray(spsolve(matrix.tocsr(), right))
    return filled


def test_the_membrane_is_near_the_exact_one() -> None:
    picture = open_source("bundled").read(0)[100:164, 80:144]
    hole = np.zeros((64, 64), bool)
    hole[20:50, 12:40] = True
    exact = solved(picture, hole)
    far = np.abs(FILLS["mean"](picture, hole) - exact)[hole].mean()
    assert np.abs(harmonic(picture, hole) - exact)[hole].mean() < min(2 / 255, far / 10)


def photographs() -> list[Picture]:
    """Crops of 96² of held-out photographs, and of those outside of the repository."""
    source = open_source("bundled", split="held_out")
    pictures = [source.read(i) for i in range(len(source))]
    if (PHOTOS / "val").is_dir():
        outside = open_source(PHOTOS / "val")
        pictures += [outside.read(i) for i in range(min(6, len(outside)))]
    return [p[i : i + 96, i : i + 96] for p in pictures for i in (20, 100, 180)]


@pytest.mark.parametrize("degradation", ["palette_inpainting", "palette_uncropping"])
def test_a_continuation_is_better_than_one_colour(degradation: str) -> None:
    operator, errors = build(degradation), dict.fromkeys(FILLS, 0.0)
    assert isinstance(operator, Hole)
    for i, clean in enumerate(photographs()):
        params = operator.draw(Spec(96, 96), rng(i))
        hole = operator.mask(params)
        for name, fill in FILLS.items():
            filled = fill(operator.apply(clean, params), hole)
            errors[name] += float(np.square(filled - clean)[hole].mean())
    assert errors["harmonic"] < 0.8 * errors["mean"]
    assert errors["telea"] < errors["mean"]
    assert errors["harmonic"] < 1.1 * errors["telea"]


@pytest.mark.parametrize("name", ["harmonic", "telea", "navier-stokes"])
def test_a_hole_at_the_border_is_continued_from_its_one_side(name: str, picture: Picture) -> None:
    """Rows of one colour each go on as themselves: nearer to the truth than their mean."""
    hole = np.zeros(picture.shape[:2], bool)
    hole[:, 40:] = True
    stripes = np.broadcast_to(picture[:, :1], picture.shape).copy()
    ours, flat = (np.abs(FILLS[n](stripes, hole) - stripes)[hole].mean() for n in (name, "mean"))
    assert ours < 0.9 * flat
