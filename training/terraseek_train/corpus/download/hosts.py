"""Politeness per host: requests at a time, time between requests, and its robots.txt."""

import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.robotparser import RobotFileParser

__all__ = ["HostLimits", "Robots"]


class HostLimits:
    """Waits so that no host gets more than it should; shared by all threads of a worker."""

    def __init__(self, interval_s: float, at_once: int) -> None:
        """Set the limits.

        Args:
            interval_s: seconds between the starts of two requests to a host.
            at_once: requests to a host at the same time.
        """
        self._interval = interval_s
        self._slots: dict[str, threading.Semaphore] = defaultdict(
            lambda: threading.Semaphore(at_once)
        )
        self._next: dict[str, float] = {}
        self._lock = threading.Lock()

    @contextmanager
    def slot(self, host: str) -> Iterator[None]:
        """Wait for the turn of a request to `host`, and hold it for the block."""
        with self._lock:
            semaphore = self._slots[host]
        with semaphore:
            with self._lock:
                now = time.monotonic()
                start = max(now, self._next.get(host, 0.0))
                self._next[host] = start + self._interval
            time.sleep(max(0.0, start - now))
            yield


class Robots:
    """What robots.txt of each host allows to one user agent; the texts are kept in memory."""

    def __init__(self, agent: str) -> None:
        self._agent = agent
        self._parsers: dict[str, RobotFileParser] = {}
        self._lock = threading.Lock()

    def known(self, origin: str) -> bool:
        """Whether the rules of an origin (`http://host:port`) have been stored."""
        with self._lock:
            return origin in self._parsers

    def store(self, origin: str, text: str) -> None:
        """Store the robots.txt of an origin; empty text allows everything."""
        parser = RobotFileParser()
        parser.parse(text.splitlines())
        with self._lock:
            self._parsers[origin] = parser

    def allows(self, origin: str, url: str) -> bool:
        """Whether the rules of an origin allow an address."""
        with self._lock:
            return self._parsers[origin].can_fetch(self._agent, url)
