"""The mask of a picture in a folder of masks: of the same path, and of a name that is equal."""

from __future__ import annotations

from pathlib import Path

from palette.data.images import SUFFIXES
from palette.errors import UserError


def stem_of(name: Path) -> str:
    """A name without the suffix of a picture: ``IMG.edit.jpg`` to ``IMG.edit``."""
    return name.stem if name.suffix.lower() in SUFFIXES else name.name


class Masks:
    """A folder of masks. Each of its folders is read once, when the first of its masks is asked
    for."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._found: dict[Path, dict[str, list[Path]]] = {}

    def of(self, name: Path) -> Path:
        """The mask of the picture ``name``, a relative path: ``a/b.jpg`` has ``a/b.png``.

        Any suffix of a picture will do; the rest of the name is equal, letter by letter. UserError
        where there is none, or more than one.
        """
        folder, stem = self._root / name.parent, stem_of(name)
        if folder not in self._found:
            self._found = {folder: _by_stem(folder)}
        found = self._found[folder].get(stem, [])
        if not found:
            raise UserError(
                f"{name} has no mask: there is no {folder / stem}.png (nor .jpg, …); make one, in "
                f"which what is missing is white"
            )
        if len(found) > 1:
            raise UserError(f"{name} has several masks: leave one of {', '.join(map(str, found))}")
        return found[0]


def _by_stem(folder: Path) -> dict[str, list[Path]]:
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.iterdir()) if folder.is_dir() else ():
        if path.suffix.lower() in SUFFIXES and not path.name.startswith("."):
            found.setdefault(path.stem, []).append(path)
    return found
