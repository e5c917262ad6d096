"""Review log of a catalogue: an append-only SQLite database for several concurrent raters."""

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

from terraseek.errors import CatalogueNotFoundError, ReviewError
from terraseek.files import atomic_path
from terraseek.review.criteria import CRITERIA
from terraseek.review.database import connect, transaction, use_wal
from terraseek.review.rater_keys import check_key
from terraseek.review.records import Review, caption_hash, now
from terraseek.review.schema import migrate

if TYPE_CHECKING:
    from terraseek.catalogue.catalogue import Catalogue

__all__ = ["ReviewLog", "ReviewProgress", "open_review"]

_SCORES = tuple(c.key for c in CRITERIA)
_COLUMNS = (
    *("event_id", "item_id", "rater", "action", *_SCORES, "caption", "caption_sha256", "edited"),
    *("comment", "flags", "image", "queue", "started_at", "submitted_at", "recorded_at"),
    *("app_version", "source", "supersedes"),
)
_INSERT = f"INSERT INTO events ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"
_LATEST = "SELECT event_id FROM events WHERE item_id = ? AND rater = ? ORDER BY seq DESC LIMIT 1"


@dataclass(frozen=True, slots=True)
class ReviewProgress:
    """Progress of a rater in a queue, as counts of items."""

    total: int
    accepted: int
    edited: int
    rated: int
    skipped: int

    @property
    def done(self) -> int:
        """Items with a decision; skipped items have none."""
        return self.accepted + self.edited + self.rated

    @property
    def left(self) -> int:
        """Items without any record of this rater."""
        return self.total - self.done - self.skipped


def open_review(catalogue: "Catalogue | str | Path") -> "ReviewLog":
    """Open the review log of a catalogue or of the catalogue in a folder; see `ReviewLog.open`."""
    return ReviewLog.open(catalogue if isinstance(catalogue, str | Path) else catalogue.path)


