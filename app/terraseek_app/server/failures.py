"""HTTP status and one line for every error that a request may meet.

A `TerraSeekError` has a message of its own. Errors of the system and of libraries that come from
files, disks and their contents are explained as on the command line. Anything else is a fault of
the program, and not explained.
"""

import errno
import json
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from zipfile import BadZipFile

import pyarrow as pa

from terraseek import errors
from terraseek.commands.foreign_errors import describe

__all__ = ["EXPLAINED_ERRORS", "FOREIGN_ERRORS", "Failure", "explain", "status_of"]

_STATUS: Mapping[type[errors.TerraSeekError], int] = {
    errors.ItemNotFoundError: 404,
    errors.SceneTooLargeError: 413,
    errors.SceneTooSlowError: 413,
    errors.InputError: 400,
    errors.CatalogueError: 503,
    errors.StoreError: 503,
    errors.ModelError: 503,
    errors.MissingExtraError: 503,
    errors.RaterKeyError: 403,
    errors.ReviewError: 503,
    errors.OutputError: 507,
    errors.TooManyRequestsError: 429,
    errors.ServerBusyError: 503,
    errors.Cancelled: 499,
}
"""HTTP status of an error class and its subclasses; other errors are 500. A client that caused
`Cancelled` is gone, so that 499 is only logged."""

FOREIGN_ERRORS: tuple[type[Exception], ...] = (
    OSError,
    MemoryError,
    RecursionError,
    json.JSONDecodeError,
    UnicodeDecodeError,
    BadZipFile,
    sqlite3.Error,
    pa.ArrowException,
)
"""Classes of the system and of libraries whose errors `explain` may know."""

EXPLAINED_ERRORS: tuple[type[Exception], ...] = (errors.TerraSeekError, *FOREIGN_ERRORS)
"""All classes whose errors `explain` may know."""

_NO_ROOM = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG}
_BAD_NAME = {errno.ENAMETOOLONG, errno.EILSEQ}
_RETRY_AFTER_S = 30


@dataclass(frozen=True, slots=True)
class Failure:
    """What a client is told."""

    status: int
    """HTTP status."""
    name: str
    """Class of the error."""
    text: str
    """What is wrong, and what to do; may name folders, see `client_text`."""
    retry_after_s: int | None = None
    """Seconds after which the request may be sent again; None: not by itself."""


def explain(error: Exception) -> Failure | None:
    """Explain an error; None for a fault of the program."""
    name = type(error).__name__
    if isinstance(error, errors.TerraSeekError):
        retry = error.retry_after_s if isinstance(error, errors.ServerBusyError) else None
        return Failure(status_of(error), name, str(error), retry)
    text = describe(error)
    if text is None:
        return None
    if isinstance(error, RecursionError):
        return Failure(400, name, text)
    if isinstance(error, OSError) and error.errno in _BAD_NAME:
        return Failure(400, name, text)
    if isinstance(error, OSError) and error.errno in _NO_ROOM:
        return Failure(507, name, text, _RETRY_AFTER_S)
    return Failure(503, name, text, _RETRY_AFTER_S if isinstance(error, MemoryError) else None)


def status_of(error: errors.TerraSeekError) -> int:
    """HTTP status of an error: that of its nearest base class in the table."""
    for cls in type(error).__mro__:
        if cls in _STATUS:
            return _STATUS[cls]
    return 500
