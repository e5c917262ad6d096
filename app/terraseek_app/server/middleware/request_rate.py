"""A number of expensive requests per minute for each client (token bucket)."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from terraseek.errors import TooManyRequestsError
from terraseek_app.server.clients import client_name, client_of, route_path
from terraseek_app.server.middleware.refusals import refuse_for

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

__all__ = ["RequestRate", "TokenBuckets"]

_COSTS = {"/api/localize/": 5, "/api/heat/": 2, "/api/winner/": 2, "/api/search": 1}
"""Requests that one of each route counts as; the pages do not use these routes."""
_THIS_COMPUTER = client_name("127.0.0.1")
_MAX_CLIENTS = 4096


@dataclass(slots=True)
class _Bucket:
    tokens: float
    filled_s: float


class TokenBuckets:
    """A bucket of tokens for each client; a minute fills an empty one."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin with full buckets; `clock` returns seconds that never go back."""
        self._clock = clock
        self._buckets: dict[str, _Bucket] = {}

    def take(self, client: str, tokens: float, capacity: float) -> float:
        """Take tokens from a client's bucket, unless it has fewer.

        Args:
            client: its name.
            tokens: to take; a bucket that is full has enough for any number.
            capacity: tokens of a full bucket.

        Returns:
            0, or the seconds until the bucket has so many, none of which were taken.
        """
        now = self._clock()
        tokens = min(tokens, capacity)
        bucket = self._buckets.get(client)
        if bucket is None:
            self._forget_full(now, capacity)
            bucket = self._buckets[client] = _Bucket(capacity, now)
        added = (now - bucket.filled_s) * capacity / 60
        bucket.tokens, bucket.filled_s = min(capacity, bucket.tokens + added), now
        if bucket.tokens < tokens:
            return (tokens - bucket.tokens) * 60 / capacity
        bucket.tokens -= tokens
        return 0.0

    def _forget_full(self, now: float, capacity: float) -> None:
        """Make room: a forgotten bucket counts as full, so that full ones go first."""
        if len(self._buckets) < _MAX_CLIENTS:
            return
        self._buckets = {
            name: bucket
            for name, bucket in self._buckets.items()
            if bucket.tokens + (now - bucket.filled_s) * capacity / 60 < capacity
        }
        while len(self._buckets) >= _MAX_CLIENTS:
            del self._buckets[next(iter(self._buckets))]


class RequestRate:
    """ASGI middleware: refuses expensive requests of a client beyond its rate.

    Programs on this computer are not limited; who uses it can stop the server anyway.
    """

    def __init__(
        self,
        app: "ASGIApp",
        per_minute: Callable[[], int],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Wrap an application.

        Args:
            app: the application.
            per_minute: called for each request; requests of a client per minute, all of which may
                come at once; 0 for any number.
            clock: see `TokenBuckets`.
        """
        self._app, self._per_minute = app, per_minute
        self._buckets = TokenBuckets(clock)

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        """Answer a request, or refuse it."""
        error = self._problem(scope) if scope["type"] == "http" else None
        if error is None:
            await self._app(scope, receive, send)
        else:
            await refuse_for(error, 429, scope, receive, send)

    def _problem(self, scope: "Scope") -> TooManyRequestsError | None:
        path, client, limit = route_path(scope), client_of(scope), self._per_minute()
        cost = next((cost for route, cost in _COSTS.items() if path.startswith(route)), 0)
        if not cost or not limit or client == _THIS_COMPUTER:
            return None
        wait_s = math.ceil(self._buckets.take(client, cost, limit))
        if not wait_s:
            return None
        return TooManyRequestsError(
            f"you have sent more than {limit} requests per minute (a localization counts as "
            f"{_COSTS['/api/localize/']}); try again in {wait_s} s",
            wait_s,
        )
