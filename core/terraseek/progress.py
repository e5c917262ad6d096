"""How long work tells how far it is: a callback, so that the library prints nothing.

A job calls `progress(stage, done, total)`; the command line draws a bar, the app fills a widget,
tests count. To cancel, the callback raises `terraseek.errors.Cancelled`.
"""

from collections.abc import Callable

__all__ = ["Progress", "silent"]

Progress = Callable[[str, int, int], None]
"""`(stage, done, total)`: what is being done, how many of how many; `total` 0 means unknown."""


def silent(stage: str, done: int, total: int) -> None:
    """Progress nobody watches."""
