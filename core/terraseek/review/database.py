"""Connections to a review database, and what its errors mean."""

import errno
import os
import shutil
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from terraseek.errors import ReviewError

__all__ = ["connect", "transaction", "use_wal"]

_BUSY_SECONDS = 15.0
_LEAST_FREE_BYTES = 64 << 10
"""Free bytes below which a failed write is explained by a full disk."""


@contextmanager
def connect(path: Path) -> Iterator[sqlite3.Connection]:
    """Connect to a review database in autocommit mode.

    Raises:
        ReviewError: SQLite reports an error, also within the block; the message says why.
    """
    try:
        connection = sqlite3.connect(path, timeout=_BUSY_SECONDS, isolation_level=None)
    except sqlite3.Error as error:
        raise _described(path, error) from error
    try:
        connection.row_factory = sqlite3.Row
        connection.execute("PRAGMA foreign_keys = ON")
        # FULL: a decision survives a power cut right after the click
        connection.execute("PRAGMA synchronous = FULL")
        yield connection
    except sqlite3.Error as error:
        raise _described(path, error) from error
    finally:
        connection.close()


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """Commit what the block writes, or nothing of it if the block raises."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        with suppress(sqlite3.Error):  # a full disk ends the transaction by itself
            connection.execute("ROLLBACK")
        raise


def use_wal(connection: sqlite3.Connection) -> None:
    """Switch to write-ahead logging, so that readers never wait; the file keeps the mode."""
    deadline = time.monotonic() + _BUSY_SECONDS
    while connection.execute("PRAGMA journal_mode").fetchone()[0] != "wal":
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError:
            # SQLite does not wait here if several processes create the file at the same time
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)


def _described(path: Path, error: sqlite3.Error) -> ReviewError:
    text = str(error)
    if "locked" in text or "busy" in text:
        advice = f"another process has been writing for over {_BUSY_SECONDS:g} s; try again"
    elif "not a database" in text or "malformed" in text:
        advice = "the file is damaged; keep a copy, then restore it from a backup"
    elif "full" in text or "I/O" in text:
        advice = f"{_write_problem(path)}; nothing was written; make room and try again"
    elif "readonly" in text or "unable to open" in text:
        advice = "the folder must exist and be writable"
    else:
        advice = "nothing was written"
    return ReviewError(f"review log {path}: {text}; {advice}")


def _write_problem(path: Path) -> str:
    """Why a write failed; SQLite has the same error for a full disk, a quota and a limit."""
    if shutil.disk_usage(path.parent).free < _LEAST_FREE_BYTES:
        return "the disk is full"
    probe = path.with_name(f".{path.name}.probe-{os.getpid()}")
    written = [path, path.with_name(f"{path.name}-wal")]
    largest = max(one.stat().st_size if one.exists() else 0 for one in written)
    try:
        with probe.open("wb") as file:
            file.truncate(largest + _LEAST_FREE_BYTES)  # meets a limit of the file size
            file.write(bytes(_LEAST_FREE_BYTES))  # and this a full disk
    except OSError as error:
        known = {
            errno.ENOSPC: "the disk is full",
            errno.EDQUOT: "the disk quota is used up",
            errno.EFBIG: "the file would exceed the largest allowed size (ulimit -f)",
        }
        return known.get(error.errno or 0, f"the disk cannot be written: {error.strerror}")
    finally:
        with suppress(OSError):
            probe.unlink(missing_ok=True)
    return "the disk is full or failed"
