"""Whether the page of a session is still open in a browser."""

import time
from collections.abc import Callable

from streamlit import runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

__all__ = ["GONE_AFTER_S", "SessionWatch", "session_watch"]

GONE_AFTER_S = 20.0
"""Seconds without a connection after which a page counts as closed; browsers connect again."""


class SessionWatch:
    """Callable that is False once a session has had no connection for `GONE_AFTER_S`."""

    def __init__(
        self, is_connected: Callable[[], bool], clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin to watch.

        Args:
            is_connected: whether a browser is connected now.
            clock: seconds of a monotonic clock.
        """
        self._is_connected, self._clock = is_connected, clock
        self._last_seen = clock()

    def __call__(self) -> bool:
        """Whether the page is open."""
        now = self._clock()
        if self._is_connected():
            self._last_seen = now
        return now - self._last_seen < GONE_AFTER_S


def session_watch() -> SessionWatch:
    """Watch the session of the running script; one without a browser is always open."""
    context = get_script_run_ctx()
    if context is None or not runtime.exists():
        return SessionWatch(lambda: True)
    session_id = context.session_id
    return SessionWatch(
        lambda: not runtime.exists() or runtime.get_instance().is_active_session(session_id)
    )
