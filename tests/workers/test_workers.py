"""Teams of workers: answers in order, bounded, with every loss named, whoever does the work."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import pytest
from counting_work import BREAKS, DIES, RAISES, Counting, answer

from palette.errors import MachineError, UserError
from palette.workers.begin import begun
from palette.workers.flags import Workers, device_names
from palette.workers.team import Lost, Raised, Team


@pytest.fixture(scope="module", params=["cpu", "cpu,cpu"])
def team(request: pytest.FixtureRequest) -> Iterator[Team[int, int]]:
    with begun(Counting(), request.param) as team:
        yield team


def test_answers_come_in_order_with_their_keys(team: Team[int, int]) -> None:
    asked = [(f"item {n}", n if n % 5 else None) for n in range(20)]
    expected = [(f"item {n}", 10 * n if n % 5 else None) for n in range(20)]
    assert list(team.answers(asked)) == expected
    assert team.agreed == "as cpu said"


def test_what_a_worker_raises_is_raised_here(team: Team[int, int]) -> None:
    answers = team.answers((n, n) for n in (1, RAISES, 2))
    assert next(answers) == (1, 10)
    with pytest.raises(UserError, match="item is -2"):
        next(answers)
    assert list(team.answers([("again", 3)])) == [("again", 30)]


def test_an_error_that_cannot_travel_is_told_with_its_traceback() -> None:
    raised = Raised.of(_sealed())
    assert isinstance(raised.error, RuntimeError)
    assert "counting_work.py" in str(raised.error)
    assert "raise Sealed" in str(raised.error)
    assert Raised.of(UserError("as it is")).error.args == ("as it is",)


def _sealed() -> Exception:
    try:
        answer(BREAKS)
    except Exception as error:
        return error
    raise AssertionError


def test_items_are_taken_as_they_are_needed(team: Team[int, int]) -> None:
    """However many there are, few are under way: memory is bounded."""
    taken = []

    def asked() -> Iterator[tuple[int, int]]:
        for n in range(1000):
            taken.append(n)
            yield n, 0

    answers = team.answers(asked())
    for n in range(30):
        assert next(answers) == (n, 0)
        assert len(taken) <= n + 1 + 4 * team.count
    del answers
    assert list(team.answers([("next", 3)])) == [("next", 30)]


def test_a_killed_worker_is_named_and_the_rest_goes_on() -> None:
    with begun(Counting(), "cpu,cpu") as team:
        answers = dict(team.answers((n, n) for n in (1, 2, DIES, 3, 4, 5, 6)))
        lost = answers.pop(DIES)
        assert answers == {n: 10 * n for n in range(1, 7)}
        assert isinstance(lost, Lost)
        assert "of 2 on cpu (process" in lost.why
        assert "ended with exit code 9" in lost.why
        assert team.count == 1
        with pytest.raises(MachineError, match=r"no worker is left: worker .* exit code 9; worker"):
            list(team.answers((n, n) for n in (DIES, 7)))


def test_what_beginning_raises_is_raised() -> None:
    for devices in ("here", "cpu,here"):
        with (
            pytest.raises(UserError, match="there is no device here"),
            begun(Counting(fails="here"), devices),
        ):
            raise AssertionError


def test_nobody_waits_for_a_worker_that_is_beginning(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended where another could not begin, or by Ctrl-C."""
    from palette.workers import processes

    started: list[processes._Worker] = []

    def start(*arguments: Any) -> processes._Worker:
        started.append(real(*arguments))
        return started[-1]

    real = processes._started
    monkeypatch.setattr(processes, "_started", start)
    with (
        pytest.raises(UserError, match="there is no device here"),
        begun(Counting(fails="here"), "cpu,here,slow"),
    ):
        raise AssertionError
    assert started[2].process.exitcode == -signal.SIGTERM


def test_names_of_devices() -> None:
    assert device_names("all", 2) == ["cuda:0", "cuda:1"]
    assert device_names("all", 0) == ["auto"]
    assert device_names("cuda:1, cpu", 0) == ["cuda:1", "cpu"]
    with pytest.raises(UserError, match="cuda:0,cuda:1"):
        device_names("cpu,", 0)
    assert Workers("cpu,cpu").names("auto") == "cpu,cpu"
    assert Workers().names("mps") == "mps"
    with pytest.raises(UserError, match="name one"):
        Workers("all").names("cpu")


def test_a_worker_that_ended_while_it_was_idle_costs_nothing() -> None:
    """It had nothing in hand: the item goes to another."""
    from palette.workers.processes import processes

    with processes(Counting(), ["cpu", "cpu"]) as (hands, _):
        idle = hands._workers[0]
        idle.process.kill()
        idle.process.join()
        team: Team[int, int] = Team(hands, None)
        with pytest.warns(UserWarning, match="worker 0 of 2 .* killed by signal 9; the others go"):
            found = list(team.answers((n, n) for n in range(4)))
        assert found == [(n, 10 * n) for n in range(4)]
        assert team.count == 1
