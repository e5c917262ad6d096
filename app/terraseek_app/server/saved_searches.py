"""Searches saved with a name in the catalogue's folder, for everybody who uses the server."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from terraseek.errors import CatalogueError, InputError
from terraseek.files import read_json, write_json
from terraseek_app.address import value_lists

__all__ = [
    "FILE_NAME",
    "MAX_SEARCHES",
    "SavedSearch",
    "delete_search",
    "read_searches",
    "save_search",
]

FILE_NAME = "searches.json"
"""File in the catalogue's folder."""
MAX_SEARCHES = 200
"""Most searches that are kept."""
_MAX_NAME = 80
_MAX_CHARACTERS = 20_000
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class SavedSearch:
    """A search with a name."""

    name: str
    params: dict[str, list[str]]
    """Parameters of its link."""
    saved_at: str = ""
    """UTC, ISO 8601."""


def read_searches(catalogue: Path) -> list[SavedSearch]:
    """All saved searches, the latest first.

    Raises:
        CatalogueError: the file is damaged.
    """
    path = catalogue / FILE_NAME
    if not path.is_file():
        return []
    try:
        return [SavedSearch(**one) for one in read_json(path)]
    except (ValueError, TypeError, OSError) as error:
        raise CatalogueError(
            f"{FILE_NAME} of the catalogue cannot be read; repair or remove it"
        ) from error


def save_search(
    catalogue: Path, name: str, params: Mapping[str, str | Sequence[str]]
) -> SavedSearch:
    """Save a search; one with the same name is replaced.

    Raises:
        InputError: the name is blank or too long, or the search or their number is too large.
        CatalogueError: the file cannot be read or written.
    """
    name = " ".join(name.split())
    if not 0 < len(name) <= _MAX_NAME:
        raise InputError(f"give the search a name of 1 to {_MAX_NAME} characters")
    lists = value_lists(params)
    if sum(len(text) for texts in lists.values() for text in texts) > _MAX_CHARACTERS:
        raise InputError("the search is too long to be saved; use a simpler shape or condition")
    saved = SavedSearch(name, lists, datetime.now(UTC).isoformat(timespec="seconds"))
    with _lock:
        others = [one for one in read_searches(catalogue) if one.name != name]
        if len(others) >= MAX_SEARCHES:
            raise InputError(f"{MAX_SEARCHES} searches are saved already; delete one first")
        _write(catalogue, [saved, *others])
    return saved


def delete_search(catalogue: Path, name: str) -> None:
    """Delete a saved search; nothing if there is none of that name.

    Raises:
        CatalogueError: the file cannot be read or written.
    """
    with _lock:
        _write(catalogue, [one for one in read_searches(catalogue) if one.name != name])


def _write(catalogue: Path, searches: Sequence[SavedSearch]) -> None:
    try:
        write_json(catalogue / FILE_NAME, [asdict(one) for one in searches])
    except OSError as error:
        raise CatalogueError(
            f"{FILE_NAME} cannot be written ({error.strerror}); saved searches need write access "
            "to the catalogue's folder"
        ) from error
