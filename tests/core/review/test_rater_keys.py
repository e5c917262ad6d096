"""A name belongs to who used it first: nobody else writes, retracts or takes it."""

import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.errors import RaterKeyError, ReviewError
from terraseek.files import write_json
from terraseek.review import RaterKeys, Review, ReviewLog, rater_name
from terraseek.review import schema as review_schema


@pytest.fixture
def log(tmp_path: Path) -> ReviewLog:
    write_json(tmp_path / "catalogue.json", {})
    return ReviewLog.open(tmp_path)


def test_only_the_key_of_a_rater_writes_under_the_name(log: ReviewLog) -> None:
    keys = RaterKeys(log)
    key = keys.claim("Alice")
    decision = Review(item_id="a", rater="Alice", action="accept")
    log.append(decision, key)
    for wrong in ("", "alice", key[:-1], keys.claim("Bea")):
        with pytest.raises(RaterKeyError, match="belongs to a rater with another key"):
            log.append(Review(item_id="a", rater="Alice", action="retract"), wrong)
    assert [r.event_id for r in log.current("Alice")] == [decision.event_id]
    log.append(Review(item_id="a", rater="Alice", action="retract"), key.upper().replace("-", " "))
    assert log.current("Alice") == []


def test_a_name_is_claimed_once_also_at_the_same_time(log: ReviewLog) -> None:
    def claim(_: int) -> str | None:
        try:
            return RaterKeys(log).claim("Alice")
        except RaterKeyError:
            return None

    with ThreadPoolExecutor(8) as pool:
        made = [key for key in pool.map(claim, range(16)) if key is not None]
    assert len(made) == 1
    assert RaterKeys(log).is_valid("Alice", made[0])


def test_keys_are_long_and_stored_as_hashes_only(log: ReviewLog) -> None:
    made = [RaterKeys(log).claim(f"rater {number}") for number in range(20)]
    assert len(set(made)) == 20
    assert {len(key.replace("-", "")) for key in made} == {20}
    content = b"".join(path.read_bytes() for path in log.path.parent.glob("reviews.sqlite*"))
    assert not any(key.encode() in content for key in made)
    assert not any(key.replace("-", "").encode() in content for key in made)


def test_a_name_of_an_old_log_is_claimed_by_its_first_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_json(tmp_path / "catalogue.json", {})
    with monkeypatch.context() as patch:
        patch.setattr(review_schema, "_MIGRATIONS", review_schema._MIGRATIONS[:1])
        patch.setattr(review_schema, "SCHEMA_VERSION", 1)
        log = ReviewLog.open(tmp_path)
    row = ("e1", "a", "Alice", "accept", "c", "x", "", "[]", "", "", "2024", "0.1", "app")
    with closing(sqlite3.connect(log.path)) as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
        assert "rater_keys" not in tables
        connection.execute(
            "INSERT INTO events (event_id, item_id, rater, action, caption, caption_sha256, "
            "comment, flags, image, queue, recorded_at, app_version, source) "
            f"VALUES ({', '.join('?' * len(row))})",
            row,
        )
        connection.commit()
    log = ReviewLog.open(tmp_path)
    assert [r.rater for r in log.events()] == ["Alice"]
    key = RaterKeys(log).claim("Alice")
    log.append(Review(item_id="a", rater="Alice", action="retract"), key)
    assert log.current() == []
    with pytest.raises(RaterKeyError, match="is taken"):
        RaterKeys(log).claim("Alice")


@pytest.mark.parametrize("twin", ["alice", "ALICE", "Al ice", "\uff21lice"])
def test_a_name_that_looks_like_a_known_one_is_refused(log: ReviewLog, twin: str) -> None:
    RaterKeys(log).claim("Alice")
    with pytest.raises(RaterKeyError, match="looks like 'Alice'"):
        RaterKeys(log).claim(twin)


def test_both_of_two_similar_old_names_can_be_claimed(log: ReviewLog) -> None:
    for name in ("ana", "Ana"):
        log.append(Review(item_id="a", rater=name, action="accept"))
    assert RaterKeys(log).claim("ana") != RaterKeys(log).claim("Ana")


def test_names_are_normalized() -> None:
    assert rater_name("  Ana \t Lytics\u202e\u200b ") == "Ana Lytics"
    assert rater_name("Ana\u0308") == "An\u00e4"
    assert rater_name(" \u200b\x00 ") == ""
    with pytest.raises(ReviewError, match="5,000 letters"):
        rater_name("n" * 5000)


def test_a_backup_has_the_keys_and_the_id(log: ReviewLog, tmp_path: Path) -> None:
    key = RaterKeys(log).claim("Alice")
    (tmp_path / "copy").mkdir()
    write_json(tmp_path / "copy" / "catalogue.json", {})
    log.backup(tmp_path / "copy" / "reviews.sqlite")
    restored = RaterKeys(ReviewLog.open(tmp_path / "copy"))
    assert restored.is_valid("Alice", key)
    assert restored.log_id == RaterKeys(log).log_id
    assert len(restored.log_id) == 16


def test_a_lost_key_is_replaced_on_the_command_line(log: ReviewLog, tmp_path: Path) -> None:
    old = RaterKeys(log).claim("Alice")
    log.append(Review(item_id="a", rater="Bea", action="accept"))
    done = CliRunner().invoke(build_app(), ["review", "key", str(tmp_path), " Alice "])
    assert done.exit_code == 0, done.output
    new = done.stdout.strip().splitlines()[-1]
    assert RaterKeys(log).is_valid("Alice", new)
    assert not RaterKeys(log).is_valid("Alice", old)
    listed = CliRunner().invoke(build_app(), ["review", "raters", str(tmp_path)])
    assert "Alice: 20" in listed.output
    assert "Bea: no key yet" in listed.output
    assert new not in listed.output
