"""Time limits of clients that send a request slowly, so that they do not hold connections."""

import asyncio
import time
from typing import TYPE_CHECKING, Any

import anyio
from uvicorn.protocols.http.auto import AutoHTTPProtocol

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["HEAD_TIMEOUT_S", "BodyTimeout", "TimedHTTPProtocol", "limit_slow_clients"]

HEAD_TIMEOUT_S = 20.0
"""Seconds a client has for its request line and headers."""
PAUSE_TIMEOUT_S = 20.0
"""Longest pause within a body, in seconds."""
MIN_BYTES_PER_S = 4096
"""Slowest body, after `GRACE_S` seconds."""
GRACE_S = 30.0
"""Seconds before the speed of a body is checked."""


class TimedHTTPProtocol(AutoHTTPProtocol):  # type: ignore[misc, valid-type]  # chosen at run time
    """Uvicorn's HTTP protocol, which itself waits for ever for the headers of a request."""

    _head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        """Begin to wait for the headers of the first request."""
        super().connection_made(transport)
        self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._close)

    def data_received(self, data: bytes) -> None:
        """Receive bytes; they begin, continue or complete the headers of a request."""
        if self._head_timer is None and not self._in_request():
            self._head_timer = self.loop.call_later(HEAD_TIMEOUT_S, self._close)
        super().data_received(data)
        # a WebSocket has another protocol from now on
        if self._in_request() or self.transport.get_protocol() is not self:
            self._stop_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget the connection."""
        self._stop_timer()
        super().connection_lost(exc)

    def _in_request(self) -> bool:
        """Whether a request's headers have arrived and its response is not complete."""
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _close(self) -> None:
        self._head_timer = None
        if not self.transport.is_closing():
            self.transport.close()

    def _stop_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None


def limit_slow_clients() -> None:
    """Make the servers that uvicorn starts in this process use `TimedHTTPProtocol`.

    Streamlit starts uvicorn and passes no protocol on, so that uvicorn's default is replaced.
    """
    from uvicorn import config

    config.HTTP_PROTOCOLS["auto"] = f"{__name__}:{TimedHTTPProtocol.__name__}"


class BodyTimeout:
    """ASGI middleware that ends requests whose body arrives too slowly, with status 408."""

    def __init__(self, app: "ASGIApp") -> None:
        """Wrap an application."""
        self._app = app

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        body = _TimedBody(receive)
        started = False

        async def watched_send(message: "Message") -> None:
            nonlocal started
            started = True
            await send(message)

        try:
            await self._app(scope, body.receive, watched_send)
        except _BodyTooSlow:
            if started:
                raise
            headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
            await send({"type": "http.response.start", "status": 408, "headers": headers})
            what = b'{"error": "Timeout", "what": "the body arrived too slowly; send it again"}'
            await send({"type": "http.response.body", "body": what})


class _BodyTooSlow(Exception):
    """The client paused too long, or sends too few bytes a second."""


class _TimedBody:
    """Receives a request's body within the limits of this module."""

    def __init__(self, receive: "Receive") -> None:
        self._receive = receive
        self._start = time.monotonic()
        self._n_bytes = 0
        self._is_complete = False

    async def receive(self) -> "Message":
        if self._is_complete:  # what follows is the disconnection, at any time
            return await self._receive()
        try:
            with anyio.fail_after(PAUSE_TIMEOUT_S):
                message = await self._receive()
        except TimeoutError as error:
            raise _BodyTooSlow from error
        self._n_bytes += len(message.get("body", b""))
        self._is_complete = not message.get("more_body", False)
        seconds = time.monotonic() - self._start
        if seconds > GRACE_S and self._n_bytes < MIN_BYTES_PER_S * seconds:
            raise _BodyTooSlow
        return message
