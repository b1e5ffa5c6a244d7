"""Masks, listings, and what the reading of pictures promises as a whole."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from conftest import PHOTOS
from handmade import unit
from PIL import Image

from palette.data.formats import FORMATS
from palette.data.images import SUFFIXES, list_folder, list_pictures, read, read_mask
from palette.errors import PictureError


def test_masks_are_true_where_white(tmp_path: Path) -> None:
    mask = np.mgrid[:40, :56][1] > 20
    Image.fromarray(mask).save(tmp_path / "mask.png")
    np.testing.assert_array_equal(read_mask(tmp_path / "mask.png", (40, 56)), mask)
    with pytest.raises(PictureError, match=r"mask\.png.*56×40.*40×56"):
        read_mask(tmp_path / "mask.png", (56, 40))


def test_listing(tmp_path: Path) -> None:
    names = [
        "b.JPEG",
        "a.png",
        "c.TIF",
        "deep/d.webp",
        "deep/e.txt",
        ".hidden.png",
        ".git/f.png",
        "noise",
    ]
    for name in names:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "deep" / "again").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "self").symlink_to("self")

    def listed(recursive: bool) -> list[str]:
        return [p.relative_to(tmp_path).as_posix() for p in list_pictures(tmp_path, recursive)]

    assert listed(True) == ["a.png", "b.JPEG", "c.TIF", "deep/d.webp"]
    assert listed(False) == ["a.png", "b.JPEG", "c.TIF"]
    assert list_pictures(tmp_path / "a.png") == [tmp_path / "a.png"]
    with pytest.raises(ValueError, match=r"nowhere.*existing"):
        list_pictures(tmp_path / "nowhere")


def test_listing_follows_a_linked_folder_once(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.png").touch()
    root = tmp_path / "root"
    root.mkdir()
    for name in ("one", "two"):
        (root / name).symlink_to(tmp_path / "real", target_is_directory=True)
    assert list_pictures(root) == [root / "one" / "a.png"]


def test_a_listing_counts_the_rest_and_leaves_folders_however_they_are_reached(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("in/a.png", "in/b.DNG", "in/c.dng", "in/note", "in/.hidden.psd", "in/out/d.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    (tmp_path / "in" / "again").symlink_to("out", target_is_directory=True)
    monkeypatch.chdir(tmp_path / "in")
    for leave in (Path("out"), tmp_path / "in" / "out", Path("again"), Path("../in/out")):
        listing = list_folder(".", leave=[leave, Path("nowhere")])
        assert listing.pictures == [Path("a.png")]
        assert listing.others == {".dng": 2, "": 1}


def test_real_photographs_equal_pillow() -> None:
    if not PHOTOS.is_dir():
        pytest.skip("no photographs here")
    paths = list_pictures(PHOTOS / "val")[:5]
    assert len(paths) == 5
    for path in paths:
        expected = unit(np.asarray(Image.open(path)))
        np.testing.assert_array_equal(read(path).picture, expected)


def test_importing_loads_no_opencv() -> None:
    script = "import sys, palette.data.images; assert not {'cv2', 'torch'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", script], check=True)


def test_the_list_of_suffixes_covers_the_formats() -> None:
    pytest.importorskip("pillow_heif").register_heif_opener()
    Image.init()
    kinds = {Image.EXTENSION[suffix] for suffix in SUFFIXES}
    assert kinds == {*FORMATS, "AVIF", "HEIF"}
