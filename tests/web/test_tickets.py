"""The queue: in order, bounded, cancelled at once, never ended by an order that fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator

import pytest

from palette.errors import UserError
from palette.web.order import Item, Order
from palette.web.tickets import Busy, Desk, Ticket

ORDER = Order("denoising", (Item("a"),))
Make = Callable[[Callable[[Ticket], None]], Desk]


@pytest.fixture
def desk() -> Iterator[Make]:
    desks: list[Desk] = []

    def make(work: Callable[[Ticket], None]) -> Desk:
        desks.append(Desk(work, waiting=2))
        return desks[-1]

    yield make
    for one in desks:
        one.close()


def ended(desk: Desk, ticket: Ticket) -> Ticket:
    for _ in range(1000):
        if desk.state(ticket.key)["state"] not in ("waiting", "running"):
            return ticket
        time.sleep(0.01)
    raise AssertionError("it does not end")


def test_one_after_the_other_and_no_more_than_may_wait(desk: Make) -> None:
    go, begun, seen = threading.Event(), threading.Event(), []

    def work(ticket: Ticket) -> None:
        begun.set()
        assert go.wait(10)
        seen.append(ticket.key)

    queue = desk(work)
    first = queue.submit(ORDER)
    assert begun.wait(10)
    waiting = [queue.submit(ORDER), queue.submit(ORDER)]
    assert [queue.state(one.key)["ahead"] for one in (first, *waiting)] == [0, 1, 2]
    with pytest.raises(Busy, match="2 orders wait"):
        queue.submit(ORDER)
    go.set()
    ended(queue, waiting[1])
    assert seen == [first.key, *(one.key for one in waiting)]


def test_cancelling_ends_at_the_next_evaluation(desk: Make) -> None:
    begun = threading.Event()

    def work(ticket: Ticket) -> None:
        ticket.begin(10**9)
        while True:
            begun.set()
            ticket.count()
            time.sleep(0.001)

    queue = desk(work)
    running, waiting = queue.submit(ORDER), queue.submit(ORDER)
    assert begun.wait(10)
    queue.cancel(waiting.key)
    assert waiting.state == "cancelled"
    queue.cancel(running.key)
    assert ended(queue, running).state == "cancelled"
    assert 0 < running.evaluations < 10**9


def test_an_order_that_fails_does_not_end_the_queue(
    desk: Make, capsys: pytest.CaptureFixture[str]
) -> None:
    errors = iter([UserError("your mistake"), ZeroDivisionError("ours"), None])

    def work(ticket: Ticket) -> None:
        if (error := next(errors)) is not None:
            raise error

    queue = desk(work)
    yours, ours, fine = (ended(queue, queue.submit(ORDER)) for _ in range(3))
    assert (yours.state, yours.error) == ("failed", "your mistake")
    assert ours.error is not None
    assert "a mistake of ours" in ours.error
    assert "ZeroDivisionError" in capsys.readouterr().err
    assert fine.state == "done"


def test_the_end_of_the_server_ends_what_runs() -> None:
    def work(ticket: Ticket) -> None:
        while True:
            ticket.check()
            time.sleep(0.001)

    queue = Desk(work, waiting=2)
    tickets = [queue.submit(ORDER), queue.submit(ORDER)]
    queue.close()
    assert [ticket.state for ticket in tickets] == ["cancelled", "cancelled"]


def test_unknown_orders_are_named() -> None:
    queue = Desk(lambda ticket: None, waiting=1)
    with pytest.raises(UserError, match="not known"):
        queue.state("nothing")
    queue.close()
