"""Workers that are processes of this machine, each on a device of its own.

They are spawned, not forked: a fork would copy threads and GPUs in the middle of what they do. Each
ends with its pipe, so that none outlives the process that started it.
"""

from __future__ import annotations

import os
import signal
import sys
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from multiprocessing import get_context
from multiprocessing.connection import Connection, wait
from multiprocessing.context import SpawnProcess
from typing import Any

from palette import progress
from palette.errors import MachineError, UserError
from palette.workers.team import Lost, Place, Raised, Work, answering, nobody_left, returned

LAST_WORDS = 10.0
"""Seconds in which a process ends whose pipe was closed, before it is killed."""


@dataclass
class _Worker:
    process: SpawnProcess
    pipe: Connection
    name: str
    begun: bool = False
    place: Place | None = None

    def ended(self) -> str:
        """Which worker it was and how it ended."""
        self.process.join(LAST_WORDS)
        code = self.process.exitcode
        how = "does not answer any more" if code is None else f"ended with exit code {code}"
        if code is not None and code < 0:
            how = f"was killed by signal {-code}"
        return f"{self.name} {how}"


class Processes:
    """They answer in any order."""

    def __init__(self, workers: Sequence[_Worker]) -> None:
        self._workers = list(workers)
        self._ended: list[str] = []

    @property
    def count(self) -> int:
        return len(self._workers)

    def give(self, place: Place, item: Any) -> None:
        while True:
            free = next((one for one in self._workers if one.place is None), None)
            if free is None:
                self.wait()
                continue
            try:
                free.pipe.send(item)
            except (BrokenPipeError, ConnectionResetError):  # it had nothing in hand
                warnings.warn(f"{self._end_of(free)}; the others go on", stacklevel=2)
                continue
            free.place = place
            return

    def wait(self) -> None:
        busy = {one.pipe: one for one in self._workers if one.place is not None}
        if not busy:
            raise nobody_left(self._ended)
        for pipe in wait(list(busy)):
            worker = busy[pipe]  # type: ignore[index]
            assert worker.place is not None
            try:
                worker.place.settle(worker.pipe.recv())
            except (EOFError, ConnectionResetError):
                worker.place.settle(Lost(self._end_of(worker)))
            worker.place = None

    def _end_of(self, worker: _Worker) -> str:
        self._workers.remove(worker)
        self._ended.append(worker.ended())
        return self._ended[-1]


@contextmanager
def processes(work: Work[Any, Any], devices: Sequence[str]) -> Iterator[tuple[Processes, Any]]:
    """A process for each device, all begun with ``work``, and what the first of them said."""
    started: list[_Worker] = []
    try:
        started.append(_started(work, devices[0], 0, len(devices), None))
        agreed = _begun(started[0])
        for number, device in enumerate(devices[1:], 1):
            started.append(_started(work, device, number, len(devices), agreed))
        for worker in started[1:]:
            _begun(worker)
        yield Processes(started), agreed
    finally:
        _end(started)


def _started(work: Work[Any, Any], device: str, number: int, of: int, agreed: Any) -> _Worker:
    context = get_context("spawn")
    here, there = context.Pipe()
    arguments = (there, work, device, agreed)
    process = context.Process(target=_serve, args=arguments, daemon=True, name=f"palette-{number}")
    try:
        process.start()
    except RuntimeError:  # Python's own refusal, while a worker still imports the script
        raise UserError(
            "a worker runs the script again that starts it: put what the script does below "
            "`if __name__ == '__main__':`"
        ) from None
    there.close()
    return _Worker(process, here, f"worker {number} of {of} on {device} (process {process.pid})")


def _begun(worker: _Worker) -> Any:
    """What the worker says when it has begun; raises what beginning raised."""
    try:
        said = worker.pipe.recv()
    except (EOFError, ConnectionResetError):
        raise MachineError(f"{worker.ended()} before it had begun") from None
    worker.begun = True
    return returned(said)


def _end(workers: Sequence[_Worker]) -> None:
    for worker in workers:
        worker.pipe.close()
        if worker.place is not None or not worker.begun:  # nobody waits for the answer
            worker.process.terminate()
    for worker in workers:
        worker.process.join(LAST_WORDS)
        if worker.process.is_alive():
            worker.process.kill()


def _serve(pipe: Connection, work: Work[Any, Any], device: str, agreed: Any) -> None:
    """What a worker does, to the end of its pipe. Ctrl-C reaches it through the pipe alone."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    progress.silence()
    warnings.showwarning = _say
    try:
        try:
            use(device)
            function, said = work.begin(device, agreed)
        except Exception as error:
            pipe.send(Raised.of(error))
            return
        pipe.send(said)
        answer = answering(function)
        while True:
            pipe.send(answer(pipe.recv()))
    except (EOFError, BrokenPipeError, ConnectionResetError):
        os._exit(0)  # nobody is there any more who would wait for what is left


def use(device: str) -> None:
    """Let "cuda" mean this GPU, for all that only knows the kind of its device."""
    kind, _, number = device.partition(":")
    if kind == "cuda" and number.isdigit():
        import torch

        if int(number) < torch.cuda.device_count():
            torch.cuda.set_device(int(number))


def _say(message: Warning | str, *_: object, **__: object) -> None:
    print(f"palette: {message}", file=sys.stderr)
