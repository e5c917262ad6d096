"""ASGI middleware that refuses requests of other web sites, and hardens every response.

A page of another site can make a browser send requests to a server on the same computer or network.
Three rules keep such pages out: the `Host` must be a name of this server, because a site can give
its own name the address 127.0.0.1 (DNS rebinding); requests that change or compute something, which
all routes but those of the pages do, and WebSockets, must come from a page of this server; and
browsers are told what pages may load. Configured origins may use the routes by `GET`.
"""

import ipaddress
import socket
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from terraseek_app.server.clients import OWN_ROUTES, route_path
from terraseek_app.server.middleware.refusals import refuse

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
_CHEAP = "/api/health"


class RequestGuard:
    """Middleware that checks `Host` and `Origin` and adds headers to responses."""

    def __init__(
        self,
        app: "ASGIApp",
        allowed_hosts: Callable[[], Collection[str]],
        allowed_origins: Callable[[], Collection[str]] = frozenset,
        basemap: Callable[[], str] = str,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            allowed_hosts: called for each request; names of the server beside those of this
                computer, in lower case and without a port; `*` allows every name.
            allowed_origins: called for each request; origins of other sites whose pages may send
                `GET` requests to the routes and show what they return.
            basemap: called for each request; URL of the operator's map tiles, which pages may load
                as well; blank without one.
        """
        self._app = app
        self._allowed_hosts = allowed_hosts
        self._allowed_origins = allowed_origins
        self._basemap = basemap

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        if scope["type"] not in ("http", "websocket"):
            await self._app(scope, receive, send)
            return
        headers = {name.lower(): value.decode("latin-1") for name, value in scope["headers"]}
        embedding = self._embedding_origin(scope, headers)
        send = _with_headers(send, embedding, _origin_of(self._basemap()))
        problem = self._problem(scope, headers, embedding)
        if problem is None:
            await self._app(scope, receive, send)
        else:
            await refuse(*problem, scope, receive, send)

    def _problem(
        self, scope: "Scope", headers: dict[bytes, str], embedding: str
    ) -> tuple[int, str] | None:
        """Status and reason of a request that is refused."""
        allowed = self._allowed_hosts()
        host = headers.get(b"host", "")
        if not is_host_allowed(host, allowed):
            return 421, (
                f"the address {host[:100]!r} is not one of this server; set "
                "TERRASEEK_ALLOWED_HOSTS to the names it is reached by"
            )
        is_read = scope["type"] == "http" and scope["method"] in _SAFE_METHODS
        path = route_path(scope)
        if is_read and (embedding or not path.startswith(OWN_ROUTES) or path == _CHEAP):
            return None
        if not _is_foreign(headers, host, allowed):
            return None
        site = (headers.get(b"origin") or "another site")[:100]
        if is_read:
            return 403, (
                f"requests from pages of {site} are refused; open the address itself, or set "
                "TERRASEEK_ALLOWED_ORIGINS to the sites that may show pictures of this server"
            )
        return 403, f"requests from pages of {site} are refused"

    def _embedding_origin(self, scope: "Scope", headers: dict[bytes, str]) -> str:
        """Configured origin of the page that sends a request to read; blank if it has another."""
        allowed = self._allowed_origins()
        if not allowed or scope["type"] != "http" or scope["method"] not in _SAFE_METHODS:
            return ""
        # images of other sites are requested without an origin
        page = headers.get(b"origin") or _origin_of(headers.get(b"referer", ""))
        return page.lower() if page.lower() in allowed else ""


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


def _is_foreign(headers: dict[bytes, str], host: str, allowed: Collection[str]) -> bool:
    """Whether a page of another site sends the request.

    A browser states the origin of the page, or how it relates to this server, or, if it is old, the
    page itself; a program states nothing.
    """
    origin = headers.get(b"origin")
    if origin is not None:
        return not _is_same_site(origin, host, allowed)
    site = headers.get(b"sec-fetch-site")
    if site is not None:
        return site not in ("same-origin", "none")
    page = headers.get(b"referer")
    return page is not None and not _is_same_site(page, host, allowed)


def _origin_of(page: str) -> str:
    try:
        parts = urlsplit(page)
    except ValueError:
        return ""
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


def _with_headers(send: "Send", embedding: str, tiles: str) -> "Send":
    """Add the hardening headers to the start of the response, unless it sets them itself.

    A browser gives the content of the response to pages of `embedding` and of this server only.
    Pages may load from the origin `tiles` as well, unless it is blank.
    """
    resources = b"cross-origin" if embedding else b"same-origin"
    more = {b"cross-origin-resource-policy": resources}
    if embedding:
        more |= {b"access-control-allow-origin": embedding.encode(), b"vary": b"Origin"}

    if tiles:
        policy = CONTENT_SECURITY_POLICY.replace("connect-src", f"connect-src {tiles}")
        more[b"content-security-policy"] = policy.encode()

    async def send_with_headers(message: "Message") -> None:
        if message["type"] == "http.response.start":
            given = {name.lower() for name, _ in message.get("headers", ())}
            ours = {**_HEADERS, **more}
            added = [(name, value) for name, value in ours.items() if name not in given]
            message = {**message, "headers": [*message.get("headers", ()), *added]}
        await send(message)

    return send_with_headers
