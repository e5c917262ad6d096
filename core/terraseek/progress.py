"""Progress of long jobs, reported through a callback, because the library prints nothing.

A job calls `progress(stage, done, total)`; the command line draws a bar, the app updates a widget.
The callback cancels the job by raising `terraseek.errors.Cancelled`.
"""

import time
from collections.abc import Callable

__all__ = ["Pace", "Progress", "duration_text", "silent"]

Progress = Callable[[str, int, int], None]
"""`(stage, done, total)`: name of the stage, units done, units in all; `total` 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""


class Pace:
    """Rate of a stage since its first report, and the time that is left at this rate.

    What was done before the first report, by a job that was stopped, does not count.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begin; `clock` gives seconds."""
        self._clock = clock
        self._first: tuple[float, int] | None = None
        self.done, self.total = 0, 0

    def update(self, done: int, total: int) -> None:
        """Note a report; `total` 0 means unknown."""
        if self._first is None:
            self._first = (self._clock(), done)
        self.done, self.total = done, total

    @property
    def rate(self) -> float:
        """Units per second; 0 before there is one to count."""
        if self._first is None:
            return 0.0
        started, before = self._first
        seconds = self._clock() - started
        return (self.done - before) / seconds if seconds > 0 else 0.0

    @property
    def left_s(self) -> float | None:
        """Seconds that are left; None if unknown."""
        rate = self.rate
        return (self.total - self.done) / rate if rate > 0 and self.total else None

    def rate_text(self) -> str:
        """Rate for people, such as `31.5/s`; empty before there is one."""
        rate = self.rate
        return f"{rate:,.0f}/s" if rate >= 100 else f"{rate:.2g}/s" if rate > 0 else ""

    def __str__(self) -> str:
        of = f" of {self.total:,}" if self.total else ""
        left = self.left_s
        parts = [f"{self.done:,}{of}", self.rate_text()]
        if left is not None:
            parts.append(f"{duration_text(left)} left")
        return ", ".join(part for part in parts if part)


def duration_text(seconds: float) -> str:
    """Duration for people, in the largest suitable unit: `45 s`, `12 min`, `3.5 h`, `2.1 days`."""
    for limit, unit, length in ((90, "s", 1), (5400, "min", 60), (172_800, "h", 3600)):
        if seconds < limit:
            return f"{seconds / length:.{1 if unit == 'h' else 0}f} {unit}"
    return f"{seconds / 86_400:.1f} days"
