"""The paths of the web gateway, and what every answer says to browsers."""

from __future__ import annotations

from collections.abc import Callable, MutableMapping, Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import Response
from starlette.routing import Mount, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket

from web_gateway.rest import Rest, answer_json
from web_gateway.session import WebSession

__all__ = ["make_app"]

STATIC: Final = Path(__file__).parent / "static"
POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'"
    " data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
HEADERS: Final = [
    (b"content-security-policy", POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-opener-policy", b"same-origin"),
]
_NUMBERS: Final = {404: 5, 405: 12}


def make_app(
    rest: Rest,
    new_session: Callable[[WebSocket], WebSession],
    origins: Sequence[str],
    most_sockets: int,
) -> Starlette:
    """Return the application; pages of `origins` may ask it beside its own."""
    sessions: set[WebSession] = set()

    async def stream(socket: WebSocket) -> None:
        # A browser sends cookies and reaches this machine for any page: only ours may read.
        if not _is_ours(socket, origins) or len(sessions) >= most_sockets:
            await socket.close()
            return
        await socket.accept()
        session = new_session(socket)
        sessions.add(session)
        try:
            await session.run()
        finally:
            sessions.discard(session)

    cors = Middleware(CORSMiddleware, allow_origins=[*origins], allow_headers=["authorization"])
    app = Starlette(
        routes=[
            *rest.routes(),
            WebSocketRoute("/v1/stream", stream),
            Mount("/", StaticFiles(directory=STATIC, html=True)),
        ],
        middleware=[Middleware(_Headers), Middleware(GZipMiddleware), *([cors] if origins else [])],
        exception_handlers={HTTPException: _no_such_thing},
    )
    app.state.sessions = sessions
    return app


async def _no_such_thing(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    sentence = {
        404: "there is nothing here: /openapi.json says what there is",
        405: "this method is not answered here: /openapi.json says which is",
    }.get(error.status_code, error.detail)
    body = {"error": sentence, "code": _NUMBERS.get(error.status_code, 2)}
    response = answer_json(body, error.status_code)
    response.headers.update(error.headers or {})
    return response


def _is_ours(connection: HTTPConnection, origins: Sequence[str]) -> bool:
    """Say whether a WebSocket is a program's, of our own page, or of one that is named."""
    origin = connection.headers.get("origin")
    if origin is None or origin in origins:
        return True
    return urlsplit(origin).netloc == connection.headers.get("host")


class _Headers:
    """Adds to every answer what a browser is to hold to."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async def with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message)
            await send(message)

        await self._app(scope, receive, with_headers)


def _add(message: MutableMapping[str, Any]) -> None:
    headers = [*message.get("headers", ())]
    message["headers"] = [*headers, *HEADERS]
    if all(name != b"cache-control" for name, _ in headers):
        # Files are asked for anew, and answered with 304 while they are the same.
        message["headers"].append((b"cache-control", b"no-cache"))
