"""Progress of long jobs, reported through a callback, because the library prints nothing.

A job calls `progress(stage, done, total)`; the command line draws a bar, the app updates a widget.
The callback cancels the job by raising `terraseek.errors.Cancelled`.
"""

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int], None]
"""`(stage, done, total)`: name of the stage, units done, units in all; `total` 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Ignore progress."""
