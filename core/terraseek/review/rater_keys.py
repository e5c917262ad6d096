"""Keys of raters: a name belongs to the person who used it first, and a key proves it.

Whoever enters a name for the first time gets its key, also for a name of a log that was written
before there were keys. The log holds only hashes of keys. Records of the app are refused without
the key of their rater (`ReviewLog.append`).
"""

import hashlib
import hmac
import secrets
import sqlite3
import unicodedata
from pathlib import Path
from typing import Protocol, runtime_checkable

from terraseek.errors import RaterKeyError, ReviewError
from terraseek.review.database import connect, transaction
from terraseek.review.records import now

__all__ = ["MAX_NAME_LENGTH", "RaterKeys", "check_key", "rater_name"]

MAX_NAME_LENGTH = 60
"""Longest name of a rater in characters."""

_ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # no letters and digits that look alike
_GROUPS, _GROUP_LENGTH = 5, 4  # 20 letters of 31: 99 bits
_SELECT = "SELECT key_sha256 FROM rater_keys WHERE rater = ? ORDER BY seq DESC LIMIT 1"


def rater_name(text: str) -> str:
    """Normalize the name of a rater, which is text and may be blank.

    Composed Unicode characters (NFC), single spaces, no control or invisible formatting characters.

    Raises:
        ReviewError: it is longer than `MAX_NAME_LENGTH`.
    """
    composed = " ".join(unicodedata.normalize("NFC", text).split())
    name = "".join(one for one in composed if unicodedata.category(one)[0] != "C").strip()
    if len(name) > MAX_NAME_LENGTH:
        raise ReviewError(
            f"the name has {len(name):,} letters; give one of at most {MAX_NAME_LENGTH}"
        )
    return name


def check_key(connection: sqlite3.Connection, rater: str, key: str) -> None:
    """Check that a rater has no key, or this one.

    Raises:
        RaterKeyError: the rater has another key.
    """
    known = connection.execute(_SELECT, (rater,)).fetchone()
    if known is not None and not hmac.compare_digest(known[0], _hash(key)):
        raise RaterKeyError(
            f"the name {rater!r} belongs to a rater with another key; enter the key or open the "
            "personal link of this name, or choose another name"
        )


@runtime_checkable
class _Log(Protocol):
    """What is needed of a `ReviewLog`, which itself checks keys."""

    @property
    def path(self) -> Path:
        """The database."""


class RaterKeys:
    """The keys of the raters of one review log."""

    def __init__(self, log: _Log) -> None:
        self._path: Path = log.path

    @property
    def log_id(self) -> str:
        """Random id of the log, which copies of it share."""
        with connect(self._path) as connection:
            found: str = connection.execute("SELECT id FROM log_id").fetchone()[0]
        return found

    def made_at(self) -> dict[str, str]:
        """Map each rater with a key to the time it was made, UTC ISO 8601."""
        with connect(self._path) as connection:
            rows = connection.execute("SELECT rater, max(made_at) FROM rater_keys GROUP BY rater")
            return {row[0]: row[1] for row in rows}

    def is_valid(self, rater: str, key: str) -> bool:
        """Whether this is the key of a rater; False for a rater without a key."""
        with connect(self._path) as connection:
            known = connection.execute(_SELECT, (rater,)).fetchone()
        return known is not None and hmac.compare_digest(known[0], _hash(key))

    def claim(self, rater: str) -> str:
        """Give a name without a key to its first user, and return the new key.

        Args:
            rater: the name, as `rater_name` returns it.

        Raises:
            RaterKeyError: the name has a key, or is new and looks like a known one.
            ReviewError: the name is blank.
        """
        key = _new_key()
        with connect(self._path) as connection, transaction(connection):
            if connection.execute(_SELECT, (rater,)).fetchone() is not None:
                raise RaterKeyError(
                    f"the name {rater!r} is taken; if it is yours, enter its key or open your "
                    "personal link, else choose another name"
                )
            _check_similar(connection, rater)
            _insert(connection, rater, key)
        return key

    def replace(self, rater: str) -> str:
        """Make a new key for a rater, and return it; the old one is no longer valid.

        Raises:
            ReviewError: the name is blank.
        """
        key = _new_key()
        with connect(self._path) as connection, transaction(connection):
            _insert(connection, rater, key)
        return key


def _check_similar(connection: sqlite3.Connection, rater: str) -> None:
    """Refuse a new name that people would take for a known one."""
    rows = connection.execute("SELECT rater FROM events UNION SELECT rater FROM rater_keys")
    known = {row[0] for row in rows}
    similar = [name for name in known if name != rater and _folded(name) == _folded(rater)]
    if rater not in known and similar:
        raise RaterKeyError(
            f"the name {rater!r} looks like {similar[0]!r}, which is known; choose another name"
        )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", name).casefold().replace(" ", "")


def _insert(connection: sqlite3.Connection, rater: str, key: str) -> None:
    if not rater.strip():
        raise ReviewError("the name of the rater is blank; enter a name first")
    connection.execute(
        "INSERT INTO rater_keys (rater, key_sha256, made_at) VALUES (?, ?, ?)",
        (rater, _hash(key), now()),
    )


def _new_key() -> str:
    letters = (secrets.choice(_ALPHABET) for _ in range(_GROUPS * _GROUP_LENGTH))
    return "-".join("".join(group) for group in zip(*[letters] * _GROUP_LENGTH, strict=True))


def _hash(key: str) -> str:
    # keys are random, so that a plain hash cannot be searched for
    plain = "".join(one for one in key.lower() if one.isalnum())
    return hashlib.sha256(plain.encode()).hexdigest()
