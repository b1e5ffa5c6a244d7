"""Actors of Ray are workers like all others: in order, every loss named, refused where too many."""

from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from counting_work import DIES, RAISES, Counting

from palette.errors import MachineError, UserError
from palette.workers.actors import start
from palette.workers.begin import begun
from palette.workers.team import Lost


def test_a_cluster_that_does_not_start_is_tried_again_and_named() -> None:
    asked = []

    def init(*_: object, **__: object) -> None:
        asked.append(1)
        if len(asked) % 2:
            raise Exception("The current node timed out during startup.")

    start(SimpleNamespace(init=init), cores=2)
    assert len(asked) == 2
    stuck = SimpleNamespace(init=lambda *_, **__: 1 / 0)
    with pytest.raises(MachineError, match=r"Ray could not be started here: division by zero"):
        start(stuck, cores=2)


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_actors_answer_in_order_and_their_losses_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """One cluster of this machine for all, as starting one takes seconds."""
    ray = pytest.importorskip("ray")
    places = [os.path.dirname(__file__), *filter(None, [os.environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join(places))  # which actors inherit
    monkeypatch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    start(ray, cores=2)
    try:
        with begun(Counting(), "cpu,cpu", "ray") as team:
            assert team.count == 2
            assert team.agreed == "as cpu said"
            assert list(team.answers((n, n) for n in range(20))) == [(n, 10 * n) for n in range(20)]
            answers = team.answers((n, n) for n in (1, RAISES))
            assert next(answers) == (1, 10)
            with pytest.raises(UserError, match="item is -2"):
                next(answers)
        with begun(Counting(), "cpu,cpu", "ray") as team:
            found = dict(team.answers((n, n) for n in (1, DIES, 2, 3)))
            lost = found.pop(DIES)
            assert isinstance(lost, Lost)
            assert "of 2 on cpu ended (ActorDiedError)" in lost.why
            assert found == {1: 10, 2: 20, 3: 30}
            with pytest.raises(MachineError, match="no worker is left"):
                list(team.answers((n, n) for n in (DIES, 4)))
        for devices, said in (
            ("cpu,cpu,cpu", "3 workers on cpu need a CPU each, and the cluster has 2"),
            ("cuda", "1 workers on cuda need a GPU each, and the cluster has 0"),
            ("mps", "Ray knows no device 'mps'"),
        ):
            with pytest.raises(UserError, match=said), begun(Counting(), devices, "ray"):
                raise AssertionError
        with (
            pytest.raises(UserError, match="there is no device cpu"),
            begun(Counting(fails="cpu"), "cpu", "ray"),
        ):
            raise AssertionError
    finally:
        ray.shutdown()
