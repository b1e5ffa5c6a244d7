"""A place to a source: what `--data` may name."""

from __future__ import annotations

from pathlib import Path

from palette.data.sources import BundledSource, FolderSource, Source

HDF5_SUFFIXES = (".h5", ".hdf5")


def open_source(where: str | Path | None = None, split: str = "train") -> Source:
    """A folder or picture file, an HDF5 file (.h5, .hdf5), or the bundled photographs.

    ``where`` is None or "bundled" for the latter; ``split`` ("train", "held_out") concerns them
    alone. Raises UserError for what is missing or holds no pictures.
    """
    if where is None or where == "bundled":
        return BundledSource(split)
    path = Path(where)
    if path.suffix.lower() in HDF5_SUFFIXES:
        from palette.data.hdf5 import Hdf5Source  # h5py only where it is needed

        return Hdf5Source(path)
    return FolderSource(path)
