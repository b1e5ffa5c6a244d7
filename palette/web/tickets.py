"""A bounded queue: one order is worked on, some wait, more are asked to come again."""

from __future__ import annotations

import secrets
import sys
import threading
import traceback
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal

from palette.errors import UserError
from palette.machine.errors import as_ours
from palette.web.order import Order

State = Literal["waiting", "running", "done", "cancelled", "failed"]
REMEMBERED = 200
"""Orders that can be asked for; older ones are forgotten."""


class Cancelled(Exception):
    """The order is not wanted any more."""


class Busy(UserError):
    """Too many orders wait."""


@dataclass
class Ticket:
    """An order in the queue, and what became of it so far."""

    order: Order
    key: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    state: State = "waiting"
    evaluations: int = 0
    """Of the network, for the picture that is worked on."""
    expected: int = 0
    results: list[dict[str, Any]] = field(default_factory=list)
    """Plain JSON values, one for each picture that is done."""
    error: str | None = None
    _cancelled: threading.Event = field(default_factory=threading.Event)

    def begin(self, expected: int) -> None:
        """A picture begins, which takes about so many evaluations."""
        self.evaluations, self.expected = 0, expected
        self.check()

    def count(self) -> None:
        """Before each evaluation; raises Cancelled."""
        self.check()
        self.evaluations = min(self.evaluations + 1, self.expected)

    def check(self) -> None:
        """Raise Cancelled where the order was."""
        if self._cancelled.is_set():
            raise Cancelled

    def cancel(self) -> None:
        """End at the next evaluation, or before the first."""
        self._cancelled.set()
        if self.state == "waiting":
            self.state = "cancelled"

    def as_json(self, ahead: int) -> dict[str, Any]:
        """What the page shows; ``ahead`` orders are before this one."""
        return {
            "key": self.key,
            "state": self.state,
            "ahead": ahead,
            "items": len(self.order.items),
            "evaluations": self.evaluations,
            "expected": self.expected,
            "results": list(self.results),
            "error": self.error,
        }


class Desk:
    """Takes orders and has them worked on, one after the other, in a thread of its own."""

    def __init__(self, work: Callable[[Ticket], None], waiting: int) -> None:
        self._work, self._most = work, waiting
        self._tickets: OrderedDict[str, Ticket] = OrderedDict()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="palette-web", daemon=True)
        self._thread.start()

    def submit(self, order: Order) -> Ticket:
        """Queue an order; Busy where too many wait."""
        with self._changed:
            waiting = sum(ticket.state == "waiting" for ticket in self._tickets.values())
            if waiting >= self._most:
                raise Busy(f"{waiting} orders wait already: try again in a while")
            ticket = Ticket(order)
            self._tickets[ticket.key] = ticket
            self._forget()
            self._changed.notify()
            return ticket

    def get(self, key: str) -> Ticket:
        """UserError for one that is not there, or not any more."""
        with self._changed:
            if key not in self._tickets:
                raise UserError("this order is not known any more: give it again")
            return self._tickets[key]

    def state(self, key: str) -> dict[str, Any]:
        """:meth:`Ticket.as_json` of an order."""
        ticket = self.get(key)
        with self._changed:
            open_keys = [k for k, t in self._tickets.items() if t.state in ("waiting", "running")]
            return ticket.as_json(open_keys.index(key) if key in open_keys else 0)

    def cancel(self, key: str) -> None:
        """What is done of the order stays."""
        ticket = self.get(key)
        with self._changed:
            ticket.cancel()

    def close(self) -> None:
        """Cancel all and wait for the thread."""
        with self._changed:
            self._closed = True
            for ticket in self._tickets.values():
                ticket.cancel()
            self._changed.notify()
        self._thread.join(timeout=30)

    def _forget(self) -> None:
        ended = [k for k, t in self._tickets.items() if t.state not in ("waiting", "running")]
        for key in ended[: max(0, len(self._tickets) - REMEMBERED)]:
            del self._tickets[key]

    def _next(self) -> Ticket | None:
        """The first that waits, when there is one; None at the end."""
        with self._changed:
            while not self._closed:
                for ticket in self._tickets.values():
                    if ticket.state == "waiting":
                        ticket.state = "running"
                        return ticket
                self._changed.wait()
        return None

    def _run(self) -> None:
        while (ticket := self._next()) is not None:
            state: State = "failed"
            try:
                self._work(ticket)
                state = "done"
            except Cancelled:
                state = "cancelled"
            except Exception as error:  # the next order is to be worked on all the same
                ticket.error = explained(error)
            with self._changed:
                ticket.state = state


def explained(error: Exception) -> str:
    """One line for the page; of a mistake of ours the traceback goes to the terminal."""
    if (ours := as_ours(error)) is not None:
        return str(ours)
    traceback.print_exception(error, file=sys.stderr)
    return f"{type(error).__name__}: {error} (a mistake of ours, the terminal has its traceback)"
