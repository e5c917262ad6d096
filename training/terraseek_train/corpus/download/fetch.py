"""Fetch one image: redirects, robots.txt, headers against training, size and time limits."""

import http.client
import ssl
import time
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from terraseek_train.corpus.download.addresses import connect
from terraseek_train.corpus.download.errors import DownloadError
from terraseek_train.corpus.download.hosts import HostLimits, Robots

__all__ = ["Fetcher", "Limits"]

_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_CHUNK = 1 << 16
_MAX_ROBOTS_BYTES = 512 << 10  # RFC 9309: at least 500 KiB must be parsed
_REFUSALS = ("noai", "noimageai", "noindex", "noimageindex")
"""Directives of `X-Robots-Tag` that img2dataset honours."""


@dataclass(frozen=True)
class Limits:
    """Limits of one download, and politeness towards its host."""

    agent: str = "terraseek-corpus"
    """User agent, in requests and for robots.txt."""
    max_bytes: int = 20_000_000
    """Largest image in bytes."""
    max_seconds: float = 20.0
    """Longest time of a download, redirects included."""
    wait_seconds: float = 10.0
    """Longest wait for the next bytes."""
    interval_s: float = 0.1
    """Seconds between two requests to a host."""
    at_once: int = 4
    """Requests to a host at the same time."""
    robots: bool = True
    """Whether robots.txt is read and honoured."""
    refusals: tuple[str, ...] = _REFUSALS
    """Directives of the header `X-Robots-Tag` that forbid an image."""
    private_hosts: tuple[str, ...] = ()
    """Hosts of the own network that may have private and loopback addresses."""


@dataclass
class Fetcher:
    """Downloads images within limits; one per worker process, used by all its threads."""

    limits: Limits
    hosts: HostLimits = field(init=False)
    rules: Robots = field(init=False)

    def __post_init__(self) -> None:
        self.hosts = HostLimits(self.limits.interval_s, self.limits.at_once)
        self.rules = Robots(self.limits.agent)

    def fetch(self, url: str) -> bytes:
        """Download an image.

        Raises:
            DownloadError: with kind and cause; kinds are bad address, unknown host, private
                address, robots, refused, http, type, too large, too slow, cut short and network.
        """
        return self._get(url, self.limits.max_bytes, time.monotonic() + self.limits.max_seconds)

    def _get(self, url: str, max_bytes: int, deadline: float, robots: bool = True) -> bytes:
        for _ in range(_MAX_REDIRECTS + 1):
            parts = _split(url)
            if robots and self.limits.robots:
                self._check_robots(parts, deadline)
            try:
                with self.hosts.slot(parts.netloc):
                    content, target = self._request(parts, max_bytes, deadline, image=robots)
            except (TimeoutError, ssl.SSLError, OSError, http.client.HTTPException) as error:
                kind = "too slow" if isinstance(error, TimeoutError) else "network"
                kind = "cut short" if isinstance(error, http.client.IncompleteRead) else kind
                raise DownloadError(f"{kind}: {type(error).__name__} {error}") from error
            if target is None:
                return content
            url = urljoin(url, target)
        raise DownloadError(f"http: more than {_MAX_REDIRECTS} redirects")

    def _request(
        self, parts: SplitResult, max_bytes: int, deadline: float, image: bool
    ) -> tuple[bytes, str | None]:
        """Content, or the target of a redirect."""
        timeout = min(self.limits.wait_seconds, max(0.05, deadline - time.monotonic()))
        connection = connect(parts, timeout, self.limits.private_hosts)
        try:
            path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
            agent = {"User-Agent": self.limits.agent, "Accept": "image/*" if image else "*/*"}
            connection.request("GET", _ascii(path), headers=agent)
            response = connection.getresponse()
            if response.status in _REDIRECTS and response.headers["Location"]:
                return b"", response.headers["Location"]
            if response.status != 200:
                raise DownloadError(f"http: status {response.status}")
            if image:
                self._check_headers(response.headers)
            return _body(response, max_bytes, deadline), None
        finally:
            connection.close()

    def _check_headers(self, headers: http.client.HTTPMessage) -> None:
        """Refuse what the server does not give for training, or says is no image."""
        for value in headers.get_all("X-Robots-Tag") or ():
            agent, colon, rest = value.partition(":")
            named = agent.strip().lower() if colon else ""
            if colon and named not in ("", self.limits.agent.lower()):
                continue  # a rule for another user agent
            words = {word.strip().lower() for word in (rest if colon else value).split(",")}
            found = words & set(self.limits.refusals)
            if found:
                raise DownloadError(f"refused: X-Robots-Tag has {sorted(found)[0]}")
        kind = (headers.get_content_type() or "").lower()
        if "Content-Type" in headers and kind.startswith(("text/", "video/", "audio/")):
            raise DownloadError(f"type: the server sends {kind}")

    def _check_robots(self, parts: SplitResult, deadline: float) -> None:
        origin = f"{parts.scheme}://{parts.netloc}"
        if not self.rules.known(origin):
            self.rules.store(origin, self._robots_text(origin, deadline))
        if not self.rules.allows(origin, parts.geturl()):
            raise DownloadError(f"robots: {origin}/robots.txt forbids {parts.path[:100]}")

    def _robots_text(self, origin: str, deadline: float) -> str:
        """Text of robots.txt; a host without one allows everything (RFC 9309).

        A host that cannot be reached forbids everything, and the request would fail anyway.
        """
        try:
            text = self._get(f"{origin}/robots.txt", _MAX_ROBOTS_BYTES, deadline, robots=False)
        except DownloadError as error:
            if str(error).startswith("http: status 4"):
                return ""
            if str(error).startswith(("http: status 5", "network", "too slow")):
                return "User-agent: *\nDisallow: /"
            raise
        return text.decode("utf-8", "replace")


def _body(response: http.client.HTTPResponse, max_bytes: int, deadline: float) -> bytes:
    stated = response.headers["Content-Length"]
    if stated and stated.isdecimal() and int(stated) > max_bytes:
        raise DownloadError(f"too large: {stated} bytes stated, above {max_bytes}")
    content = bytearray()
    while chunk := response.read1(_CHUNK):
        content += chunk
        if len(content) > max_bytes:
            raise DownloadError(f"too large: above {max_bytes} bytes")
        if time.monotonic() > deadline:
            raise DownloadError("too slow: the time for one image is over")
    if stated and stated.isdecimal() and len(content) < int(stated):
        raise DownloadError(f"cut short: {len(content)} of {stated} bytes")
    return bytes(content)


def _split(url: str) -> SplitResult:
    try:
        return urlsplit(url.strip())
    except ValueError as error:
        raise DownloadError(f"bad address: {error}") from error


def _ascii(path: str) -> str:
    """Path with all letters beyond ASCII, spaces and control characters as `%XX`."""
    return "".join(c if "!" <= c <= "~" else "".join(f"%{b:02X}" for b in c.encode()) for c in path)
