"""One part of a work that several processes or machines share."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

from palette.errors import UserError

T = TypeVar("T")


@dataclass(frozen=True)
class Shard:
    """Part number ``index``, counted from 0, of ``of`` parts; the default is the whole."""

    index: int = 0
    of: int = 1

    @property
    def suffix(self) -> str:
        """For names of files that each part has of its own: "-0-of-4", "" for the whole."""
        return "" if self.of == 1 else f"-{self.index}-of-{self.of}"

    def owns(self, number: int) -> bool:
        """Whether item ``number``, counted from 0, belongs to this part: every ``of``-th does."""
        return number % self.of == self.index

    def part(self, items: Sequence[T]) -> list[T]:
        """Those of ``items`` that belong to this part, in their order."""
        return list(items[self.index :: self.of])

    def cut(self, parts: int) -> list[Shard]:
        """This part in so many smaller ones."""
        return [Shard(self.index + self.of * n, self.of * parts) for n in range(parts)]


def parse_shard(text: str) -> Shard:
    """ "0/4" to "3/4" are the four parts of four; UserError for anything else."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    if match is None or int(match[1]) >= int(match[2]):
        raise UserError(f"shard is {text!r}: write i/n with i from 0 to n - 1, such as 0/4")
    return Shard(int(match[1]), int(match[2]))
