"""Which workers a user asks for: plain data, declared once for all commands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

from palette.errors import UserError

Engine = Literal["processes", "ray"]


@dataclass(frozen=True)
class Workers:
    """Who does the work of a command that runs a network."""

    devices: str | None = None
    """Instead of --device several, which share the pictures: all (every GPU), or names with commas:
    cuda:0,cuda:1. cpu,cpu are two processes on the CPU."""
    engine: Engine = "processes"
    """Where they work: as processes of this machine, or as actors of Ray, in the cluster at
    RAY_ADDRESS (needs the extra ray)."""

    def __post_init__(self) -> None:
        _require(self.engine)

    def names(self, device: str) -> str:
        """Of the devices; UserError where ``device`` was chosen too."""
        if self.devices is not None and device != "auto":
            raise UserError(f"device is {device!r} and devices are {self.devices!r}: name one")
        return device if self.devices is None else self.devices


@dataclass(frozen=True)
class Processes:
    """Who does the work of a command that runs on CPUs alone."""

    processes: int = 1
    """How many share the pictures. The outputs do not depend on it."""
    engine: Engine = "processes"
    """Where they work: on this machine, or as actors of Ray, in the cluster at RAY_ADDRESS (needs
    the extra ray)."""

    def __post_init__(self) -> None:
        if self.processes < 1:
            raise UserError(f"processes is {self.processes}: choose 1 or more")
        _require(self.engine)

    @property
    def names(self) -> str:
        return ",".join(["cpu"] * self.processes)


def _require(engine: str) -> None:
    if engine not in get_args(Engine):
        raise UserError(f"engine is {engine!r}: choose {' or '.join(get_args(Engine))}")


def device_names(devices: str, gpus: int) -> list[str]:
    """ "all" is all of so many ``gpus``, or what "auto" chooses where there are none."""
    if devices == "all":
        return [f"cuda:{number}" for number in range(gpus)] or ["auto"]
    names = [name.strip() for name in devices.split(",")]
    if not all(names):
        raise UserError(f"devices are {devices!r}: write all, or names with commas, cuda:0,cuda:1")
    return names
