"""These items, this pure function, these workers: how every command shares its work.

A work is begun once in each worker, on the worker's device, and gives a function of one item. The
process that was started hands out the items one at a time and takes the answers in their order. So
nothing depends on how many workers there are, memory is bounded, and of a worker that ends no more
is lost than the item it had in hand. Workers are this process itself, other processes of this
machine (:mod:`palette.workers.processes`) or actors of Ray (:mod:`palette.workers.actors`).
"""

from __future__ import annotations

import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from palette.errors import MachineError, PaletteError

Item = TypeVar("Item")
Answer = TypeVar("Answer")
Key = TypeVar("Key")
Asked = TypeVar("Asked", contravariant=True)
Answered = TypeVar("Answered", covariant=True)

AHEAD = 4
"""Answers that wait for an earlier one, for each worker."""


class Work(Protocol[Asked, Answered]):
    """Plain data that travels to the workers."""

    def begin(self, device: str, agreed: Any) -> tuple[Callable[[Asked], Answered], Any]:
        """The function of an item, and what all workers have to agree on.

        ``agreed`` is None in the first worker, which decides; the others get what it returned.
        """
        ...


@dataclass(frozen=True)
class Lost:
    """In place of an answer: the worker ended while it had the item in hand."""

    why: str


@dataclass(frozen=True)
class Raised:
    """In place of an answer: what the function raised. It is raised again where it is read."""

    error: Exception

    @classmethod
    def of(cls, error: Exception) -> Raised:
        """Fit to travel between processes, with the traceback as a note for mistakes of ours."""
        import pickle

        if not isinstance(error, PaletteError):
            error.add_note("".join(traceback.format_exception(error)))
        try:
            pickle.loads(pickle.dumps(error))
        except Exception:
            return cls(RuntimeError("".join(traceback.format_exception(error))))
        return cls(error)


def answering(function: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """``function``, with what it raises as its answer."""

    def answer(item: Any) -> Any:
        try:
            return function(item)
        except Exception as error:
            return Raised.of(error)

    return answer


def returned(answer: Any) -> Any:
    """``answer``; what the function raised is raised."""
    if isinstance(answer, Raised):
        raise answer.error
    return answer


@dataclass
class Place:
    """One item's place in the order, and its answer once there is one."""

    key: Any
    settled: bool = False
    answer: Any = None

    def settle(self, answer: Any) -> None:
        self.answer, self.settled = answer, True


class Hands(Protocol):
    """What the kinds of workers have in common."""

    @property
    def count(self) -> int: ...

    def give(self, place: Place, item: Any) -> None:
        """Let a worker begin with an item; where all have one, wait until one is free."""
        ...

    def wait(self) -> None:
        """Until a place that was given is settled."""
        ...


class Team(Generic[Item, Answer]):
    """Workers that have begun with a work; ``agreed`` is what the first of them said."""

    def __init__(self, hands: Hands, agreed: Any) -> None:
        self._hands, self.agreed = hands, agreed

    @property
    def count(self) -> int:
        """Of the workers."""
        return self._hands.count

    def answers(
        self, asked: Iterable[tuple[Key, Item | None]]
    ) -> Iterator[tuple[Key, Answer | Lost | None]]:
        """The answers in the order of the items, each with its key, which stays here.

        Without an item there is nothing to do, and the answer is None. What the function raises is
        raised. MachineError where no worker is left.
        """
        waiting: deque[Place] = deque()
        for key, item in asked:
            waiting.append(place := Place(key))
            if item is None:
                place.settle(None)
            else:
                self._hands.give(place, item)
            yield from self._settled(waiting, AHEAD * self._hands.count)
        yield from self._settled(waiting, 0)

    def _settled(self, waiting: deque[Place], most: int) -> Iterator[tuple[Any, Any]]:
        """Those at the head of the queue that are settled, and more until ``most`` are left."""
        while waiting and (waiting[0].settled or len(waiting) > most):
            while not waiting[0].settled:
                self._hands.wait()
            place = waiting.popleft()
            yield place.key, returned(place.answer)


class Alone:
    """The work of this very process."""

    count = 1

    def __init__(self, function: Callable[[Any], Any]) -> None:
        self._function = function

    def give(self, place: Place, item: Any) -> None:
        place.settle(self._function(item))

    def wait(self) -> None:
        raise AssertionError("what is given is settled at once")


def nobody_left(ended: Iterable[str]) -> MachineError:
    """What is said once the last worker ended."""
    return MachineError(f"no worker is left: {'; '.join(ended)}")
