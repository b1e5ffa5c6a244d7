"""Pairs: partners, sizes, crops at one place, and both sides of a split and of a cache."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from palette.data.cache import CachedSource
from palette.data.crops import Crops
from palette.data.images import read, write
from palette.data.opening import open_source
from palette.data.pairs import Pairs
from palette.data.split import split
from palette.seeding import rng


def pairs_of(photos: Path, blurred: Path) -> Pairs:
    source = open_source(photos, inputs=blurred)
    assert isinstance(source, Pairs)
    return source


def test_partners_have_one_path_whatever_their_suffixes(photos: Path, blurred: Path) -> None:
    source = pairs_of(photos, blurred)
    assert (len(source), source.scale) == (6, 1)
    assert source.ids == open_source(photos).ids
    assert len({Path(name).suffix for name in source.ids}) == 3
    for index, name in enumerate(source.ids):
        np.testing.assert_array_equal(source.read(index), read(photos / name).picture)
        partner = (blurred / name).with_suffix(".png")
        np.testing.assert_array_equal(source.inputs.read(index), read(partner).picture)


def test_an_order_of_names_that_suffixes_change(tmp_path: Path) -> None:
    """a.b sorts before a.png and a.b.png behind it."""
    for folder, suffix in (("sharp", "png"), ("blurred", "bmp")):
        (tmp_path / folder).mkdir()
        for number, stem in enumerate(("a", "a.b", "a-b")):
            grey = np.full((8, 8, 3), 100 * number, np.uint8)
            Image.fromarray(grey).save(tmp_path / folder / f"{stem}.{suffix}")
    source = pairs_of(tmp_path / "sharp", tmp_path / "blurred")
    for index in range(3):
        np.testing.assert_array_equal(source.read(index), source.inputs.read(index))


def test_a_picture_that_its_camera_turned_has_the_size_that_it_shows(tmp_path: Path) -> None:
    (tmp_path / "sharp").mkdir()
    (tmp_path / "blurred").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (20, 40)).save(tmp_path / "sharp" / "a.jpg", exif=exif)
    Image.new("RGB", (20, 10)).save(tmp_path / "blurred" / "a.jpg")
    source = pairs_of(tmp_path / "sharp", tmp_path / "blurred")
    assert source.scale == 2
    assert source.read(0).shape == (20, 40, 3)


@settings(max_examples=100, deadline=None)
@given(
    scale=st.integers(1, 5),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    size=st.integers(1, 24),
    seed=st.integers(0, 1000),
)
def test_a_pair_is_cropped_and_mirrored_at_one_place(
    scale: int, height: int, width: int, size: int, seed: int
) -> None:
    """Each pixel of the input is a block of the target: so it is in every crop of both."""
    values = np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)
    target = values.repeat(scale, 0).repeat(scale, 1)
    large, small = Crops(size * scale).pair(target, values, rng(seed, "crop"))
    assert large.shape == (size * scale, size * scale, 3)
    assert small.shape == (size, size, 3)
    np.testing.assert_array_equal(large, small.repeat(scale, 0).repeat(scale, 1))


def test_beyond_its_edges_a_pair_is_mirrored_within_the_blocks_too() -> None:
    """A ramp goes on without a jump on both sides of an edge."""
    target = np.repeat(np.arange(16.0)[:, None, None], 3, 2).repeat(16, 1)
    small = target.reshape(8, 2, 8, 2, 3).mean((1, 3))
    large, reduced = Crops(24, flips=False).pair(target, small, rng(0))
    assert np.abs(np.diff(large[..., 0], axis=0)).max() == 1
    np.testing.assert_allclose(large.reshape(12, 2, 12, 2, 3).mean((1, 3)), reduced)


def test_crops_of_a_pair_are_everywhere_and_half_of_them_mirrored() -> None:
    rows, columns = np.mgrid[:9, :13]
    values = np.stack([rows, columns, rows], -1).astype(np.float32)
    crops = [Crops(4).pair(values, values, rng(0, i))[1] for i in range(3000)]
    mirrored = np.array([crop[0, 0, 1] > crop[0, 1, 1] for crop in crops])
    top = np.array([crop[0, 0, 0] for crop in crops], int)
    left = np.array([crop[0, :, 1].min() for crop in crops], int)
    assert 0.45 < mirrored.mean() < 0.55
    for found, places in ((top, 6), (left, 10)):
        counts = np.bincount(found, minlength=places)
        assert len(counts) == places
        assert counts.min() > 0.75 * 3000 / places
    assert abs(np.corrcoef(mirrored, left)[0, 1]) < 0.08


def test_both_sides_of_a_split_and_a_cache_keep_the_partners(photos: Path, blurred: Path) -> None:
    source = pairs_of(photos, blurred)
    for part in split(source, 0.3):
        assert part is not None
        cached = CachedSource(part, 2**20)
        assert part.inputs is not None
        assert cached.inputs is not None
        for index, name in enumerate(part.ids):
            partner = read((blurred / name).with_suffix(".png")).picture
            np.testing.assert_array_equal(part.inputs.read(index), partner)
            np.testing.assert_array_equal(cached.inputs.read(index), partner)


def test_the_fingerprint_follows_the_inputs_too(
    photos: Path, blurred: Path, tmp_path: Path
) -> None:
    before = pairs_of(photos, blurred).fingerprint()
    assert before == pairs_of(photos, blurred).fingerprint()
    assert before != open_source(photos).fingerprint()
    for path in blurred.rglob("*.png"):
        copy = tmp_path / path.relative_to(blurred)
        copy.parent.mkdir(exist_ok=True)
        write(copy, 1 - read(path).picture)
    assert before != pairs_of(photos, tmp_path).fingerprint()
