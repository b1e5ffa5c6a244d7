"""What is to be restored and where it goes. All that forbids a start is said before the work."""

from __future__ import annotations

import os
import unicodedata
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from palette.data.encoding import FORMATS
from palette.data.images import SUFFIXES, list_folder
from palette.errors import UserError
from palette.restoring.masks import stem_of
from palette.restoring.output import Output
from palette.shard import Shard
from palette.types import Extend


@dataclass(frozen=True)
class Item:
    """One input."""

    source: Path
    name: Path
    """Relative: to the folder that was given, or the file's name."""
    target: Path

    def below(self, out: Path) -> str:
        """The target, relative to the folder ``out``."""
        return self.target.relative_to(out).as_posix()


@dataclass(frozen=True)
class Job:
    """Pictures and folders of pictures that are restored into the folder ``out``."""

    sources: Sequence[Path]
    out: Path
    output: Output = field(default_factory=Output)
    seed: int = 0
    masks: Path | None = None
    """A folder with a mask of the same name for each picture (:mod:`palette.restoring.masks`)."""
    extend: Extend | None = None
    recursive: bool = True
    shard: Shard = field(default_factory=Shard)

    def items(self) -> list[Item]:
        """The inputs of all shards, in order.

        UserError where there are none, where two have one output or where an output is an input;
        a warning counts the files that are no pictures.
        """
        if self.out.suffix.lower() in SUFFIXES and not self.out.is_dir():
            raise UserError(f"{self.out} looks like a picture: several of them go into a folder")
        if self.output.format != "auto":
            self.output.require_quality(Path(f"a.{self.output.format}"))
        found = [item for source in self.sources for item in self._items_of(source)]
        items = _each_once(found)
        _refuse_collisions(items, self.output.format == "auto")
        _refuse_inputs(items)
        return items

    def _items_of(self, source: Path) -> Iterator[Item]:
        if source.is_file():
            yield self._item(source, Path(source.name))
            return
        leave = [folder for folder in (self.out, self.masks) if folder is not None]
        for folder in leave:
            if folder.is_dir() and source.is_dir() and folder.samefile(source):
                raise UserError(f"{folder} is the folder of the inputs: choose another one")
        listing = list_folder(source, self.recursive, leave)
        listing.require_pictures(source)
        if listing.others:
            warnings.warn(f"{source}: passed over {listing.passed_over()}", stacklevel=2)
        for path in listing.pictures:
            yield self._item(path, path.relative_to(source))

    def _item(self, source: Path, name: Path) -> Item:
        return Item(source, name, self.out / target_of(name, self.output))


def target_of(name: Path, output: Output) -> Path:
    """The name of an output, relative as ``name`` is, the input's."""
    ending = f".{output.format}"
    if output.format == "auto":
        ending = name.suffix if name.suffix.lower() in FORMATS else ".png"
    return name.with_name(f"{stem_of(name)}{output.suffix}{ending}")


def _each_once(items: Sequence[Item]) -> list[Item]:
    """Without inputs that were named before, alone or by their folder."""
    return list({(os.path.abspath(item.source), item.target): item for item in items}.values())


def _refuse_collisions(items: Sequence[Item], auto: bool) -> None:
    sources: dict[str, list[Item]] = {}
    for item in items:
        # some file systems take A and a, and the two codes of é, for one name
        key = unicodedata.normalize("NFC", str(item.target)).casefold()
        sources.setdefault(key, []).append(item)
    several = [
        f"{' and '.join(str(item.source) for item in found)} would "
        f"{'both' if len(found) == 2 else 'all'} become {found[0].target}"
        for found in sources.values()
        if len(found) > 1
    ]
    if several:
        cure = "rename them" if auto else "rename them, or keep their formats by --format auto"
        raise UserError(f"{'; '.join(several)}: {cure}")


def _refuse_inputs(items: Sequence[Item]) -> None:
    inputs = {_identity(item.source) for item in items} - {None}
    hit = [str(item.target) for item in items if _identity(item.target) in inputs]
    if hit:
        raise UserError(
            f"{', '.join(hit)} would be replaced, which the inputs never are: choose another "
            f"output folder, or add to the names by --suffix"
        )


def _identity(path: Path) -> tuple[int, int] | None:
    """One for each real file; None where there is none."""
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status.st_dev, status.st_ino
