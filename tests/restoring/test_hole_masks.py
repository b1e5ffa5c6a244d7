"""What a mask marks: every kind of it, and those that mark nothing."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from palette.restoring.holes import observe, to_mask
from palette.restoring.pictures import to_photo

PICTURE = np.zeros((6, 9, 3), np.float32)
HOLE = np.zeros((6, 9), bool)
HOLE[1:4, 2:7] = True
EIGHT = HOLE.astype(np.uint8) * 255


def transparent(colour: tuple[int, int, int], mode: str = "RGBA") -> Image.Image:
    """A mask that was drawn in ``colour`` on a transparent layer."""
    layer = Image.new("RGBA", (9, 6), (255, 255, 255, 0))
    layer.paste(Image.new("RGBA", (9, 6), (*colour, 255)), mask=Image.fromarray(EIGHT))
    return layer.convert(mode)


KINDS: dict[str, Any] = {
    "bool": HOLE,
    "bool, one channel": HOLE[..., None],
    "torch bool": torch.from_numpy(HOLE),
    "torch bool, channel first": torch.from_numpy(HOLE)[None],
    "torch bool, channel last": torch.from_numpy(HOLE)[..., None],
    **{f"{np.dtype(t)} of 0 and 1": HOLE.astype(t) for t in (np.uint8, np.uint16, np.int64)},
    "int8 of 0 and 1, one channel": HOLE.astype(np.int8)[..., None],
    "torch int32 of 0 and 1": torch.from_numpy(HOLE.astype(np.int32)),
    "torch uint8 of 0 and 1": torch.from_numpy(HOLE.astype(np.uint8))[None],
    "floats": HOLE.astype(np.float32),
    "uint8": EIGHT,
    "uint16": EIGHT.astype(np.uint16) * 257,
    "torch floats": torch.from_numpy(HOLE.astype(np.float32))[None],
    "PIL 1": Image.fromarray(HOLE),
    "PIL L": Image.fromarray(EIGHT),
    "PIL RGB": Image.fromarray(np.dstack([EIGHT] * 3)),
    "white on transparent": transparent((255, 255, 255)),
    "white on transparent, LA": transparent((255, 255, 255), "LA"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_marks_the_same(kind: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        np.testing.assert_array_equal(to_mask(KINDS[kind], PICTURE), HOLE)


def test_files_too(tmp_path: Path) -> None:
    for name, image in {"l": KINDS["PIL L"], "drawn": KINDS["white on transparent"]}.items():
        image.save(tmp_path / f"{name}.png")
        np.testing.assert_array_equal(to_mask(tmp_path / f"{name}.png", PICTURE), HOLE)


@pytest.mark.parametrize(
    ("mask", "brightest"),
    [
        (np.zeros((6, 9), bool), "0 of 255"),
        (torch.zeros(6, 9, dtype=torch.int64), "0 of 255"),
        (Image.fromarray(HOLE.astype(np.uint8)), "1 of 255"),
        (Image.fromarray(HOLE.astype(np.uint8) * 90), "90 of 255"),
        (transparent((200, 0, 0)), "66.7 of 255"),
        (transparent((0, 0, 0)), "0 of 255"),
    ],
    ids=["bool", "integers", "labels in a picture", "dark brush", "red brush", "black brush"],
)
def test_a_mask_that_marks_nothing_is_refused_by_its_values(mask: Any, brightest: str) -> None:
    with pytest.raises(ValueError, match=f"marks nothing: its brightest pixel has {brightest}"):
        to_mask(mask, PICTURE)


def test_labels_of_a_palette(tmp_path: Path) -> None:
    """The colours count, as one sees them; here label 1 is dark red."""
    labels = Image.fromarray(HOLE.astype(np.uint8))
    labels.putpalette([0, 0, 0, 128, 0, 0])
    labels.save(tmp_path / "labels.png")
    with pytest.raises(ValueError, match=r"labels\.png marks nothing.*draw it in white"):
        to_mask(tmp_path / "labels.png", PICTURE)


def test_a_soft_mask_says_what_holds() -> None:
    ramp = np.linspace(0, 1, 9, dtype=np.float32)[None].repeat(6, axis=0)
    with pytest.warns(UserWarning, match=r"soft: 78%.*half white \(128 of 255\)"):
        missing = to_mask(ramp, PICTURE)
    np.testing.assert_array_equal(missing, ramp >= 0.5)


def test_sizes_that_differ() -> None:
    for mask in (HOLE[:4], EIGHT[:4], torch.from_numpy(HOLE[:4])):
        with pytest.raises(ValueError, match="9×4 pixels and the picture 9×6"):
            to_mask(mask, PICTURE)


@pytest.mark.parametrize(
    "extend", [8, (8,), (8, 8, 8), (-1, 0, 0, 8), (0, 0, 0, 0), (0.5, 0, 0, 8), "8888"]
)
def test_extensions_that_cannot_be(extend: Any) -> None:
    with pytest.raises(ValueError, match=r"extend is .*left, top, right and bottom"):
        observe(to_photo(PICTURE), True, extend=extend)


def test_extensions_of_numpy() -> None:
    _, observation = observe(to_photo(PICTURE), True, extend=tuple(np.array([1, 2, 3, 4])))
    assert observation.picture.shape == (12, 13, 3)
