"""Packed pictures: equal to their files, and every change of a byte is noticed."""

from __future__ import annotations

import os
from pathlib import Path

import h5py
import numpy as np
import pytest
import torch
from PIL import Image

from palette.data.decoding import MAX_PIXELS
from palette.data.hdf5 import Hdf5Source, verify
from palette.data.loader import batches
from palette.data.opening import open_source
from palette.data.packing import pack
from palette.data.sources import FolderSource, Source
from palette.errors import PictureError

SIZES = [(7, 5), (1, 1), (16, 9), (3, 40)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    for i, size in enumerate(SIZES):
        path = tmp_path / "in" / f"class {i % 2}" / f"größe-{i}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (*size, 3), dtype=np.uint8)).save(path)
    return tmp_path / "in"


@pytest.fixture
def packed(folder: Path, tmp_path: Path) -> Path:
    assert pack(FolderSource(folder), tmp_path / "all.h5") == {}
    return tmp_path / "all.h5"


def pixels_of(packed: Path) -> tuple[int, int]:
    """Where in the file the pixels begin, and how many bytes they are."""
    with h5py.File(packed) as file:
        dataset = file["pixels"]
        assert isinstance(dataset, h5py.Dataset)
        return dataset.id.get_offset(), dataset.nbytes


def pictures(source: Source) -> list[np.ndarray]:
    return [source.read(i) for i in range(len(source))]


def test_a_pack_equals_its_folder(folder: Path, packed: Path) -> None:
    files, source = FolderSource(folder), open_source(packed)
    assert isinstance(source, Source)
    assert source.ids == files.ids
    assert source.labels == files.labels == ["class 0", "class 0", "class 1", "class 1"]
    for a, b in zip(pictures(files), pictures(source), strict=True):
        np.testing.assert_array_equal(a, b)
    assert verify(packed) == []
    assert sorted(os.listdir(packed.parent)) == ["all.h5", "in"]


def test_the_fingerprint_follows_the_content(folder: Path, packed: Path) -> None:
    again = packed.with_name("again.hdf5")
    pack(FolderSource(folder), again)
    assert open_source(again).fingerprint() == open_source(packed).fingerprint()
    Image.new("RGB", (5, 7)).save(folder / "class 0" / "größe-0.png")
    again.unlink()
    pack(FolderSource(folder), again)
    assert open_source(again).fingerprint() != open_source(packed).fingerprint()


def test_workers_read_a_pack_alike(packed: Path) -> None:
    source = open_source(packed)

    def example(position: int) -> dict[str, np.ndarray]:
        return {"y": source.read(position % 4)[:1, :1]}

    expected = [b["y"] for b in batches(example, 2, 0, 4)]
    for workers in (1, 2):
        found = [b["y"] for b in batches(example, 2, 0, 4, workers)]
        assert all(torch.equal(a, b) for a, b in zip(expected, found, strict=True))


def test_pictures_without_classes(folder: Path, tmp_path: Path) -> None:
    pack(FolderSource(folder / "class 0"), tmp_path / "flat.h5")
    assert open_source(tmp_path / "flat.h5").labels is None


def test_any_changed_byte_is_noticed(packed: Path) -> None:
    """HDF5 leaves gaps in a file; a change there may pass if names and pictures stay the same."""
    content = packed.read_bytes()
    source = Hdf5Source(packed)
    before = source.ids, source.labels, [p.tobytes() for p in pictures(source)]
    rng = np.random.default_rng(0)
    start, size = pixels_of(packed)
    everywhere = rng.choice(len(content), 400, replace=False)
    in_pixels = start + rng.choice(size, 40, replace=False)
    noticed = 0
    for at in [*everywhere, *in_pixels]:
        damaged = bytearray(content)
        damaged[at] ^= 1 << int(rng.integers(8))
        packed.write_bytes(damaged)
        problems = verify(packed)
        noticed += bool(problems)
        if not problems:
            source = Hdf5Source(packed)
            assert (source.ids, source.labels, [p.tobytes() for p in pictures(source)]) == before
        if at >= start and at < start + size:
            assert len(problems) == 1
            assert "größe-" in problems[0]
    assert noticed > 40


@pytest.mark.parametrize("kept", [0, 10, 0.3, 0.7, 0.99])
def test_a_cut_file_is_noticed(packed: Path, kept: float) -> None:
    content = packed.read_bytes()
    packed.write_bytes(content[: int(kept if kept > 1 else kept * len(content))])
    problems = verify(packed)
    assert problems
    assert problems[0].startswith(str(packed))
    assert "\n" not in problems[0]


def test_a_file_that_changes_after_opening_is_noticed(packed: Path) -> None:
    source = open_source(packed)
    packed.write_bytes(packed.read_bytes()[:-100])
    with pytest.raises(PictureError, match="größe-3"):
        source.read(3)
    packed.unlink()
    with pytest.raises(PictureError, match=r"all\.h5"):
        source.read(0)


# Files made to harm


def rewritten(packed: Path, name: str) -> h5py.File:
    file = h5py.File(packed, "r+")
    del file[name]
    return file


@pytest.mark.parametrize("name", ["pixels", "names", "shapes", "sha256", "labels", "about"])
def test_links_are_not_followed(packed: Path, tmp_path: Path, name: str) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as other, h5py.File(packed) as file:
        other[name] = file[name][()]  # type: ignore[index]
    with rewritten(packed, name) as file:
        file[name] = h5py.ExternalLink(str(tmp_path / "other.h5"), name)
    with pytest.raises(PictureError, match=f"'{name}' is missing or a ExternalLink"):
        open_source(packed)
    with rewritten(packed, name) as file:
        file["aside"] = np.zeros(3)
        file[name] = h5py.SoftLink("/aside")
    assert "SoftLink" in verify(packed)[0]


def test_virtual_and_external_storage_is_not_read(packed: Path, tmp_path: Path) -> None:
    _, size = pixels_of(packed)
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(size))
    with rewritten(packed, "pixels") as file:
        file.create_dataset("pixels", (size,), "u1", external=[(str(secret), 0, size)])
    assert "is not in the file" in verify(packed)[0]
    with rewritten(packed, "pixels") as file:
        layout = h5py.VirtualLayout((size,), "u1")
        layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "pixels", (size,))
        file.create_virtual_dataset("pixels", layout)
    assert "is not in the file" in verify(packed)[0]


