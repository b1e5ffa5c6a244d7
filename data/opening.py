"""A place to a source: what `--data` and `--data.input` may name."""

from __future__ import annotations

from pathlib import Path

from palette.data.frozen import frozen
from palette.data.pairs import Pairs
from palette.data.sources import BundledSource, FolderSource, SizedSource, Source
from palette.errors import UserError

HDF5_SUFFIXES = (".h5", ".hdf5")
BUNDLED = "bundled"


def open_source(
    where: str | Path | None = None,
    split: str = "train",
    inputs: str | Path | None = None,
) -> Source:
    """A folder or picture file, an HDF5 file (.h5, .hdf5), or the bundled photographs.

    ``where`` is None or "bundled" for the latter; ``split`` ("train", "held_out") concerns them
    alone. ``inputs`` is another folder or file, with a partner for each picture: the source is then
    a :class:`palette.data.pairs.Pairs`. So it is of a folder that `palette degrade` made, and of
    its pack. Raises UserError for what is missing or holds no pictures, and for partners that do
    not fit.
    """
    if inputs is None:
        source = _open(where, split)
        return source if isinstance(source, BundledSource) else frozen(source, Path(str(where)))
    if where is None or where == BUNDLED:
        raise UserError(
            f"--data.input {inputs} needs the targets of its pictures: name their --data"
        )
    first, second = Path(where).resolve(), Path(inputs).resolve()
    if first == second or first in second.parents or second in first.parents:
        raise UserError(
            f"the targets {where} and the inputs {inputs} are one folder, or one is inside of the "
            f"other: give each a folder of its own"
        )
    return Pairs(_open(where, split), _open(inputs, split), str(where), str(inputs))


def require_hdf5(path: Path) -> None:
    """UserError where the name of a file to be made says nothing of what it is."""
    if path.suffix.lower() not in HDF5_SUFFIXES:
        raise UserError(f"{path}: let the name end in {' or '.join(HDF5_SUFFIXES)}")


def _open(where: str | Path | None, split: str) -> SizedSource:
    if where is None or where == BUNDLED:
        return BundledSource(split)
    path = Path(where)
    if path.suffix.lower() in HDF5_SUFFIXES:
        from palette.data.hdf5 import Hdf5Source  # h5py only where it is needed

        return Hdf5Source(path)
    return FolderSource(path)
