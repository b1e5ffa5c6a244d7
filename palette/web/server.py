"""The page as a server: a folder for its files that goes when it ends, a queue, a socket."""

from __future__ import annotations

import socket
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import uvicorn

from palette.errors import UserError
from palette.restoring.restorer import Restorer
from palette.web.app import application
from palette.web.guard import LOOPBACK
from palette.web.limits import MB, Limits
from palette.web.store import Store
from palette.web.tickets import Desk
from palette.web.work import Workshop

CONNECTIONS = 100
"""At once; further ones are answered with 503."""


@contextmanager
def serving(
    model: str, restorers: Mapping[str, Restorer], host: str, port: int, limits: Limits
) -> Iterator[tuple[str, Callable[[], None], Callable[[], None]]]:
    """Yield the address of the page, a function that serves it until it is stopped, and one that
    stops it. ``port`` 0 takes a free one. UserError where the address cannot be had."""
    with (
        tempfile.TemporaryDirectory(prefix="palette-web-", ignore_cleanup_errors=True) as folder,
        _listening(host, port) as listener,
    ):
        workshop = Workshop(restorers, Store(Path(folder), limits.kept_mb * MB), limits)
        desk = Desk(workshop.work, limits.waiting)
        app = application(model, workshop, desk, host in LOOPBACK)
        config = uvicorn.Config(
            app,
            log_level="warning",
            access_log=False,
            server_header=False,
            proxy_headers=False,
            lifespan="off",
            ws="none",
            limit_concurrency=CONNECTIONS,
            timeout_graceful_shutdown=2,
        )
        server = uvicorn.Server(config)

        def stop() -> None:
            server.should_exit = True

        try:
            yield _address(listener), lambda: server.run(sockets=[listener]), stop
        finally:
            desk.close()


def _listening(host: str, port: int) -> socket.socket:
    try:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        listener = socket.create_server(address[:2], family=family)
    except OSError as error:
        reason = (error.strerror or str(error)).lower().partition(" (while")[0]
        raise UserError(
            f"the page cannot be served at {host}, port {port}: {reason}; choose another --port, "
            f"or --host 127.0.0.1"
        ) from None
    return listener


def _address(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
