"""Refusals of middleware: JSON like that of the routes, or a closed WebSocket."""

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import Receive, Scope, Send

    from terraseek.errors import ServerBusyError

__all__ = ["refuse", "refuse_for"]

_POLICY_VIOLATION, _TRY_AGAIN_LATER = 1008, 1013


async def refuse(
    status: int,
    what: str,
    scope: "Scope",
    receive: "Receive",
    send: "Send",
    error: str = "Refused",
    retry_after_s: int | None = None,
) -> None:
    """Refuse a request.

    Args:
        status: HTTP status.
        what: the reason, and what to do.
        scope: the request's scope.
        receive: receives from the client.
        send: sends to the client.
        error: name of the error.
        retry_after_s: seconds after which the client may try again.
    """
    if scope["type"] == "websocket":
        await receive()  # the request to connect; closed before it is accepted: HTTP 403
        code = _POLICY_VIOLATION if retry_after_s is None else _TRY_AGAIN_LATER
        await send({"type": "websocket.close", "code": code, "reason": what[:120]})
        return
    # the body that may follow is not read
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    if retry_after_s is not None:
        headers.append((b"retry-after", str(retry_after_s).encode()))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    body = json.dumps({"error": error, "what": what}).encode()
    await send({"type": "http.response.body", "body": body})


async def refuse_for(
    error: "ServerBusyError", status: int, scope: "Scope", receive: "Receive", send: "Send"
) -> None:
    """Refuse a request because of an error that says when to try again."""
    name = type(error).__name__
    await refuse(status, str(error), scope, receive, send, name, error.retry_after_s)
