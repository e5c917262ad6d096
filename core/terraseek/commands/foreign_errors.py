"""One line for each error of the system or a library that a command line may meet.

Errors in this table come from files, disks and their contents, not from a fault of the program.
"""

import errno
import json
import sqlite3
import sys
from zipfile import BadZipFile

__all__ = ["describe"]

_LONGEST_NAME = 120
_REASONS = {
    errno.ENOENT: "no such file: {}",
    errno.EACCES: "no permission for {}; change the permissions or name another place",
    errno.EPERM: "no permission for {}; change the permissions or name another place",
    errno.EROFS: "{} is on a read-only disk; name a place that can be written",
    errno.ENOSPC: "the disk is full, {} cannot be written; make room and try again",
    errno.EDQUOT: "the disk quota is used up, {} cannot be written; make room and try again",
    errno.EFBIG: "{} would exceed the largest allowed file size; raise the limit (ulimit -f)",
    errno.ENAMETOOLONG: "the name {} is too long for a file; shorten it",
    errno.EISDIR: "{} is a folder; name a file",
    errno.ENOTDIR: "{} is below something that is not a folder; check the path",
    errno.EEXIST: "{} exists already; name another place",
    errno.EMFILE: "too many open files at {}; raise the limit (ulimit -n)",
    errno.EIO: "the disk failed to read or write {}; check it",
}


def describe(error: Exception) -> str | None:
    """Say in one line what an error means for a user; None if it is a fault of the program."""
    if isinstance(error, OSError):
        return _describe_system(error)
    if isinstance(error, RecursionError):
        return "the input is nested too deeply; check its brackets"
    if isinstance(error, MemoryError):
        return "there is not enough memory; use smaller inputs or close other programs"
    if isinstance(error, json.JSONDecodeError):
        return f"a file is not valid JSON: {error}; restore it or make it again"
    if isinstance(error, UnicodeDecodeError):
        return f"a file is not {error.encoding} text (byte {error.start}); convert it to UTF-8"
    if isinstance(error, BadZipFile):
        return f"a file is damaged: {error}; restore it or make it again"
    if isinstance(error, sqlite3.Error):
        return f"the database cannot be used: {error}"
    arrow = sys.modules.get("pyarrow")
    if arrow is not None and isinstance(error, arrow.ArrowException):
        return f"a Parquet or Arrow file is damaged: {error}; restore it or make it again"
    return None


def _describe_system(error: OSError) -> str:
    name = "a file" if error.filename is None else str(error.filename)
    if len(name) > _LONGEST_NAME:
        name = f"{name[:_LONGEST_NAME]}… ({len(name):,} letters)"
    reason = _REASONS.get(error.errno or 0)
    if reason is not None:
        return reason.format(name)
    return f"{name}: {error.strerror or error}"
