"""One in-memory DuckDB database for the process, without any access to files or the network."""

import atexit
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
    """Open a new connection to the database; tables registered with it are private to it."""
    with _lock:  # opening the database takes half a second, so it is done once
        return _database().cursor()


@cache
def _database() -> Any:  # noqa: ANN401
    import duckdb

    database = duckdb.connect(":memory:", config=_SETTINGS)
    database.execute("SET lock_configuration = true")
    # what is alive when the interpreter has gone is listed on stderr as a leak
    atexit.register(_database.cache_clear)
    return database
