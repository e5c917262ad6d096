"""Clients of the server: who counts as one, and how many requests each has under way."""

import ipaddress
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from terraseek.errors import TooManyRequestsError

if TYPE_CHECKING:
    from starlette.types import Scope

__all__ = ["OWN_ROUTES", "ClientCounts", "client_name", "client_of", "route_path"]

OWN_ROUTES = ("/api/", "/tiles/", "/overlays/")
"""Beginnings of the paths of all routes but those of the pages."""


def client_name(address: str | None) -> str:
    """Name of the client with an address; blank for unknown ones.

    An IPv4 address is a client; of IPv6, whose users have a network each, it is the network of 64
    bits. Behind a proxy on this computer, the address is that of `X-Forwarded-For`.
    """
    try:
        found = ipaddress.ip_address((address or "").partition("%")[0])
    except ValueError:
        return address or ""
    if isinstance(found, ipaddress.IPv6Address):
        if found.ipv4_mapped is not None:
            return str(found.ipv4_mapped)
        if not found.is_loopback:
            return str(ipaddress.ip_network((found, 64), strict=False))
    return "127.0.0.1" if found.is_loopback else str(found)


def client_of(scope: "Scope") -> str:
    """Name of the client of a request."""
    client = scope.get("client")
    return client_name(client[0] if client else None)


def route_path(scope: "Scope") -> str:
    """Path of a request, as routes see it if the application is mounted below another."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "").rstrip("/"))


class ClientCounts:
    """Number of things that each client has under way; clients without any are forgotten."""

    def __init__(self, most: int, what: str, retry_after_s: int) -> None:
        """Set the limit.

        Args:
            most: things of one client.
            what: their name in the message, in the plural.
            retry_after_s: seconds after which a refused client may try again.
        """
        self._most, self._what, self._retry_after_s = most, what, retry_after_s
        self._counts: Counter[str] = Counter()

    def check(self, client: str) -> None:
        """Check that the client may have one more.

        Raises:
            TooManyRequestsError: it has as many as it may.
        """
        if self._counts.get(client, 0) >= self._most:
            raise TooManyRequestsError(
                f"you have {self._most} {self._what} under way, the most of one client; try again "
                f"in {self._retry_after_s} s",
                self._retry_after_s,
            )

    def add(self, client: str) -> None:
        """Count one more.

        Raises:
            TooManyRequestsError: the client has as many as it may.
        """
        self.check(client)
        self._counts[client] += 1

    def remove(self, client: str) -> None:
        """Count one less."""
        self._counts[client] -= 1
        if self._counts[client] <= 0:
            del self._counts[client]

    def has(self, client: str) -> bool:
        """Whether the client has any."""
        return client in self._counts

    @contextmanager
    def hold(self, client: str) -> Iterator[None]:
        """Count one more during the block."""
        self.add(client)
        try:
            yield
        finally:
            self.remove(client)
