"""A backup has every record, also those that SQLite has not moved out of its WAL."""

import json
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from terraseek.catalogue import import_source
from terraseek.catalogue.importing.importer import MANIFEST_FILE
from terraseek.catalogue.locking import exclusive
from terraseek.cli import build_app
from terraseek.errors import Cancelled, CatalogueError, OutputError, ReviewError
from terraseek.review import Review, ReviewLog
from terraseek.review.backup import backup_catalogue


@pytest.fixture
def catalogue(tmp_path: Path) -> Path:
    chips = tmp_path / "chips"
    chips.mkdir()
    Image.fromarray(np.full((20, 20, 3), 90, np.uint8)).save(chips / "a.png")
    import_source(chips, tmp_path / "cat")
    return tmp_path / "cat"


def _records(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        tables = [row[0] for row in connection.execute("SELECT name FROM sqlite_master")]
        if "events" not in tables:
            return 0
        count: int = connection.execute("SELECT count(*) FROM events").fetchone()[0]
        return count


def test_a_backup_has_the_records_of_the_wal(catalogue: Path, tmp_path: Path) -> None:
    log = ReviewLog.open(catalogue)
    reader = sqlite3.connect(log.path)  # keeps the WAL from being emptied
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    for number in range(40):
        log.append(Review(item_id=f"item{number}", rater="Ana", action="accept"))
    target = tmp_path / "copies" / "backup.sqlite"
    result = CliRunner().invoke(build_app(), ["review", "backup", str(catalogue), str(target)])
    assert result.exit_code == 0
    assert "40 records" in result.output
    # the main file alone, which people would copy, has fewer
    shutil.copy(log.path, tmp_path / "alone.sqlite")
    assert _records(tmp_path / "alone.sqlite") < 40
    reader.close()
    assert [path.name for path in target.parent.iterdir()] == ["backup.sqlite"]
    restored = tmp_path / "restored"
    shutil.copytree(catalogue, restored, ignore=shutil.ignore_patterns("reviews.sqlite*"))
    shutil.copy(target, restored / "reviews.sqlite")
    assert ReviewLog.open(restored).events() == log.events()


def test_a_backup_does_not_replace_the_log(catalogue: Path) -> None:
    log = ReviewLog.open(catalogue)
    log.append(Review(item_id="a", rater="Ana", action="accept"))
    with pytest.raises(ReviewError, match="is the review log itself"):
        log.backup(log.path)
    assert len(log.events()) == 1


def test_reviews_do_not_need_the_copy_for_people(catalogue: Path) -> None:
    (catalogue / MANIFEST_FILE).unlink()
    assert ReviewLog.open(catalogue).events() == []


@pytest.mark.parametrize("content", ["", "{", "[]", None])
def test_a_damaged_or_future_dated_copy_is_written_again(
    catalogue: Path, tmp_path: Path, content: str | None
) -> None:
    manifest = catalogue / MANIFEST_FILE
    if content is not None:
        manifest.write_text(content)
    os.utime(manifest, (4e9, 4e9))
    Image.fromarray(np.full((20, 20, 3), 30, np.uint8)).save(tmp_path / "chips" / "b.png")
    import_source(tmp_path / "chips", catalogue)
    assert json.loads(manifest.read_text())["items"] == 2


def test_a_backup_of_a_catalogue_in_use_is_whole(catalogue: Path, tmp_path: Path) -> None:
    from terraseek.catalogue import Catalogue
    from terraseek.commands.deep_checks import deep_checks
    from terraseek.embeddings import embed_catalogue
    from terraseek.encoders.fake import FakeEncoder
    from terraseek.search import Query, Searcher

    opened = Catalogue.open(catalogue)
    embed_catalogue(opened, FakeEncoder())
    log = ReviewLog.open(catalogue)
    reader = sqlite3.connect(log.path)  # keeps the records in the WAL
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM events").fetchone()
    for number in range(40):
        log.append(Review(item_id=f"item{number}", rater="Ana", action="accept"))
    target = tmp_path / "copies" / "cat"
    result = CliRunner().invoke(build_app(), ["backup", str(catalogue), str(target)])
    assert result.exit_code == 0, result.output
    assert len(log.events()) == 40
    assert ReviewLog.open(target).events() == log.events()
    reader.close()
    assert {check.status for check in deep_checks(target)} == {"ok"}
    found = Searcher(Catalogue.open(target), FakeEncoder()).search(Query(text="dark"), k=1)
    assert [hit.item_id for hit in found.hits] == [opened.item_ids[0].decode()]
    assert [path.name for path in target.parent.iterdir()] == ["cat"]


def test_a_backup_is_refused_in_words_and_leaves_nothing(catalogue: Path, tmp_path: Path) -> None:
    (tmp_path / "full").mkdir()
    with pytest.raises(OutputError, match="exists already"):
        backup_catalogue(catalogue, tmp_path / "full")
    with pytest.raises(OutputError, match="inside the catalogue"):
        backup_catalogue(catalogue, catalogue / "copy")
    with exclusive(catalogue), pytest.raises(CatalogueError, match="another process"):
        backup_catalogue(catalogue, tmp_path / "new")

    def stop(stage: str, done: int, total: int) -> None:
        raise Cancelled("stopped")

    with pytest.raises(Cancelled):
        backup_catalogue(catalogue, tmp_path / "new", stop)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["cat", "chips", "full"]
