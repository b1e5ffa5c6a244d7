"""A suite: many protocols of one model, of which those are run that the data folder allows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from palette.errors import UserError, nearest
from palette.eval.literature_protocols import LITERATURE
from palette.eval.pictures import Model
from palette.eval.protocol import Protocol
from palette.eval.request import SuiteName

SUITES: dict[SuiteName, tuple[Protocol, ...]] = {"restoration": LITERATURE}

OTHER_NAMES = {
    "b100": ("bsd100", "bsds100"),
    "div2k": ("div2kvalid", "div2kvalidhr"),
    "kodak24": ("kodak",),
    "mcmaster": ("mcm",),
    "cbsd68": ("bsd68", "cbsd68hq"),
}
"""Of the folders that test sets are handed around in, in small letters without marks."""


@dataclass(frozen=True)
class Planned:
    """One protocol, the folder with its pictures, and the task of the model that it is for."""

    protocol: Protocol
    folder: Path
    task: str


def planned(
    suite: SuiteName, data: Path, models: Mapping[str, Model], only: Iterable[str] | None = None
) -> list[Planned]:
    """The protocols that ``data`` has a folder for, and ``models`` (by task) a task.

    UserError names what there would have to be, where that is none or one of ``only`` is not.
    """
    if suite not in SUITES:
        raise UserError(f"suite is {suite!r}: {nearest(suite, SUITES)}")
    if not data.is_dir():
        raise UserError(f"there is no folder {data}: give one that holds Set5/, LIVE1/ …")
    protocols = {protocol.name: protocol for protocol in SUITES[suite]}
    folders = {_plain(path.name): path for path in sorted(data.iterdir()) if path.is_dir()}
    chosen = list(protocols) if only is None else list(only)
    found: list[Planned] = []
    for name in chosen:
        if name not in protocols:
            raise UserError(f"unknown protocol {name!r} of {suite}: {nearest(name, protocols)}")
        protocol = protocols[name]
        folder = _folder_of(protocol, folders)
        task = next(iter(protocol.fitting(models)), None)
        if folder is not None and task is not None:
            found.append(Planned(protocol, folder, task))
        elif only is not None and folder is None:
            raise UserError(f"protocol {name} needs a folder {protocol.dataset} in {data}")
        elif only is not None:
            raise UserError(f"protocol {name} fits none of the tasks {', '.join(models)}")
    if not found:
        sets = sorted({str(protocol.dataset) for protocol in protocols.values()})
        raise UserError(
            f"no protocol of {suite} fits {', '.join(models)} and the folders in {data}: name them "
            f"after the sets, which are {', '.join(sets)}"
        )
    return found


def _folder_of(protocol: Protocol, folders: Mapping[str, Path]) -> Path | None:
    names = (str(protocol.dataset), *OTHER_NAMES.get(str(protocol.dataset), ()))
    return next((folders[name] for name in names if name in folders), None)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z0-9]", "", name.casefold())
