"""Pictures for training and pictures for validation, the same split on every machine."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import overload

from numpy.typing import NDArray

from palette.data.selecting import whole_name
from palette.data.sources import Source, StoredSource, digest
from palette.types import Picture

LEAST = 4
"""Pictures that a source must have for one to be held out."""


class Subset:
    """Some pictures of a source, in their order."""

    def __init__(self, source: Source, indices: Sequence[int]) -> None:
        self._source, self._indices = source, list(indices)
        self.ids = [source.ids[i] for i in self._indices]
        labels = source.labels
        self.labels = None if labels is None else [labels[i] for i in self._indices]
        self.inputs = None if source.inputs is None else subset(source.inputs, self._indices)

    def __len__(self) -> int:
        return len(self._indices)

    def read(self, index: int) -> Picture:
        return self._source.read(self._indices[index])

    def fingerprint(self) -> str:
        return digest([self._source.fingerprint(), *self.ids])


class StoredSubset(Subset):
    """Of a source that can hand over what it stores."""

    def __init__(self, source: StoredSource, indices: Sequence[int]) -> None:
        super().__init__(source, indices)
        self._stored = source

    def stored(self, index: int) -> NDArray:
        return self._stored.stored(self._indices[index])


@overload
def subset(source: StoredSource, indices: Sequence[int]) -> StoredSubset: ...


@overload
def subset(source: Source, indices: Sequence[int]) -> Subset: ...


def subset(source: Source, indices: Sequence[int]) -> Subset:
    """These pictures of ``source``, and where it has pairs their inputs."""
    if isinstance(source, StoredSource):
        return StoredSubset(source, indices)
    return Subset(source, indices)


def split(source: Source, share: float) -> tuple[Source, Source | None]:
    """Training pictures, and the ``share`` of them that validation gets; None where it gets none.

    A name alone decides on which side its picture is, so that it stays there when others come and
    go; pieces of one picture stay together. At least one is held out of four or more pictures.
    """
    places = [_place(whole_name(name)) for name in source.ids]
    held = {i for i, place in enumerate(places) if place < share}
    if share and not held and len(set(places)) >= LEAST:
        held = {i for i, place in enumerate(places) if place == min(places)}
    if not held or len(held) == len(places):
        return source, None
    rest = [i for i in range(len(places)) if i not in held]
    return subset(source, rest), subset(source, sorted(held))


def _place(name: str) -> float:
    """A number in [0, 1) that depends on the name alone."""
    hashed = hashlib.blake2b(name.encode(errors="surrogateescape"), digest_size=8).digest()
    return int.from_bytes(hashed, "little") / 2**64
