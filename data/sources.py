"""Where clean pictures come from: a folder, or the photographs of scikit-image."""

from __future__ import annotations

import hashlib
import importlib.util
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from numpy.typing import NDArray

from palette.data.decoding import holds_grey, upright_size
from palette.data.images import list_pictures, read, read_stored, require_visible
from palette.errors import UserError
from palette.types import Picture


@runtime_checkable
class Source(Protocol):
    """Pictures by index. Opening a source decodes nothing."""

    @property
    def ids(self) -> list[str]:
        """One unique name a picture, in a fixed order."""
        ...

    @property
    def labels(self) -> list[str] | None:
        """The class of each picture, where the pictures have classes."""
        ...

    @property
    def inputs(self) -> Source | None:
        """What a user would hold of each picture, in the same order, where the pictures are the
        targets of pairs: see :class:`palette.data.pairs.Pairs`."""
        ...

    def __len__(self) -> int: ...

    def read(self, index: int) -> Picture:
        """``(H, W, 3)`` float32 in [0, 1]. Raises PictureError for a broken picture."""
        ...

    def fingerprint(self) -> str:
        """A digest that tells other data: of a folder by the names and sizes of its files, of a
        pack by names and pixels. So a folder and its pack have different ones."""
        ...


@runtime_checkable
class StoredSource(Source, Protocol):
    """A source that can hand over what it stores."""

    def stored(self, index: int) -> NDArray:
        """``(H, W, 3)`` uint8, uint16 or float32: see :func:`palette.data.images.read_stored`."""
        ...


@runtime_checkable
class SizedSource(StoredSource, Protocol):
    """A source that knows the sizes of its pictures without decoding them."""

    @property
    def about(self) -> Mapping[str, Any]:
        """What a pack says of its making; empty elsewhere."""
        ...

    def size(self, index: int) -> tuple[int, int]:
        """Height and width. Raises PictureError for a header that cannot be read."""
        ...


@runtime_checkable
class ChannelSource(Source, Protocol):
    """A source that knows what its files hold."""

    def one_channel(self, index: int) -> bool:
        """Whether the file holds grey values alone. Raises PictureError for a bad header."""
        ...


class _Files:
    """Pictures in files of their own."""

    inputs: Source | None = None
    about: Mapping[str, Any] = {}

    def __init__(self, paths: list[Path], ids: list[str], labels: list[str] | None) -> None:
        self._paths = paths
        self.ids = ids
        self.labels = labels

    def __len__(self) -> int:
        return len(self.ids)

    def read(self, index: int) -> Picture:
        photo = read(self._paths[index])
        require_visible(self._paths[index], photo.alpha)
        return photo.picture

    def stored(self, index: int) -> NDArray:
        return read_stored(self._paths[index])

    def size(self, index: int) -> tuple[int, int]:
        return upright_size(self._paths[index])

    def one_channel(self, index: int) -> bool:
        return holds_grey(self._paths[index])

    def fingerprint(self) -> str:
        return digest(f"{name} {_size(p)}" for name, p in zip(self.ids, self._paths, strict=True))


class FolderSource(_Files):
    """The pictures below a folder (or one file), named by their paths below it.

    Labels are the names of the folders that hold the pictures; None where any is at the top.
    Raises UserError for a folder that is missing or holds no pictures.
    """

    def __init__(self, root: str | Path) -> None:
        root = Path(root)
        paths = list_pictures(root)
        top = root.parent if root.is_file() else root
        relative = [path.relative_to(top) for path in paths]
        classes = [path.parent.name for path in relative]
        labels = classes if all(classes) else None
        super().__init__(paths, [path.as_posix() for path in relative], labels)


# Split once and for all: changing it would make reports incomparable.
BUNDLED = {
    "train": (
        "coffee.png",
        "motorcycle_left.png",
        "motorcycle_right.png",
        "hubble_deep_field.jpg",
        "ihc.png",
        "retina.jpg",
        "camera.png",
        "brick.png",
        "grass.png",
        "gravel.png",
        "moon.png",
        "coins.png",
    ),
    "held_out": ("astronaut.png", "chelsea.png", "rocket.jpg"),
}
"""The photographs that scikit-image ships in its wheel, by split."""


class BundledSource(_Files):
    """Photographs that every installation has, without a download. ``split`` of BUNDLED."""

    def __init__(self, split: str = "train") -> None:
        if split not in BUNDLED:
            raise UserError(f"split is {split!r}; choose one of {', '.join(BUNDLED)}")
        # The spec names the folder without importing the package.
        spec = importlib.util.find_spec("skimage")
        if spec is None or spec.origin is None:
            raise UserError("scikit-image is not installed; run: pip install scikit-image")
        folder = Path(spec.origin).parent / "data"
        paths = [folder / name for name in BUNDLED[split]]
        missing = [path.name for path in paths if not path.is_file()]
        if missing:
            raise UserError(
                f"{folder}: this scikit-image lacks {', '.join(missing)}; "
                "install its wheel from PyPI (0.25 or later)"
            )
        super().__init__(paths, [path.stem for path in paths], None)


def digest(lines: Iterable[str]) -> str:
    """SHA-256 of the lines, as 64 hexadecimal digits."""
    sha = hashlib.sha256()
    for line in lines:
        sha.update(f"{line}\n".encode(errors="surrogateescape"))
    return sha.hexdigest()


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
