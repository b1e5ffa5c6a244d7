"""Workers that are actors of Ray: of the cluster at RAY_ADDRESS, or of this machine without one.

An actor reserves a GPU, or a core where it computes on the CPU. Ray starts nothing again and
remembers nothing: what is done stands in the files of the process that asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from palette.errors import UserError
from palette.workers.flags import device_names
from palette.workers.team import Lost, Place, Raised, Work, nobody_left

try:
    import ray
except ImportError:
    raise UserError(
        "--engine ray needs the package ray: pip install 'palette-diffusion[ray]'"
    ) from None


class _Actor:
    """One worker."""

    def begin(self, work: Work[Any, Any], device: str, agreed: Any) -> Any:
        from palette import progress
        from palette.workers.processes import answering

        progress.silence()
        try:
            function, said = work.begin(device, agreed)
        except Exception as error:
            return Raised.of(error)
        self._answer = answering(function)
        return said

    def do(self, item: Any) -> Any:
        return self._answer(item)


class Actors:
    """They answer in any order, each with one item in hand."""

    def __init__(self, actors: dict[str, Any]) -> None:
        self._free = list(actors.items())
        self._busy: dict[Any, tuple[Place, tuple[str, Any]]] = {}
        self._ended: list[str] = []

    @property
    def count(self) -> int:
        return len(self._free) + len(self._busy)

    def give(self, place: Place, item: Any) -> None:
        while not self._free:
            self.wait()
        name, actor = self._free.pop()
        self._busy[actor.do.remote(item)] = place, (name, actor)

    def wait(self) -> None:
        if not self._busy:
            raise nobody_left(self._ended)
        (done,), _ = ray.wait(list(self._busy), num_returns=1)
        place, worker = self._busy.pop(done)
        try:
            place.settle(ray.get(done))
        except ray.exceptions.RayError as error:  # the actor or its machine is gone
            self._ended.append(f"{worker[0]} ended ({type(error).__name__})")
            place.settle(Lost(self._ended[-1]))
        else:
            self._free.append(worker)


@contextmanager
def actors(work: Work[Any, Any], devices: str) -> Iterator[tuple[Actors, Any]]:
    """An actor for each device, all begun with ``work``, and what the first of them said."""
    ours = not ray.is_initialized()
    if ours:
        _connect(devices)
    try:
        names = device_names(devices, int(ray.cluster_resources().get("GPU", 0)))
        kinds = ["cpu" if name == "auto" else name.split(":")[0] for name in names]
        _require_room(kinds)
        started = {
            f"actor {number} of {len(kinds)} on {kind}": _actor(kind)
            for number, kind in enumerate(kinds)
        }
        one, *others = started.values()
        agreed = _said(one.begin.remote(work, kinds[0], None))
        for begun in [
            actor.begin.remote(work, kind, agreed)
            for actor, kind in zip(others, kinds[1:], strict=True)
        ]:
            _said(begun)
        yield Actors(started), agreed
    finally:
        if ours:
            ray.shutdown()


def _connect(devices: str) -> None:
    """To the cluster at RAY_ADDRESS; without one a small one is started on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    quiet = {"log_to_driver": False, "logging_level": "ERROR"}
    if "RAY_ADDRESS" in os.environ:
        try:
            ray.init(**quiet)
        except ConnectionError as error:
            raise UserError(
                f"RAY_ADDRESS is {os.environ['RAY_ADDRESS']!r}, where no cluster answers: start "
                f"one by `ray start --head`, or leave RAY_ADDRESS out"
            ) from error
        return
    cores = max(devices.count(",") + 1, os.cpu_count() or 1)
    ray.init("local", num_cpus=cores, include_dashboard=False, **quiet)


def _require_room(kinds: list[str]) -> None:
    """UserError where the cluster is too small, as Ray would wait for ever."""
    there = ray.cluster_resources()
    for kind, resource in (("cuda", "GPU"), ("cpu", "CPU")):
        wanted, found = kinds.count(kind), int(there.get(resource, 0))
        if wanted > found:
            raise UserError(
                f"{wanted} workers on {kind} need a {resource} each, and the cluster has {found}: "
                f"name fewer devices, or add machines by `ray start --address`"
            )
    if other := {*kinds} - {"cpu", "cuda"}:
        raise UserError(f"Ray knows no device {other.pop()!r}: choose cpu or cuda, or all")


def _actor(kind: str) -> Any:
    needs = {"num_gpus": 1, "num_cpus": 0} if kind == "cuda" else {"num_cpus": 1}
    return ray.remote(_Actor).options(**needs).remote()


def _said(begun: Any) -> Any:
    said = ray.get(begun)
    if isinstance(said, Raised):
        raise said.error
    return said
