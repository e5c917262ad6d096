"""Schema of the review database: numbered migrations, and triggers that refuse changed records."""

import sqlite3
from typing import Final

from terraseek.errors import ReviewError
from terraseek.review.database import transaction

__all__ = ["SCHEMA_VERSION", "migrate"]

# A published migration is never edited; a change of the schema is one more entry.
_MIGRATIONS: Final = (
    (
        "append-only events",
        """
        CREATE TABLE migrations (
            version INTEGER PRIMARY KEY,
            name TEXT NOT NULL,
            applied_at TEXT NOT NULL DEFAULT (strftime('%Y-%m-%dT%H:%M:%fZ', 'now'))
        );
        CREATE TABLE events (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            event_id TEXT NOT NULL UNIQUE,
            item_id TEXT NOT NULL CHECK (item_id <> ''),
            rater TEXT NOT NULL CHECK (rater <> ''),
            action TEXT NOT NULL CHECK (action IN ('accept', 'edit', 'skip', 'rate', 'retract')),
            relevance_detail INTEGER CHECK (relevance_detail BETWEEN 1 AND 5),
            hallucination INTEGER CHECK (hallucination BETWEEN 1 AND 5),
            fluency INTEGER CHECK (fluency BETWEEN 1 AND 5),
            caption TEXT NOT NULL,
            caption_sha256 TEXT NOT NULL,
            edited TEXT CHECK ((action = 'edit') = (edited IS NOT NULL)),
            comment TEXT NOT NULL,
            flags TEXT NOT NULL,
            image TEXT NOT NULL,
            queue TEXT NOT NULL,
            started_at TEXT,
            submitted_at TEXT,
            recorded_at TEXT NOT NULL,
            app_version TEXT NOT NULL,
            source TEXT NOT NULL CHECK (source IN ('app', 'import', 'cli')),
            supersedes TEXT REFERENCES events (event_id)
        );
        CREATE INDEX events_of_item ON events (item_id, rater, seq);
        CREATE INDEX events_of_rater ON events (rater, item_id, seq);
        CREATE TRIGGER events_no_update BEFORE UPDATE ON events
        BEGIN SELECT RAISE(ABORT, 'review records are never changed; append a new one'); END;
        CREATE TRIGGER events_no_delete BEFORE DELETE ON events
        BEGIN SELECT RAISE(ABORT, 'review records are never deleted; append a retraction'); END;
        -- INSERT OR REPLACE deletes without firing delete triggers, so it is refused here
        CREATE TRIGGER events_no_replace BEFORE INSERT ON events
        WHEN EXISTS (SELECT 1 FROM events WHERE event_id = NEW.event_id OR seq = NEW.seq)
        BEGIN SELECT RAISE(ABORT, 'review records are never replaced; append a new one'); END;
        -- the latest record of a rater is the one that counts, unless it takes the others back
        CREATE VIEW current AS
        SELECT * FROM events AS e
        WHERE action <> 'retract' AND seq = (
            SELECT max(seq) FROM events WHERE item_id = e.item_id AND rater = e.rater
        );
        """,
    ),
    (
        "keys of raters",
        """
        -- the latest key of a rater is valid; keys are stored as hashes only
        CREATE TABLE rater_keys (
            seq INTEGER PRIMARY KEY AUTOINCREMENT,
            rater TEXT NOT NULL CHECK (rater <> ''),
            key_sha256 TEXT NOT NULL,
            made_at TEXT NOT NULL
        );
        CREATE INDEX keys_of_rater ON rater_keys (rater, seq);
        -- browsers keep the keys of several logs apart by this id
        CREATE TABLE log_id (id TEXT NOT NULL);
        INSERT INTO log_id VALUES (lower(hex(randomblob(8))));
        """,
    ),
)
SCHEMA_VERSION = len(_MIGRATIONS)


def migrate(connection: sqlite3.Connection, path: str) -> None:
    """Migrate the database to `SCHEMA_VERSION`, if it has an older version.

    Raises:
        ReviewError: a newer TerraSeek wrote the file, or another program did.
    """
    version = _version(connection, path)
    if version == SCHEMA_VERSION:
        return
    with transaction(connection):
        # read the version again: another process may have migrated while this one waited
        for number in range(_version(connection, path), SCHEMA_VERSION):
            name, script = _MIGRATIONS[number]
            for statement in _statements(script):
                connection.execute(statement)
            connection.execute(
                "INSERT INTO migrations (version, name) VALUES (?, ?)", (number + 1, name)
            )
            connection.execute(f"PRAGMA user_version = {number + 1}")


def _version(connection: sqlite3.Connection, path: str) -> int:
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    if version > SCHEMA_VERSION:
        raise ReviewError(
            f"{path} has review schema {version}, this TerraSeek knows up to {SCHEMA_VERSION}; "
            "update TerraSeek to read it"
        )
    if version == 0:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if tables:
            raise ReviewError(f"{path} is a database of another program; move it away")
    return version


def _statements(script: str) -> list[str]:
    """Split a script into statements; `executescript` would commit the open transaction."""
    found: list[str] = []
    pending = ""
    for line in script.splitlines():
        pending += line + "\n"
        if sqlite3.complete_statement(pending):
            found.append(pending)
            pending = ""
    return found
