"""What the page asks of the server, by HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Route

from palette.data.decoding import upright_size
from palette.data.images import read
from palette.data.jpeg_damage import damage
from palette.errors import UserError
from palette.web.about import about
from palette.web.archive import archive
from palette.web.guard import Guard
from palette.web.order import read_order
from palette.web.store import Held, tidy
from palette.web.tickets import Busy, Desk, explained
from palette.web.work import Workshop, thumbnail, view

TOGETHER = 3
"""Uploads that are received and decoded at once; others wait, so that memory is bounded."""
PAGE = {
    "index.html": "text/html",
    "style.css": "text/css",
    **dict.fromkeys(
        [f"{name}.js" for name in ("theme", "main", "server", "board", "editor", "mask", "frame")]
        + [f"{name}.js" for name in ("results", "running", "strip", "command")],
        "text/javascript",
    ),
    "icon.svg": "image/svg+xml",
}
"""All that is served beside what was uploaded and made, with its type."""

Answer = Callable[[Request], Awaitable[Response]]


class Application:
    """The handlers, with what they share."""

    def __init__(self, model: str, workshop: Workshop, desk: Desk) -> None:
        self._workshop, self._desk, self._store = workshop, desk, workshop.store
        self._about = about(model, workshop.restorers, workshop.limits)
        self._uploads = asyncio.Semaphore(TOGETHER)

    def routes(self) -> list[Route]:
        return [
            Route("/", _page),
            Route("/page/{name}", _page),
            Route("/model", self._model),
            Route("/pictures", _told(self._upload_picture), methods=["POST"]),
            Route("/masks", _told(self._upload_mask), methods=["POST"]),
            Route("/files/{key}", _told(self._file)),
            Route("/orders", _told(self._order), methods=["POST"]),
            Route("/orders/{key}", _told(self._state)),
            Route("/orders/{key}", _told(self._cancel), methods=["DELETE"]),
            Route("/orders/{key}/zip", _told(self._zip)),
        ]

    async def _model(self, request: Request) -> Response:
        return JSONResponse(self._about)

    async def _upload_picture(self, request: Request) -> Response:
        name = tidy(request.query_params.get("name", ""))
        async with self._uploads:
            data = await self._body(request, name)
            return JSONResponse(await run_in_threadpool(self._received, name, data))

    async def _upload_mask(self, request: Request) -> Response:
        async with self._uploads:
            data = await self._body(request, "the mask")
            held = await run_in_threadpool(self._keep, "mask.png", data)
            return JSONResponse({"key": held.key})

    async def _file(self, request: Request) -> Response:
        held = self._store.get(request.path_params["key"])
        if "download" in request.query_params:
            return FileResponse(held.path, media_type=held.type, filename=held.name)
        return FileResponse(held.path, media_type=held.type)

    async def _order(self, request: Request) -> Response:
        order = read_order(await self._body(request, "the order"))
        self._workshop.check(order)
        return JSONResponse(self._desk.state(self._desk.submit(order).key))

    async def _state(self, request: Request) -> Response:
        return JSONResponse(self._desk.state(request.path_params["key"]))

    async def _cancel(self, request: Request) -> Response:
        key = request.path_params["key"]
        self._desk.cancel(key)
        return JSONResponse(self._desk.state(key))

    async def _zip(self, request: Request) -> Response:
        ticket = self._desk.get(request.path_params["key"])
        known = {"model": Path(self._about["model"]).name, "sha256": self._about["sha256"]}
        held = await run_in_threadpool(
            archive, ticket.order, list(ticket.results), self._store, known
        )
        return FileResponse(held.path, media_type=held.type, filename=held.name)

    async def _body(self, request: Request, name: str) -> bytes:
        """All of it; UserError as soon as it is more than an upload may be."""
        announced = request.headers.get("content-length", "0")
        limits, received = self._workshop.limits, bytearray()
        limits.require_size(int(announced) if announced.isdecimal() else 0, name)
        async for chunk in request.stream():
            received += chunk
            limits.require_size(len(received), name)
        return bytes(received)

    def _keep(self, name: str, data: bytes) -> Held:
        """A picture of allowed size, by its header. UserError names it."""
        held = self._store.add(name, "application/octet-stream", data)
        try:
            self._workshop.limits.require_pixels(*upright_size(held.path), name)
        except Exception as error:
            self._store.remove(held.key)
            raise UserError(explained(error).replace(str(held.path), name)) from None
        return held

    def _received(self, name: str, data: bytes) -> dict[str, Any]:
        """Keep a picture, and what the page shows of it: the same pixels that are restored."""
        held = self._keep(name, data)
        try:
            photo = read(held.path)
        except Exception as error:
            self._store.remove(held.key)
            raise UserError(explained(error).replace(str(held.path), name)) from None
        alpha = None if photo.alpha is None else photo.alpha[..., None]
        shown = self._store.add("view.png", "image/png", view(photo.picture, alpha))
        thumb = self._store.add("thumb.png", "image/png", view(thumbnail(photo.picture)))
        height, width = photo.picture.shape[:2]
        return {
            "key": held.key,
            "name": name,
            "view": shown.key,
            "thumb": thumb.key,
            "width": width,
            "height": height,
            "transparent": photo.alpha is not None,
            "damage": damage(held.path) or None,
        }


def _told(answer: Answer) -> Answer:
    """With the errors of a user as JSON, which the page shows."""

    async def told(request: Request) -> Response:
        try:
            return await answer(request)
        except UserError as error:
            return JSONResponse({"error": str(error)}, 503 if isinstance(error, Busy) else 400)

    return told


async def _page(request: Request) -> Response:
    name = request.path_params.get("name", "index.html")
    if name not in PAGE:
        return Response("not found", 404)
    return Response(_content(name), media_type=PAGE[name])


@cache
def _content(name: str) -> bytes:
    return files("palette.web").joinpath("page", name).read_bytes()


def application(model: str, workshop: Workshop, desk: Desk, is_loopback: bool) -> Starlette:
    """The whole of it. ``model`` is the name to show; on loopback other host names are refused."""
    routes = Application(model, workshop, desk).routes()
    return Starlette(routes=routes, middleware=[Middleware(Guard, is_loopback=is_loopback)])