class ReviewLog:
    """All actions of all raters on the items of one catalogue, stored in its `reviews.sqlite`.

    Records are never overwritten: the latest record of a rater on an item is the current one, and
    the earlier ones are kept. The log can be used from several threads and processes; every call
    opens its own connection.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def open(cls, catalogue: str | Path) -> "ReviewLog":
        """Open the log of the catalogue in this folder, or create it.

        Raises:
            CatalogueNotFoundError: the folder contains no catalogue.
            ReviewError: the log is damaged, locked, read-only or from a newer TerraSeek.
        """
        folder = Path(catalogue)
        # `catalogue.json` is only a copy for people and may be missing
        if not any((folder / name).is_file() for name in ("items.parquet", "catalogue.json")):
            raise CatalogueNotFoundError(
                f"there is no catalogue at {folder}; make one with "
                f"`terraseek import SOURCE --out {folder}`"
            )
        log = cls(folder / "reviews.sqlite")
        with connect(log.path) as connection:
            use_wal(connection)
            migrate(connection, str(log.path))
        return log

    def backup(self, target: Path) -> int:
        """Copy the log to a file, also while raters are writing, and return its number of records.

        A copy of `reviews.sqlite` alone lacks the records that are still in `reviews.sqlite-wal`.

        Args:
            target: the copy, which is replaced as a whole or not at all.

        Raises:
            ReviewError: the log cannot be read, the copy is not sound, or `target` is the log.
        """
        if target.exists() and target.samefile(self.path):
            raise ReviewError(f"{target} is the review log itself; name another file")
        with connect(self.path) as connection, atomic_path(target) as part:
            copy = sqlite3.connect(part, isolation_level=None)
            try:
                connection.backup(copy)
                copy.execute("PRAGMA journal_mode = DELETE")  # one file, without a WAL beside it
                if copy.execute("PRAGMA integrity_check").fetchone()[0] != "ok":
                    raise ReviewError(f"the copy of {self.path} is damaged; was the log damaged?")
                count: int = copy.execute("SELECT count(*) FROM events").fetchone()[0]
            finally:
                copy.close()
        return count

    def append(self, review: Review, key: str = "") -> Review:
        """Write one record and return it as stored.

        A record whose `event_id` exists already (a double click) is not written again.

        Args:
            review: the record.
            key: key of its rater; needed for records of the app if the rater has one.

        Raises:
            RaterKeyError: the rater has another key.
        """
        self.append_many([review], key)
        return self._select("SELECT * FROM events WHERE event_id = ?", review.event_id)[0]

    def append_many(self, reviews: Sequence[Review], key: str = "") -> int:
        """Write records in one transaction; returns how many were new.

        Args:
            reviews: the records.
            key: see `append`; records that are imported need none.

        Raises:
            RaterKeyError: a rater has another key.
        """
        with connect(self.path) as connection, transaction(connection):
            for rater in {review.rater for review in reviews if review.source == "app"}:
                check_key(connection, rater, key)
            new = sum(_insert(connection, review) for review in reviews)
        return new

    def current(self, rater: str | None = None) -> list[Review]:
        """Latest record of each (item, rater) unless retracted, oldest first."""
        if rater is None:
            return self._select("SELECT * FROM current ORDER BY seq")
        return self._select("SELECT * FROM current WHERE rater = ? ORDER BY seq", rater)

    def current_of(self, item_id: str, rater: str) -> Review | None:
        """Current record of a rater on an item."""
        found = self._select(
            "SELECT * FROM current WHERE item_id = ? AND rater = ?", item_id, rater
        )
        return found[0] if found else None

    def history(self, item_id: str) -> list[Review]:
        """All records of an item, oldest first."""
        return self._select("SELECT * FROM events WHERE item_id = ? ORDER BY seq", item_id)

    def events(self) -> list[Review]:
        """All records, oldest first."""
        return self._select("SELECT * FROM events ORDER BY seq")

    def raters(self, imported: bool = True) -> list[str]:
        """Names of raters in order of their first record.

        Args:
            imported: include raters who are known only from imported files.
        """
        where = "" if imported else "WHERE source <> 'import'"
        with connect(self.path) as connection:
            rows = connection.execute(
                f"SELECT rater FROM events {where} GROUP BY rater ORDER BY min(seq)"
            )
            return [row[0] for row in rows]

    def decided_by_others(
        self, rater: str, at_least: int = 1, *, imported: bool = True
    ) -> set[str]:
        """Ids of the items that other raters have accepted, edited or rated.

        Args:
            rater: the rater whose own decisions do not count.
            at_least: number of other raters who must have decided about an item.
            imported: whether ratings from imported files count.
        """
        sources = "" if imported else "AND source <> 'import'"
        with connect(self.path) as connection:
            rows = connection.execute(
                f"SELECT item_id FROM current WHERE rater <> ? AND action <> 'skip' {sources} "
                "GROUP BY item_id HAVING count(DISTINCT rater) >= ?",
                (rater, at_least),
            )
            return {row[0] for row in rows}

    def actions(self, rater: str | None = None) -> dict[str, str]:
        """Map item id to the current action of a rater, or to the latest one by anyone."""
        where, values = ("", ()) if rater is None else ("WHERE rater = ?", (rater,))
        with connect(self.path) as connection:
            rows = connection.execute(
                f"SELECT item_id, action FROM current {where} ORDER BY seq", values
            )
            return {row[0]: row[1] for row in rows}

    def progress(self, rater: str, item_ids: Sequence[str]) -> ReviewProgress:
        """Progress of a rater in a queue of items."""
        queue = set(item_ids)
        actions = [action for item, action in self.actions(rater).items() if item in queue]
        count = actions.count
        return ReviewProgress(
            len(queue), count("accept"), count("edit"), count("rate"), count("skip")
        )

    def next_item(self, rater: str, queue: Sequence[str], after: str | None = None) -> str | None:
        """First item of a queue without a record of this rater; None if there is no such item.

        Args:
            rater: name of the rater.
            queue: item ids in working order.
            after: start after this item and continue at the front of the queue.
        """
        done = self.actions(rater)
        start = queue.index(after) + 1 if after in queue else 0
        ordered = chain(islice(queue, start, None), islice(queue, start))  # not a copy of millions
        return next((item for item in ordered if item not in done), None)

    def _select(self, statement: str, *values: str) -> list[Review]:
        with connect(self.path) as connection:
            return [_review(row) for row in connection.execute(statement, values)]


def _insert(connection: sqlite3.Connection, review: Review) -> bool:
    known = connection.execute("SELECT 1 FROM events WHERE event_id = ?", (review.event_id,))
    if known.fetchone():
        return False
    latest = connection.execute(_LATEST, (review.item_id, review.rater)).fetchone()
    values = {
        **{key: review.scores.get(key) for key in _SCORES},
        "caption_sha256": caption_hash(review.caption),
        "flags": json.dumps(review.flags),
        "recorded_at": now(),
        "supersedes": latest[0] if latest else None,
    }
    row = [values[c] if c in values else getattr(review, c) for c in _COLUMNS]
    connection.execute(_INSERT, row)
    return True


def _review(row: sqlite3.Row) -> Review:
    unchanged = set(_COLUMNS) - {*_SCORES, "caption_sha256", "flags"}
    return Review(
        seq=row["seq"],
        scores={key: row[key] for key in _SCORES if row[key] is not None},
        flags=tuple(json.loads(row["flags"])),
        **{column: row[column] for column in unchanged},
    )
