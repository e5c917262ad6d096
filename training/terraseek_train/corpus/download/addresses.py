"""Connections to public addresses only, so that a list of addresses cannot reach the own network.

The name is resolved once and the connection goes to the address that was checked: a name that
resolves to another address at the second look-up (DNS rebinding) gains nothing.
"""

import ipaddress
import socket
from http.client import HTTPConnection, HTTPSConnection
from urllib.parse import SplitResult

from terraseek_train.corpus.download.errors import DownloadError

__all__ = ["connect"]


def connect(parts: SplitResult, timeout: float, private_hosts: tuple[str, ...]) -> HTTPConnection:
    """Make a connection, not yet opened, to the host of an address.

    Args:
        parts: the address, split.
        timeout: seconds of each wait for the network.
        private_hosts: hosts that may have loopback, private and reserved addresses: archives in
            the own network.

    Raises:
        DownloadError: another scheme than http and https, an unknown host, or one with an address
            that is not public.
    """
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise DownloadError(f"bad address: {parts.geturl()[:200]!r} is no http or https address")
    try:
        port = parts.port or (443 if parts.scheme == "https" else 80)
    except ValueError as error:
        raise DownloadError(f"bad address: {error}") from error
    address = _resolve(parts.hostname, port, private_hosts)
    kind = _CheckedHTTPS if parts.scheme == "https" else _CheckedHTTP
    connection = kind(parts.hostname, port, timeout=timeout)
    connection.address = address
    return connection


def _resolve(host: str, port: int, private_hosts: tuple[str, ...]) -> str:
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise DownloadError(f"unknown host: {host} ({error})") from error
    addresses = [str(entry[4][0]) for entry in found]
    if host not in private_hosts:
        for address in addresses:
            if not _is_public(address):
                raise DownloadError(f"private address: {host} is {address}")
    return addresses[0]


def _is_public(address: str) -> bool:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(parsed, "ipv4_mapped", None)
    parsed = mapped or parsed
    return parsed.is_global and not parsed.is_multicast


class _CheckedHTTP(HTTPConnection):
    """HTTP connection to an address that was checked."""

    address = ""

    def connect(self) -> None:
        self.sock = socket.create_connection((self.address, self.port), self.timeout)


class _CheckedHTTPS(HTTPSConnection):
    """HTTPS connection to an address that was checked; the certificate is that of the host."""

    address = ""

    def connect(self) -> None:
        plain = socket.create_connection((self.address, self.port), self.timeout)
        context = self._context  # type: ignore[attr-defined]  # set by the base class
        self.sock = context.wrap_socket(plain, server_hostname=self.host)
