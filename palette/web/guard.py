"""What every request and answer passes: pages of other sites can neither ask nor read here."""

from __future__ import annotations

from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOOPBACK = ("127.0.0.1", "localhost", "::1")
HEADERS = {
    # nothing from elsewhere is loaded, whatever the page says
    "content-security-policy": "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
    "cache-control": "no-store",
}


class Guard:
    """Refuses names that are not this machine's where it ``is_loopback`` (DNS rebinding), and
    orders from pages of another origin; adds HEADERS to every answer."""

    def __init__(self, app: ASGIApp, is_loopback: bool) -> None:
        self._app, self._is_loopback = app, is_loopback

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return
        problem = self._problem(scope["method"], Headers(scope=scope))
        app = self._app if problem is None else JSONResponse({"error": problem}, 403)

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).update(HEADERS)
            await send(message)

        await app(scope, receive, send_guarded)

    def _problem(self, method: str, headers: Headers) -> str | None:
        host = headers.get("host", "")
        if self._is_loopback and urlsplit(f"//{host}").hostname not in LOOPBACK:
            return "this page is for its own machine: open it as 127.0.0.1 or localhost"
        origin = headers.get("origin")
        if method not in ("GET", "HEAD") and origin and urlsplit(origin).netloc != host:
            return "another site may not give orders here"
        return None
