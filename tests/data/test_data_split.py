"""The split: by names alone, so that it is the same everywhere and tomorrow."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from palette.data.hdf5 import Hdf5Source
from palette.data.opening import open_source
from palette.data.packing import pack
from palette.data.sources import BundledSource, FolderSource, StoredSource
from palette.data.split import LEAST, split


class Named:
    """A source whose pictures tell their number."""

    inputs = None

    def __init__(self, ids: list[str], labels: list[str] | None = None) -> None:
        self.ids, self.labels = ids, labels

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> np.ndarray:
        return np.full((1, 1, 3), index, np.float32)

    def fingerprint(self) -> str:
        return ",".join(self.ids)


MANY = [f"photo-{i}.png" for i in range(1000)]


def held(names: list[str], share: float = 0.1) -> set[str]:
    rest, out = split(Named(names), share)
    found = set() if out is None else set(out.ids)
    assert sorted([*rest.ids, *found]) == sorted(names)
    return found


def test_others_that_come_or_go_move_nobody() -> None:
    whole = held(MANY)
    assert held(MANY[:500]) == whole & set(MANY[:500])
    assert held(MANY[::-1]) == whole
    assert held([*MANY, *(f"more-{i}" for i in range(500))]) & set(MANY) == whole


def test_a_larger_share_holds_out_more_and_the_same() -> None:
    assert held(MANY, 0.05) < held(MANY, 0.1) < held(MANY, 0.3)


def test_the_share_is_about_what_was_asked() -> None:
    for share in (0.05, 0.1, 0.5):
        assert len(held(MANY, share)) == pytest.approx(share * 1000, abs=4 * (250) ** 0.5)


@pytest.mark.parametrize("count", range(1, 12))
def test_of_few_pictures_one_is_held_out_if_there_are_four(count: int) -> None:
    for start in range(0, 200, 20):
        names = MANY[start : start + count]
        out = held(names, 1e-9)
        assert len(out) == (1 if count >= LEAST else 0)
        assert held(names[::-1], 1e-9) == out
        assert not held(names, 0)


def test_somebody_is_left_to_learn_from() -> None:
    for start in range(50):
        rest, _ = split(Named(MANY[start : start + 2]), 0.5)
        assert len(rest) >= 1


def test_a_part_reads_its_pictures() -> None:
    source = Named(MANY[:50], labels=[str(i % 7) for i in range(50)])
    for part in split(source, 0.3):
        assert part is not None
        assert len(part) == len(part.ids)
        for i, name in enumerate(part.ids):
            number = MANY.index(name)
            assert part.read(i)[0, 0, 0] == number
            assert part.labels is not None
            assert part.labels[i] == str(number % 7)


def test_fingerprints_tell_the_parts_and_the_shares_apart() -> None:
    source = Named(MANY[:50])
    fingerprints = [
        part.fingerprint() for share in (0.1, 0.3) for part in split(source, share) if part
    ]
    assert len({*fingerprints, source.fingerprint()}) == 5
    assert split(Named(MANY[:50]), 0.1)[0].fingerprint() == fingerprints[0]


def test_parts_hand_over_what_is_stored(photos: Path, tmp_path: Path) -> None:
    """Of a folder and of a packed file, on which the same names stay out."""
    pack(FolderSource(photos), tmp_path / "photos.h5")
    folder, packed = open_source(photos), Hdf5Source(tmp_path / "photos.h5")
    out = []
    for source in (folder, packed):
        assert isinstance(source, StoredSource)
        rest, held_out = split(source, 0.3)
        assert held_out is not None
        for part in (rest, held_out):
            assert isinstance(part, StoredSource)
            assert part.stored(0).dtype == np.uint8
            np.testing.assert_array_equal(
                part.stored(0), source.stored(source.ids.index(part.ids[0]))
            )
        out.append([Path(name).stem for name in held_out.ids])
    assert not isinstance(split(Named(MANY[:50]), 0.3)[0], StoredSource)


def test_the_bundled_photographs_have_their_own() -> None:
    train, out = BundledSource("train"), BundledSource("held_out")
    assert not set(train.ids) & set(out.ids)


def test_pieces_of_one_picture_stay_together() -> None:
    pieces = [f"{i}@{top},0.png" for i in range(200) for top in (0, 40, 80)]
    found = held(pieces, 0.2)
    wholes = {name.partition("@")[0] + ".png" for name in found}
    assert wholes == held([f"{i}.png" for i in range(200)], 0.2)
    assert len(found) == 3 * len(wholes)
    assert len(held(pieces[:12], 1e-9)) == 3