def test_declared_sizes_are_bounded_by_stored_ones(packed: Path) -> None:
    with rewritten(packed, "pixels") as file:
        file.create_dataset("pixels", (2**44,), "u1")  # nothing is stored yet
    assert "not stored in one piece" in verify(packed)[0]
    with rewritten(packed, "pixels") as file:
        file.create_dataset("pixels", (2**44,), "u1", chunks=(2**20,), compression="gzip")
    assert "not stored in one piece" in verify(packed)[0]


def test_a_forged_end_of_file_does_not_help(packed: Path) -> None:
    forged = packed.with_name("forged.h5")
    with h5py.File(packed) as file, h5py.File(forged, "w", libver="earliest") as old:
        old.attrs["format"] = file.attrs["format"]
        for name in ("names", "shapes", "sha256", "labels", "about", "pixels"):
            file.copy(name, old)
    assert verify(forged) == []
    content = forged.read_bytes()
    assert int.from_bytes(content[40:48], "little") == len(content)  # superblock of version 0
    forged.write_bytes(content[:40] + (len(content) - 50).to_bytes(8, "little") + content[48:-50])
    assert any(reason in verify(forged)[0] for reason in ("one piece", "dataset size"))


def test_what_it_says_of_its_making_is_sealed(packed: Path) -> None:
    assert Hdf5Source(packed).about["left_out"] == {}
    with h5py.File(packed, "r+") as file:
        about = file["about"]
        about[-5] = about[-5] ^ 1  # type: ignore[index]
    assert "its making has changed" in verify(packed)[0]


def test_a_picture_is_compared_with_its_digest_once(packed: Path) -> None:
    """From then on a crop costs what is read of it: the file is mapped, not copied."""
    source = Hdf5Source(packed)
    source.stored(2)
    start, size = pixels_of(packed)
    content = bytearray(packed.read_bytes())
    for at in range(start, start + size):
        content[at] ^= 1
    packed.write_bytes(content)
    stored = source.stored(2)
    assert isinstance(stored, np.memmap)
    assert not stored.flags.writeable
    with pytest.raises(PictureError, match="größe-3"):
        source.stored(3)
    with pytest.raises(PictureError, match="größe-1"):
        Hdf5Source(packed).stored(2)


def test_a_turned_shape_is_noticed(packed: Path) -> None:
    with h5py.File(packed, "r+") as file:
        file["shapes"][0] = [5, 7]  # type: ignore[index]
    assert "größe-0" in verify(packed)[0]


@pytest.mark.parametrize(
    "shapes",
    [
        [[7, 5], [1, 1], [16, 9], [3, 41]],
        [[7, 5], [1, 1], [16, 9], [-3, -40]],
        [[7, 5], [1, 1], [16, 9], [0, 0]],
        [[7, 5], [1, 1], [16, 9]],
        [[7, 5], [1, 1], [16, 9], [MAX_PIXELS + 1, 1]],
        [[2**31 - 1, 2**31 - 1]] * 4,
        [[2**62, 4], [1, 1], [16, 9], [3, 40]],
        [[0.5, 1], [1, 1], [16, 9], [3, 40]],
        [7, 5, 1, 1],
        [["7", "5"]] * 4,
    ],
)
def test_shapes_must_add_up(packed: Path, shapes: list) -> None:
    with rewritten(packed, "shapes") as file:
        values = np.array(shapes)
        file["shapes"] = values.astype("S") if values.dtype.kind == "U" else values
    with pytest.raises(PictureError, match=r"all\.h5"):
        open_source(packed)


@pytest.mark.parametrize("names", [["a", "a", "b", "c"], ["a", "b", "c"], [1, 2, 3, 4], []])
def test_names_must_be_distinct_texts(packed: Path, names: list) -> None:
    with rewritten(packed, "names") as file:
        file["names"] = np.array(names, "S" if names and isinstance(names[0], str) else "i4")
    with pytest.raises(PictureError):
        open_source(packed)


def test_files_of_others_are_refused_with_the_cure(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "other.h5", "w") as file:
        file["images"] = np.zeros((2, 4, 4, 3), np.uint8)
    (tmp_path / "text.h5").write_text("not HDF5")
    for name in ("other.h5", "text.h5", "none.h5"):
        with pytest.raises(PictureError, match=rf"{name}.*palette pack"):
            open_source(tmp_path / name)
