"""Masks of a user: folders, .npz files, which picture gets which."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from palette.degradations.mask_files import MaskFiles
from palette.errors import UserError
from palette.seeding import rng
from palette.types import Spec


def random_masks(count: int, height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((count, height, width)) < 0.3


def test_masks_of_a_folder_are_bright_where_missing(tmp_path: Path) -> None:
    grey = np.zeros((10, 20), np.uint8)
    grey[:5] = 255
    (tmp_path / "b").mkdir()
    Image.fromarray(grey).save(tmp_path / "b" / "a.png")
    shape = MaskFiles(str(tmp_path))
    seen = set()
    for i in range(20):
        params = shape.draw(Spec(30, 40), rng(i))
        mask = shape.mask(params)
        assert (mask.shape, mask.dtype) == ((30, 40), bool)
        assert mask[:15].all() != params["flip_rows"]
        assert mask.mean() == 0.5
        seen.add((params["mask"], params["flip_rows"], params["flip_columns"]))
    assert {name for name, *_ in seen} == {"b/a.png"}
    assert len(seen) == 4
    (tmp_path / "b" / "a.png").write_bytes(b"none")
    with pytest.raises(UserError, match=r"cannot read the mask .*b/a\.png"):
        shape.mask(shape.draw(Spec(30, 40), rng(0)))


def test_mask_files_of_other_kinds(tmp_path: Path) -> None:
    white = random_masks(1, 10, 20)[0]
    Image.fromarray(white.astype(np.uint16) * 65535).save(tmp_path / "16.png")
    Image.fromarray(white).save(tmp_path / "bits.tif")
    palette = Image.fromarray(white.astype(np.uint8), "P")
    palette.putpalette([9, 9, 9, 250, 240, 250])
    palette.save(tmp_path / "palette.png")
    turned = Image.Exif()
    turned[0x0112] = 6
    Image.fromarray(np.rot90(white)).save(tmp_path / "turned.png", exif=turned)
    shape = MaskFiles(str(tmp_path))
    shape.check()
    for name in ("16.png", "bits.tif", "palette.png", "turned.png"):
        mask = shape.mask(shape.params_of(name, Spec(10, 20)))
        np.testing.assert_array_equal(mask, white, err_msg=name)


def test_masks_that_are_cut_off_are_named(tmp_path: Path) -> None:
    """OpenCV would fill them in."""
    for i, white in enumerate(random_masks(4, 64, 64)):
        Image.fromarray(white).save(tmp_path / f"{i}.png")
    for i in (1, 2):
        path = tmp_path / f"{i}.png"
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(UserError, match=r"2 of 4 masks are broken: cannot read .*1\.png: .*trunc"):
        MaskFiles(str(tmp_path)).check()


@pytest.mark.parametrize("kind", ["bool", "uint8", "white", "float", "four"])
def test_arrays_of_an_npz(tmp_path: Path, kind: str) -> None:
    masks = random_masks(3, 12, 16)
    stored = {
        "bool": masks,
        "uint8": masks.astype(np.uint8),
        "white": masks.astype(np.uint8) * 255,
        "float": masks.astype(np.float32),
        "four": masks[..., None],
    }[kind]
    np.savez_compressed(tmp_path / "masks.npz", m=stored)
    for where in ("masks.npz", "masks.npz:m"):
        shape = MaskFiles(str(tmp_path / where))
        assert len(shape) == 3
        for number in range(3):
            mask = shape.mask(shape.params_of(str(number), Spec(12, 16)))
            np.testing.assert_array_equal(mask, masks[number])


def test_the_published_sets_of_palette(tmp_path: Path) -> None:
    """One row of bits for each category, of masks of 256×256 one after another."""
    masks = random_masks(3, 256, 256)
    bits = {f"{low}-{low + 10}% freeform": np.packbits(masks ^ (low == 20)) for low in (10, 20)}
    np.savez(tmp_path / "freeform.npz", allow_pickle=False, **bits)
    path = str(tmp_path / "freeform.npz")
    shape = MaskFiles(f"{path}:10-20% freeform")
    assert len(shape) == 3
    np.testing.assert_array_equal(shape.mask(shape.params_of("2", Spec(256, 256))), masks[2])
    other = MaskFiles(f"{path}:20-30% freeform")
    np.testing.assert_array_equal(other.mask(other.params_of("0", Spec(256, 256))), ~masks[0])
    assert shape.digest != other.digest
    with pytest.raises(UserError, match=r"holds \d arrays: choose from .*npz:10-20% freeform, "):
        _ = MaskFiles(path).digest


def test_each_picture_gets_the_mask_of_its_name_or_all_in_order(tmp_path: Path) -> None:
    for name in ("b.png", "a.jpg", "c.png"):
        Image.new("L", (4, 4), 255).save(tmp_path / name)
    shape = MaskFiles(str(tmp_path))
    assert shape.for_pictures(["c", "a"]) == ["c.png", "a.jpg"]
    assert shape.for_pictures(["x", "y", "z", "w"]) == ["a.jpg", "b.png", "c.png", "a.jpg"]
    with pytest.raises(UserError, match=r"1 of 2 pictures have no mask .* e\.g\. x: "):
        shape.for_pictures(["a", "x"])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "no folder and no .npz file of masks"),
        (b"none", "is no sound .npz file"),
        ({"m": np.zeros(100, np.uint8)}, r"holds an array \(100,\) of uint8: give \(n, H, W\)"),
        ({"m": np.zeros((4, 4), bool)}, r"holds an array \(4, 4\)"),
        ({"m": np.zeros((0, 4, 4), bool)}, r"holds an array \(0, 4, 4\)"),
        ({"m": np.array([None])}, "is no sound .npz file"),
    ],
)
def test_what_is_no_set_of_masks(tmp_path: Path, content: object, message: str) -> None:
    path = tmp_path / "masks.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif isinstance(content, dict):
        np.savez(path, **content)
    with pytest.raises(UserError, match=message) as error:
        MaskFiles(str(path)).draw(Spec(8, 8), rng(0))
    assert "\n" not in str(error.value)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no masks"):
        _ = MaskFiles(str(tmp_path / "empty")).digest
