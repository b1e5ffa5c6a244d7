"""Workers that are actors of Ray: of the cluster at RAY_ADDRESS, or of this machine without one.

An actor reserves a GPU, or a core where it computes on the CPU. Ray starts nothing again and
remembers nothing: what is done stands in the files of the process that asks.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from palette.errors import MachineError, UserError
from palette.extras import require
from palette.workers.flags import device_names
from palette.workers.team import Lost, Place, Raised, Work, answering, nobody_left, returned

TRIES = 3
"""To start a cluster."""
QUIET = {"log_to_driver": False, "logging_level": "ERROR"}


class _Actor:
    """One worker."""

    def begin(self, work: Work[Any, Any], device: str, agreed: Any, threads: int) -> Any:
        import torch

        from palette import progress

        progress.silence()
        torch.set_num_threads(threads)
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

    def __init__(self, ray: Any, actors: dict[str, Any]) -> None:
        self._ray = ray
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
        (done,), _ = self._ray.wait(list(self._busy), num_returns=1)
        place, worker = self._busy.pop(done)
        try:
            place.settle(self._ray.get(done))
        except self._ray.exceptions.RayError as error:  # the actor or its machine is gone
            self._ended.append(f"{worker[0]} ended ({type(error).__name__})")
            place.settle(Lost(self._ended[-1]))
        else:
            self._free.append(worker)


@contextmanager
def actors(work: Work[Any, Any], devices: str) -> Iterator[tuple[Actors, Any]]:
    """An actor for each device, all begun with ``work``, and what the first of them said."""
    ray, started = _ray(), []
    ours = not ray.is_initialized()
    if ours:
        _connect(ray, devices)
    try:
        there = ray.cluster_resources()
        kinds = _kinds(device_names(devices, int(there.get("GPU", 0))), there)
        started += [ray.remote(_Actor).options(**_needs(kind)).remote() for kind in kinds]

        threads = _threads()

        def begin(number: int, agreed: Any) -> Any:
            return started[number].begin.remote(work, kinds[number], agreed, threads)

        agreed = returned(ray.get(begin(0, None)))
        for said in ray.get([begin(number, agreed) for number in range(1, len(kinds))]):
            returned(said)
        names = [f"actor {n} of {len(kinds)} on {kind}" for n, kind in enumerate(kinds)]
        yield Actors(ray, dict(zip(names, started, strict=True))), agreed
    finally:
        for actor in started:
            ray.kill(actor)
        if ours:
            ray.shutdown()


def _threads() -> int:
    """Those of this process. Ray gives an actor one, and on CPUs the last bits depend on it."""
    import torch

    return torch.get_num_threads()


def _ray() -> Any:
    require("ray", extra="ray")
    import ray  # pyright: ignore[reportMissingImports] -- an extra

    return ray


def _connect(ray: Any, devices: str) -> None:
    """To the cluster at RAY_ADDRESS; without one a small one is started on this machine."""
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # nothing is sent anywhere
    if "RAY_ADDRESS" not in os.environ:
        start(ray, max(devices.count(",") + 1, os.cpu_count() or 1))
        return
    try:
        ray.init(**QUIET)
    except ConnectionError as error:
        raise UserError(
            f"RAY_ADDRESS is {os.environ['RAY_ADDRESS']!r}, where no cluster answers: start one by "
            f"`ray start --head`, or leave RAY_ADDRESS out"
        ) from error


def start(ray: Any, cores: int) -> None:
    """A cluster of this machine alone. MachineError where Ray cannot be started.

    Ray 2.60 gives up where its own services take longer than 15 seconds to start, whatever
    RAY_agent_register_timeout_ms is; a busy machine may need them. The next try finds their files
    in memory.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            ray.init("local", num_cpus=cores, include_dashboard=False, **QUIET)
            return
        except Exception as error:  # Ray has no class for it
            if not tries_left:
                raise MachineError(
                    f"Ray could not be started here: {' '.join(str(error).split())} The machine "
                    f"may be too busy: try again, or leave out the engine ray"
                ) from error


def _kinds(names: Sequence[str], there: Mapping[str, float]) -> list[str]:
    """cpu or cuda of each; UserError where the cluster has too few, as Ray would wait for ever."""
    kinds = ["cpu" if name == "auto" else name.split(":")[0] for name in names]
    if other := {*kinds} - {"cpu", "cuda"}:
        raise UserError(f"Ray knows no device {other.pop()!r}: choose cpu or cuda, or all")
    for kind, resource in (("cuda", "GPU"), ("cpu", "CPU")):
        wanted, found = kinds.count(kind), int(there.get(resource, 0))
        if wanted > found:
            raise UserError(
                f"{wanted} workers on {kind} need a {resource} each, and the cluster has {found}: "
                f"name fewer devices, or add machines by `ray start --address`"
            )
    return kinds


def _needs(kind: str) -> dict[str, int]:
    return {"num_gpus": 1, "num_cpus": 0} if kind == "cuda" else {"num_cpus": 1}
