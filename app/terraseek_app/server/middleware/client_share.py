"""A share of the server for each client, so that one leaves threads for others."""

import asyncio
from typing import TYPE_CHECKING

from terraseek.errors import TooManyRequestsError
from terraseek_app.server.clients import OWN_ROUTES, ClientCounts, client_of, route_path
from terraseek_app.server.middleware.refusals import refuse_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["ClientShare"]

PARALLEL = 12
"""Requests of one client that are answered at the same time; a browser sends six."""
MAX_WAITING = 100
"""Further requests of one client that wait for their turn: the tiles of some maps."""
MAX_SOCKETS = 60
"""WebSockets, and with them Streamlit sessions, of one client."""
RETRY_AFTER_S = 5

_UNLIMITED = ("/api/health", "/api/localize/")  # the latter has a queue: `work_queue`


class ClientShare:
    """ASGI middleware: a client gets a share of the threads; its other requests wait.

    Searches, tiles and pictures are answered in the order of their arrival, `PARALLEL` of a client
    at a time, so that one client leaves threads for others.
    """

    def __init__(self, app: "ASGIApp") -> None:
        """Wrap an application."""
        self._app = app
        self._turns: dict[str, asyncio.Semaphore] = {}
        self._requests = ClientCounts(PARALLEL + MAX_WAITING, "requests", RETRY_AFTER_S)
        self._sockets = ClientCounts(MAX_SOCKETS, "pages", RETRY_AFTER_S)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request when it is its turn, or refuse it."""
        if scope["type"] not in ("http", "websocket") or not _is_limited(scope):
            await self._app(scope, receive, send)
            return
        client = client_of(scope)
        counts = self._requests if scope["type"] == "http" else self._sockets
        try:
            counts.add(client)
        except TooManyRequestsError as error:
            await refuse_for(error, 429, scope, receive, send)
            return
        try:
            if scope["type"] == "websocket":
                await self._app(scope, receive, send)
                return
            async with self._turns.setdefault(client, asyncio.Semaphore(PARALLEL)):
                await self._app(scope, receive, send)
        finally:
            counts.remove(client)
            if scope["type"] == "http" and not counts.has(client):
                self._turns.pop(client, None)


def _is_limited(scope: "Scope") -> bool:
    path = route_path(scope)
    if scope["type"] == "websocket":
        return True
    return path.startswith(OWN_ROUTES) and not path.startswith(_UNLIMITED)
