"""Pictures that cannot be read: left out by position, named once, recorded with the run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from palette.config import from_dict
from palette.data.sources import Source
from palette.errors import PictureError, UserError, some
from palette.files import read_object, understood, write_json
from palette.training.ranks import Ranks

RECORD = "left_out.json"
NEVER = 2**62
"""A position that no run reaches."""
AT_ONCE = 20
"""More unreadable pictures in a row, found for one example, mean that none can be reached."""
SHARE = 10
"""One picture of so many may be left out, and three in any case: more of them end the run."""


@dataclass
class LeftOut:
    """Which pictures of a source are left out, and each from which position of the run on.

    All processes of the loader share it: a picture that one of them cannot read is left out by all,
    also where it is repaired meanwhile. As that depends on positions, a run that is continued from
    an earlier checkpoint leaves out the same.
    """

    _since: Tensor = field(default_factory=lambda: torch.zeros(0, dtype=torch.int64))
    """(n,) the first position of each picture at which it is left out."""
    _news: Tensor = field(default_factory=lambda: torch.zeros(1, dtype=torch.bool))
    """(1,) whether there is more than :meth:`fresh` has handed out."""
    _told: set[int] = field(default_factory=set)

    def prepare(self, count: int) -> None:
        """Make room for ``count`` pictures, before processes begin to share it."""
        if not len(self._since):
            self._since = torch.full((count,), NEVER, dtype=torch.int64).share_memory_()
            self._news.share_memory_()

    def holds(self, index: int, position: int) -> bool:
        return int(self._since[index]) <= position

    def add(self, index: int, position: int) -> None:
        self._since[index] = min(int(self._since[index]), position)
        self._news[0] = True

    def restore(self, index: int, position: int) -> None:
        """One that an earlier process of the run has named."""
        self._since[index] = position
        self._told.add(index)

    @property
    def has_news(self) -> bool:
        return bool(self._news[0])

    def before(self, position: int) -> dict[int, int]:
        """Pictures that are left out at positions below this one, with the first of these, in its
        order."""
        found = (self._since < position).nonzero()[:, 0].tolist()
        return dict(sorted(((i, int(self._since[i])) for i in found), key=lambda item: item[1]))

    def learn(self, found: Mapping[int, int]) -> None:
        """What another rank knows."""
        for index, position in found.items():
            if position < int(self._since[index]):
                self.add(index, position)

    def fresh(self, position: int) -> dict[int, int]:
        """Those of :meth:`before` that are new: each is handed out once."""
        self._news[0] = False  # first, as a worker may find another one meanwhile
        found = self.before(position)
        if (self._since < NEVER).sum() > len(found):  # met ahead of their use
            self._news[0] = True
        new = {index: since for index, since in found.items() if index not in self._told}
        self._told |= new.keys()
        return new


@dataclass(frozen=True)
class Entry:
    """What is recorded of a picture."""

    picture: str
    """Its name in the source."""
    position: int
    """Of the run, counted in examples, from which on it is left out."""
    reason: str

    def __post_init__(self) -> None:
        if not 0 <= self.position < NEVER:
            raise ValueError(f"position is {self.position}")


class Record:
    """``left_out.json`` of a run: what is found is named and written there.

    ``sources`` are those for "training" and for "validation", each with what is left out of it.
    """

    def __init__(
        self, run: Path, sources: Mapping[str, tuple[Source, LeftOut]], ranks: Ranks
    ) -> None:
        self._path, self._sources, self._ranks = run / RECORD, sources, ranks
        self._entries: dict[str, list[Entry]] = {use: [] for use in sources}
        self.changes: list[str] = []
        """What of the data is not as it was when the run stopped, in words."""

    def restore(self) -> None:
        """Leave out again what an earlier process did, where it still cannot be read; the others
        are changes of the data. Raises as :meth:`update` does."""
        for use, entries in _read(self._path).items():
            if use not in self._sources:
                continue
            source, left_out = self._sources[use]
            indices = {name: index for index, name in enumerate(source.ids)}
            for entry in entries:
                index = indices.get(entry.picture)
                if index is None:
                    self.changes.append(f"{entry.picture}, which could not be read, is gone")
                elif _reason(source, index) is None:
                    self.changes.append(f"{entry.picture} could not be read then and can be now")
                else:
                    left_out.restore(index, entry.position)
                    self._entries[use].append(entry)
        self._refuse_too_many()

    def update(self, position: int, tell: Callable[[str], None]) -> None:
        """Name and record what is new among the positions below ``position``, whichever rank found
        it. All ranks call it at once.

        Raises UserError where too many pictures of a source cannot be read.
        """
        if not self._ranks.any(any(one.has_news for _, one in self._sources.values())):
            return
        new: list[Entry] = []
        for use, (source, left_out) in self._sources.items():
            reached = position if use == "training" else NEVER
            for found in self._ranks.of_all(left_out.before(reached)):
                left_out.learn(found)
            for index, since in left_out.fresh(reached).items():
                reason = _reason(source, index) or f"{source.ids[index]}: could not be read"
                new.append(Entry(source.ids[index], since, reason))
                self._entries[use].append(new[-1])
        if not new:
            return
        if self._ranks.writes:
            self.write()
        self._refuse_too_many()
        for entry in new:
            tell(f"palette: {entry.reason}. It is left out from now on")

    def write(self) -> None:
        """The file; none where nothing is left out."""
        if any(self._entries.values()):
            about = {use: [vars(entry) for entry in found] for use, found in self._entries.items()}
            write_json(self._path, about)
        else:
            self._path.unlink(missing_ok=True)

    def _refuse_too_many(self) -> None:
        for use, (source, _) in self._sources.items():
            found = self._entries[use]
            if len(found) > max(3, len(source) // SHARE):
                names = some([entry.picture for entry in found])
                raise UserError(
                    f"{len(found)} of {len(source)} pictures for {use} cannot be read ({names}), "
                    f"e.g. {found[0].reason}: repair them or take them away, then go on with "
                    f"--accept-data"
                )


def _reason(source: Source, index: int) -> str | None:
    """Why a picture, or its input, cannot be read; None where it can."""
    try:
        source.read(index)
        if source.inputs is not None:
            source.inputs.read(index)
    except PictureError as error:
        return str(error)
    return None


def _read(path: Path) -> dict[str, list[Entry]]:
    if not path.exists():
        return {}
    about = read_object(path)
    with understood(path):
        return {use: [from_dict(Entry, one) for one in found] for use, found in about.items()}
