"""ASGI middleware that refuses requests of other web sites, and hardens every response.

A page of another site can make a browser send requests to a server on the same computer or network.
Three rules keep such pages out: the `Host` must be a name of this server, because a site can give
its own name the address 127.0.0.1 (DNS rebinding); requests that change or compute something, and
WebSockets, must come from a page of this server; and browsers are told what pages may load.
"""

import ipaddress
import json
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

__all__ = ["CONTENT_SECURITY_POLICY", "RequestGuard", "is_host_allowed"]

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # Streamlit's pages use inline styles and scripts; the map's worker is a blob
        "script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:",
        "style-src 'self' 'unsafe-inline' blob:",
        "img-src 'self' data: blob:",
        "media-src 'self' data: blob:",
        "font-src 'self' data:",
        "connect-src 'self' data: blob:",
        "worker-src 'self' blob:",
        "frame-src 'self' data: blob:",
        "object-src 'none'",
        "base-uri 'self'",
        "form-action 'self'",
        "frame-ancestors 'self'",
    )
)
"""What a page of the server may load: nothing from other hosts."""

_HEADERS = {
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"SAMEORIGIN",
    b"referrer-policy": b"same-origin",
    b"content-security-policy": CONTENT_SECURITY_POLICY.encode(),
}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
_POLICY_VIOLATION = 1008


class RequestGuard:
    """Middleware that checks `Host` and `Origin` and adds headers to responses."""

    def __init__(self, app: "ASGIApp", allowed_hosts: Callable[[], Collection[str]]) -> None:
        """Wrap an application.

        Args:
            app: the application.
            allowed_hosts: called for each request; names of the server beside those of this
                computer, in lower case and without a port; `*` allows every name.
        """
        self._app = app
        self._allowed_hosts = allowed_hosts

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        problem = self._problem(scope)
        if problem is None:
            await self._app(scope, receive, _with_headers(send))
        elif scope["type"] == "websocket":
            await receive()  # the request to connect; closed before it is accepted: HTTP 403
            await send({"type": "websocket.close", "code": _POLICY_VIOLATION, "reason": problem[1]})
        else:
            await _refuse(_with_headers(send), *problem)

    def _problem(self, scope: "Scope") -> tuple[int, str] | None:
        """Status and reason of a request that is refused."""
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        allowed = self._allowed_hosts()
        host = headers.get(b"host", "")
        if not is_host_allowed(host, allowed):
            return 421, (
                f"the address {host[:100]!r} is not one of this server; set "
                "TERRASEEK_ALLOWED_HOSTS to the names it is reached by"
            )
        if scope["type"] == "http" and scope["method"] in _SAFE_METHODS:
            return None
        origin = headers.get(b"origin")
        if origin is None:  # a program, or a browser that says where the request comes from
            foreign = headers.get(b"sec-fetch-site", "none") in ("cross-site", "same-site")
        else:
            foreign = not _is_same_site(origin, host, allowed)
        if foreign:
            return 403, f"requests from pages of {(origin or 'another site')[:100]} are refused"
        return None


def is_host_allowed(host: str, allowed: Collection[str]) -> bool:
    """Whether a `Host` header names this server.

    Addresses are allowed besides `localhost`, the name of this computer and the configured names:
    the `Host` of a page that another site has pointed here is a name, never an address.

    Args:
        host: name or address, perhaps with a port.
        allowed: configured names, in lower case; `*` allows every name.
    """
    name = _name_of(host)
    if not name:
        return False
    if "*" in allowed or name in allowed:
        return True
    own = socket.gethostname().lower()
    return name in ("localhost", own) or name.endswith(".localhost") or _is_address(name)


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True


def _name_of(host: str) -> str:
    """Name or address of a host in lower case, without its port; blank if it is malformed."""
    if any(character in host for character in "/@?#\\ ,"):
        return ""
    try:
        return (urlsplit(f"//{host}").hostname or "").rstrip(".")
    except ValueError:
        return ""


def _is_same_site(origin: str, host: str, allowed: Collection[str]) -> bool:
    """Whether a page of `origin` belongs to the server reached as `host`."""
    try:
        page = urlsplit(origin).netloc.lower()
    except ValueError:
        return False
    # the configured names count on any port: a proxy may change it
    return bool(page) and (page == host.lower() or _name_of(page) in allowed)


async def _refuse(send: "Send", status: int, what: str) -> None:
    body = json.dumps({"error": "Refused", "what": what}).encode()
    headers = [(b"content-type", b"application/json"), (b"connection", b"close")]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def _with_headers(send: "Send") -> "Send":
    """Add the hardening headers to the start of the response, unless it sets them itself."""

    async def send_with_headers(message: "Message") -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", ())}
            added = [(name, value) for name, value in _HEADERS.items() if name not in given]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_with_headers
