"""`palette web [MODEL]`: a page in the browser to restore pictures with."""

from __future__ import annotations

import signal
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import tyro

from palette.errors import OK, UserError
from palette.extras import require
from palette.models import DEFAULT
from palette.web.limits import Limits


@dataclass(frozen=True)
class Web:
    """Serve a page to restore pictures with, at every task of a model, until Ctrl-C.

    The page works without a network and loads nothing from elsewhere. What is uploaded and made is
    kept in a temporary folder, which goes when the server ends."""

    model: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="[MODEL]")] = Path(DEFAULT)
    """A run folder, a model folder or the name of a model of the package."""
    port: int = 7860
    """0: one that is free."""
    host: str = "127.0.0.1"
    """The default is for this machine alone. 0.0.0.0 is for all that reach it: there is no
    password."""
    device: str = "auto"
    """auto, cpu, cuda, cuda:1, mps."""
    limits: Annotated[Limits, tyro.conf.OmitArgPrefixes] = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not 0 <= self.port < 65536:
            raise UserError(f"port is {self.port}: choose 0 to 65535, 7860 is usual")


def run(args: Web) -> int:
    require("starlette", "uvicorn", extra="web")
    from palette.api import load_tasks
    from palette.web.guard import LOOPBACK
    from palette.web.server import serving

    signal.signal(signal.SIGTERM, _end)  # so that the pictures are deleted then, too
    restorers = load_tasks(args.model, device=args.device)
    # as it was given, for the command that the page shows; others see no path of this machine
    model = args.model.as_posix() if args.host in LOOPBACK else args.model.name
    with serving(model, restorers, args.host, args.port, args.limits) as page:
        address, serve, _ = page
        print(f"open {address} in a browser; Ctrl-C ends it", flush=True)
        if args.host not in LOOPBACK:
            print("there is no password: whoever reaches this address can use it", flush=True)
        with suppress(KeyboardInterrupt):  # the usual end of serving
            serve()
    return OK


def _end(*_: object) -> None:
    raise KeyboardInterrupt
