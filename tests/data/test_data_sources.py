"""Sources: what is listed, in which order, under which names, and what opening refuses."""

from __future__ import annotations

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.data.cache import CachedSource
from palette.data.images import write
from palette.data.opening import open_source
from palette.data.sources import BUNDLED, BundledSource, FolderSource, Source
from palette.data.stored import from_stored
from palette.errors import PictureError
from palette.types import Picture


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Two classes, three pictures, and a text."""
    rng = np.random.default_rng(0)
    for name, size in [("dog/b.PNG", (9, 12)), ("cat/c.tif", (7, 5)), ("dog/a.JPEG", (16, 16))]:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    (tmp_path / "in" / "readme.txt").write_text("not a picture")
    return tmp_path / "in"


def test_a_folder_is_listed_by_name_with_its_classes(folder: Path) -> None:
    source = open_source(folder)
    assert isinstance(source, Source)
    assert source.ids == ["cat/c.tif", "dog/a.JPEG", "dog/b.PNG"]
    assert source.labels == ["cat", "dog", "dog"]
    assert len(source) == 3
    assert [source.read(i).shape for i in range(3)] == [(7, 5, 3), (16, 16, 3), (9, 12, 3)]


def test_pictures_at_the_top_have_no_classes(folder: Path) -> None:
    shutil.copy(folder / "dog" / "b.PNG", folder / "top.png")
    assert FolderSource(folder).labels is None
    single = FolderSource(folder / "top.png")
    assert (single.ids, single.labels) == (["top.png"], None)


def test_the_fingerprint_follows_names_and_sizes_only(folder: Path, tmp_path: Path) -> None:
    before = FolderSource(folder).fingerprint()
    shutil.copytree(folder, tmp_path / "elsewhere")
    assert FolderSource(tmp_path / "elsewhere").fingerprint() == before
    (folder / "dog" / "a.JPEG").rename(folder / "dog" / "z.JPEG")
    renamed = FolderSource(folder).fingerprint()
    assert renamed != before
    write(folder / "dog" / "b.PNG", np.zeros((3, 3, 3), np.float32))
    assert FolderSource(folder).fingerprint() != renamed


def test_opening_decodes_nothing_and_reading_names_the_broken_picture(folder: Path) -> None:
    (folder / "dog" / "b.PNG").write_bytes(b"broken")
    (folder / "dog" / "c.png").symlink_to("gone.png")
    source = open_source(folder)
    source.fingerprint()
    for i, name in [(2, r"b\.PNG"), (3, r"c\.png")]:
        with pytest.raises(PictureError, match=name):
            source.read(i)


def test_what_holds_no_pictures_is_refused(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    for where, reason in [
        ("empty", r"empty holds no pictures: .*\.png"),
        ("none", "none.*existing"),
    ]:
        with pytest.raises(ValueError, match=reason):
            open_source(tmp_path / where)
    with pytest.raises(ValueError, match=r"none\.h5"):
        open_source(tmp_path / "none.h5")
    with pytest.raises(ValueError, match=r"'val'.*train, held_out"):
        open_source(None, "val")


def test_the_bundled_photographs_are_the_agreed_ones() -> None:
    train, held_out = open_source(), open_source("bundled", "held_out")
    assert len(train) == 12
    assert held_out.ids == ["astronaut", "chelsea", "rocket"]
    assert not set(train.ids) & set(held_out.ids)
    assert [held_out.read(i).shape for i in range(3)] == [
        (512, 512, 3),
        (300, 451, 3),
        (427, 640, 3),
    ]
    for source in (train, held_out):
        assert source.labels is None
        for i in range(len(source)):
            picture = source.read(i)
            assert picture.dtype == np.float32
            assert min(picture.shape[:2]) >= 300
            assert picture.std() > 0.04
    assert train.fingerprint() != held_out.fingerprint()
    camera = train.read(train.ids.index("camera"))
    np.testing.assert_array_equal(camera[..., 0], camera[..., 2])


def test_bundled_photographs_need_no_import_of_scikit_image() -> None:
    script = (
        "import sys; from palette.data.opening import open_source; open_source().read(0);"
        "assert not {'skimage', 'torch', 'cv2', 'h5py', 'albumentations'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)


def test_a_wheel_without_photographs_names_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(BUNDLED, "train", ("coffee.png", "no-such.png"))
    with pytest.raises(ValueError, match=r"lacks no-such\.png; install"):
        BundledSource("train")


class Counting:
    """Three pictures of 8, 16 and more bits; counts its readings."""

    inputs = None

    def __init__(self) -> None:
        rng = np.random.default_rng(0)
        eight = rng.integers(0, 256, (6, 7, 3)) / np.float32(255)
        sixteen = rng.integers(0, 65536, (6, 7, 3)) / np.float32(65535)
        exact = rng.random((6, 7, 3), dtype=np.float32)
        self.pictures = [p.astype(np.float32) for p in (eight, sixteen, exact)]
        self.ids = ["8", "16", "32"]
        self.labels: list[str] | None = None
        self.readings = 0

    def __len__(self) -> int:
        return 3

    def read(self, index: int) -> Picture:
        self.readings += 1
        return self.pictures[index].copy()

    def fingerprint(self) -> str:
        return "counting"


def test_a_cache_changes_nothing_but_the_readings() -> None:
    source = Counting()
    cached = CachedSource(source, limit_bytes=10**6)
    assert isinstance(cached, Source)
    for _ in range(3):
        for i in range(3):
            picture = cached.read(i)
            np.testing.assert_array_equal(picture, source.pictures[i])
            picture[:] = 0  # must not reach what is kept
    for i in range(3):
        np.testing.assert_array_equal(from_stored(cached.stored(i)), source.pictures[i])
    assert source.readings == 3
    assert [cached.stored(i).dtype for i in range(3)] == [np.uint8, np.uint16, np.float32]
    assert (cached.ids, cached.fingerprint()) == (source.ids, "counting")


def test_a_cache_of_files_keeps_what_they_store(photos: Path) -> None:
    source = FolderSource(photos)
    for limit in (0, 10**6):
        cached = CachedSource(source, limit)
        for i in range(len(source)):
            assert cached.stored(i).dtype == np.uint8
            np.testing.assert_array_equal(cached.read(i), source.read(i))


@pytest.mark.parametrize(
    ("limit_bytes", "readings"), [(0, 9), (126, 7), (125, 9), (300, 7), (126 * 3, 5)]
)
def test_a_cache_keeps_to_its_limit(limit_bytes: int, readings: int) -> None:
    source = Counting()  # pictures of 126, 252 and 504 bytes
    cached = CachedSource(source, limit_bytes)
    for _ in range(3):
        for i in range(3):
            np.testing.assert_array_equal(cached.read(i), source.pictures[i])
    assert source.readings == readings


def test_processes_share_the_limit_of_a_cache() -> None:
    """Two that read all keep a half each; what was kept before they were two stays."""
    source = Counting()  # pictures of 126, 252 and 504 bytes
    cached = CachedSource(source, limit_bytes=2 * (126 + 252))
    cached.share(2)
    for _ in range(2):
        for i in range(3):
            cached.read(i)
    assert source.readings == 4
    cached.share(8)
    cached.read(0)
    cached.read(2)
    assert source.readings == 5


def test_colours_under_full_transparency_are_not_pictures(tmp_path: Path) -> None:
    """A cut-out on noise that nobody sees: training and evaluating get the visible colour."""
    draws = np.random.default_rng(0)
    pixels = draws.integers(0, 256, (12, 16, 4), dtype=np.uint8)
    pixels[..., 3] = 0
    pixels[3:9, 4:10] = (200, 60, 20, 255)
    Image.fromarray(pixels).save(tmp_path / "cut-out.png")
    half = pixels.copy()
    half[..., :3] = draws.integers(0, 256, half[..., :3].shape)
    half[..., 3] = 100  # seen, if faintly: its colours are meant
    Image.fromarray(half).save(tmp_path / "half.png")
    pixels[..., 3] = 0
    Image.fromarray(pixels).save(tmp_path / "unseen.png")
    source = FolderSource(tmp_path)
    for read in (source.read, lambda i: from_stored(source.stored(i))):
        with pytest.warns(UserWarning, match="nearest visible"):
            seen = np.rint(255 * read(0)).reshape(-1, 3)
        assert np.unique(seen, axis=0).tolist() == [[200, 60, 20]]
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert np.array_equal(np.rint(255 * read(1)), half[..., :3])
        with pytest.raises(PictureError, match=r"unseen\.png: nothing of it can be seen"):
            read(2)
