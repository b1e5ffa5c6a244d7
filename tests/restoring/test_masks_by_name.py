"""The mask of a picture has its path and its name, letter by letter."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from copying_restorer import Copying

from palette.data.images import read, write
from palette.restoring.folder import restore_folder
from palette.restoring.job import Job
from palette.restoring.masks import Masks

WHITE = np.ones((4, 4, 3), np.float32)


def masks_of(root: Path, *names: str) -> Masks:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()
    return Masks(root)


@pytest.mark.parametrize(
    ("picture", "mask"),
    [
        ("photo[1].jpg", "photo[1].png"),
        ("photo1.jpg", "photo1.webp"),
        ("b[x].jpg", "b[x].png"),
        ("IMG.jpg", "IMG.png"),
        ("IMG.edit.jpg", "IMG.edit.png"),
        ("deep/IMG.jpg", "deep/IMG.TIF"),
        ("star*.png", "star*.png"),
        ("no-suffix", "no-suffix.png"),
    ],
)
def test_the_mask_is_found_by_its_exact_name(tmp_path: Path, picture: str, mask: str) -> None:
    names = ["photo[1].png", "photo1.webp", "b[x].png", "IMG.png", "IMG.edit.png", "deep/IMG.TIF"]
    decoys = ["IMG.json", "deep/IMG.edit.png", "starfish.png", "photo1.txt", ".IMG.png", "bx.png"]
    masks = masks_of(tmp_path, *names, "star*.png", "no-suffix.png", *decoys)
    assert masks.of(Path(picture)) == tmp_path / mask
    assert masks.of(Path("IMG.jpg")) == tmp_path / "IMG.png"


def test_missing_and_several_masks_are_named(tmp_path: Path) -> None:
    masks = masks_of(tmp_path, "a.json", "b.png", "b.jpg", "deep/c.png")
    for name in ("a.jpg", "c.jpg", "absent/a.jpg"):
        with pytest.raises(ValueError, match=f"{name} has no mask"):
            masks.of(Path(name))
    with pytest.raises(ValueError, match=r"several masks.*b\.jpg, .*b\.png"):
        masks.of(Path("b.webp"))


def test_a_picture_without_its_mask_is_named_although_it_is_transparent(tmp_path: Path) -> None:
    for folder in ("in", "masks"):
        (tmp_path / folder).mkdir()
    write(tmp_path / "in" / "a.png", WHITE, np.zeros((4, 4), np.float32))
    write(tmp_path / "in" / "b.png", WHITE)
    hole = np.zeros((4, 4, 3), np.float32)
    hole[:2] = 1
    write(tmp_path / "masks" / "b.png", hole)
    job = Job([tmp_path / "in"], tmp_path / "out", masks=tmp_path / "masks")
    first, second = restore_folder(Copying(masked=True), job)
    assert "a.png has no mask" in str(first.error)
    assert second.error is None
    np.testing.assert_array_equal(read(tmp_path / "out" / "b.png").picture, 1 - hole)


def test_holes_are_refused_before_the_first_picture(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    write(tmp_path / "in" / "a.png", WHITE)
    (tmp_path / "masks").mkdir()
    masks = Job([tmp_path / "in"], tmp_path / "out", masks=tmp_path / "masks")
    with pytest.raises(ValueError, match="fills no holes"):
        next(restore_folder(Copying(), masks))
    with pytest.raises(ValueError, match=r"extend is 8"):
        next(restore_folder(Copying(masked=True), Job(masks.sources, masks.out, extend=8)))  # type: ignore[arg-type]
    assert not (tmp_path / "out").exists()
