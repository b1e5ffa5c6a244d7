"""From the names of devices to a team of workers that have begun."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from palette.workers.flags import Engine, device_names
from palette.workers.team import Alone, Answer, Item, Team, Work


@contextmanager
def begun(
    work: Work[Item, Answer], devices: str = "auto", engine: Engine = "processes"
) -> Iterator[Team[Item, Answer]]:
    """Workers that have begun with ``work``: one for each of the ``devices``.

    Names with commas, or "all": every GPU that there is. One name is done by this process, unless
    the ``engine`` is Ray. Raises what beginning raises, UserError for devices that are not there.
    """
    if engine == "ray":
        from palette.workers.actors import actors

        with actors(work, devices) as (hands, agreed):
            yield Team(hands, agreed)
        return
    names = named(devices)
    if len(names) == 1:
        function, agreed = work.begin(names[0], None)
        yield Team(Alone(function), agreed)
        return
    from palette.workers.processes import processes

    with processes(work, names) as (hands, agreed):
        yield Team(hands, agreed)


def named(devices: str) -> list[str]:
    """The devices of this machine that are asked for."""
    if devices != "all":
        return device_names(devices, 0)
    import torch

    return device_names(devices, torch.cuda.device_count())
