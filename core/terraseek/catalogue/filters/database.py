"""One in-memory DuckDB for the process: it reads no files, and nothing can make it."""

from functools import cache
from threading import Lock
from typing import Any

__all__ = ["cursor"]

_SETTINGS: Any = {
    "enable_external_access": "false",
    "autoinstall_known_extensions": "false",
    "autoload_known_extensions": "false",
    "python_enable_replacements": "false",
}
_lock = Lock()


def cursor() -> Any:  # noqa: ANN401 - duckdb has no types
    """A connection of its own to the database; what is registered with it nobody else sees."""
    with _lock:  # opening takes half a second, so it is done once
        return _database().cursor()


@cache
def _database() -> Any:  # noqa: ANN401
    import duckdb

    database = duckdb.connect(":memory:", config=_SETTINGS)
    database.execute("SET lock_configuration = true")
    return database
