import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from terraseek.errors import CatalogueNotFoundError, ReviewError
from terraseek.files import write_json
from terraseek.review import CRITERIA, Review, ReviewLog, caption_hash
from terraseek.review.schema import SCHEMA_VERSION


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "catalogue.json", {})
    return tmp_path


@pytest.fixture
def log(folder: Path) -> ReviewLog:
    return ReviewLog.open(folder)


def review(item: str = "a", rater: str = "Ana", action: str = "accept", **more: object) -> Review:
    return Review(item_id=item, rater=rater, action=action, **more)  # type: ignore[arg-type]


def test_a_record_is_read_as_it_was_written(log: ReviewLog) -> None:
    given = review(
        action="edit",
        caption="a port, 19.3? off-nadir",
        edited="a port, 19.3° off-nadir",
        scores={"relevance_detail": 4, "hallucination": 5},
        comment="sign",
        flags=("lost_degree",),
        image="shard.tar#1.jpg",
        queue="Hits",
        started_at="2026-01-01T00:00:00.000+00:00",
        submitted_at="2026-01-01T00:00:07.500+00:00",
    )
    stored = log.append(given)
    assert stored.seq == 1
    assert stored.recorded_at
    assert stored.seconds == 7.5
    assert stored.final_caption == "a port, 19.3° off-nadir"
    names = ("item_id", "rater", "action", "caption", "edited", "scores", "comment", "flags")
    for name in (*names, "image", "queue", "started_at", "submitted_at", "event_id", "source"):
        assert getattr(stored, name) == getattr(given, name), name


def test_the_latest_record_is_current_and_earlier_ones_are_kept(log: ReviewLog) -> None:
    first = log.append(review(action="skip"))
    second = log.append(review(action="accept"))
    log.append(review(rater="Bea", action="rate", scores={"fluency": 2}))
    assert [(r.rater, r.action) for r in log.current()] == [("Ana", "accept"), ("Bea", "rate")]
    assert second.supersedes == first.event_id
    assert [r.action for r in log.history("a")] == ["skip", "accept", "rate"]


def test_a_retraction_leaves_no_current_record(log: ReviewLog) -> None:
    log.append(review())
    log.append(review(action="retract"))
    assert log.current() == []
    assert log.current_of("a", "Ana") is None
    assert len(log.history("a")) == 2
    assert log.next_item("Ana", ["a"]) == "a"


def test_the_same_event_twice_is_one_record(log: ReviewLog) -> None:
    click = review()
    assert log.append(click).seq == log.append(click).seq
    assert len(log.events()) == 1


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE events SET comment = 'x'",
        "DELETE FROM events",
        "INSERT OR REPLACE INTO events SELECT * FROM events",
    ],
)
def test_the_database_itself_refuses_changes(log: ReviewLog, statement: str) -> None:
    log.append(review())
    with (
        sqlite3.connect(log.path) as connection,
        pytest.raises(sqlite3.IntegrityError, match="review records are never"),
    ):
        connection.execute(statement)
    connection.close()
    assert log.events()[0].comment == ""


def test_all_or_none_of_several_records_are_written(log: ReviewLog) -> None:
    bad = review("b")
    object.__setattr__(bad, "source", "nowhere")
    with pytest.raises(ReviewError, match="CHECK"):
        log.append_many([review(), bad])
    assert log.events() == []


def test_progress_and_resuming(log: ReviewLog) -> None:
    queue = ["a", "b", "c", "d", "e"]
    log.append(review("a"))
    log.append(review("b", action="skip"))
    log.append(review("d", action="edit", edited="new"))
    log.append(review("c", rater="Bea"))
    progress = log.progress("Ana", queue)
    assert (progress.total, progress.done, progress.skipped, progress.left) == (5, 2, 1, 2)
    assert log.next_item("Ana", queue) == "c"
    assert log.next_item("Ana", queue, after="c") == "e"
    assert log.next_item("Ana", queue, after="e") == "c"
    assert log.next_item("Ana", ["a", "b"]) is None
    assert log.decided_by_others("Ana") == {"c"}
    assert log.raters() == ["Ana", "Bea"]


def test_concurrent_raters_lose_no_records(folder: Path) -> None:
    log = ReviewLog.open(folder)

    def work(rater: str) -> None:
        for number in range(20):
            log.append(review(f"i{number}", rater=rater))

    threads = [threading.Thread(target=work, args=(f"r{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(log.events()) == 80
    assert [r.seq for r in log.events()] == list(range(1, 81))


OPEN_AND_WRITE = """
import sys
from pathlib import Path
from terraseek.review import Review, ReviewLog
log = ReviewLog.open(Path(sys.argv[1]))
for number in range(10):
    log.append(Review(item_id=f"i{number}", rater=sys.argv[2], action="accept"))
"""


@pytest.mark.slow
def test_processes_that_create_the_log_together_lose_no_records(folder: Path) -> None:
    command = [sys.executable, "-c", OPEN_AND_WRITE, str(folder)]
    jobs = [subprocess.Popen([*command, f"r{n}"]) for n in range(4)]
    assert [job.wait() for job in jobs] == [0] * 4
    assert len(ReviewLog.open(folder).events()) == 40


def test_the_log_uses_wal_and_has_a_schema_version(log: ReviewLog) -> None:
    connection = sqlite3.connect(log.path)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert connection.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
    assert connection.execute("SELECT count(*) FROM migrations").fetchone() == (SCHEMA_VERSION,)
    connection.close()


def test_a_folder_without_catalogue_is_refused(tmp_path: Path) -> None:
    with pytest.raises(CatalogueNotFoundError, match="terraseek import"):
        ReviewLog.open(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_log_of_a_newer_terraseek_is_refused_unchanged(folder: Path) -> None:
    log = ReviewLog.open(folder)
    connection = sqlite3.connect(log.path)
    connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(ReviewError, match="schema 99"):
        ReviewLog.open(folder)


def test_a_damaged_or_foreign_file_is_named_in_the_error(folder: Path) -> None:
    path = folder / "reviews.sqlite"
    path.write_bytes(b"no database at all" * 100)
    with pytest.raises(ReviewError, match="not a database"):
        ReviewLog.open(folder)
    path.unlink()
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE other (x)")
    connection.close()
    with pytest.raises(ReviewError, match="another program"):
        ReviewLog.open(folder)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"item": " "}, "id of an item"),
        ({"rater": ""}, "name of its rater"),
        ({"scores": {"beauty": 3}}, "unknown criterion"),
        ({"scores": {"fluency": 6}}, "from 1 to 5"),
        ({"scores": {"fluency": True}}, "from 1 to 5"),
        ({"action": "edit", "edited": "  "}, "edited caption is empty"),
        ({"action": "accept", "edited": "x"}, "only the action 'edit'"),
    ],
)
def test_invalid_records_are_refused(values: dict[str, object], message: str) -> None:
    with pytest.raises(ReviewError, match=message):
        review(**values)  # type: ignore[arg-type]


def test_caption_hashes_differ_if_the_bytes_differ() -> None:
    assert caption_hash("19.3°") != caption_hash("19.3?")


def test_level_descriptions_are_unique() -> None:
    assert [c.key for c in CRITERIA] == ["relevance_detail", "hallucination", "fluency"]
    for criterion in CRITERIA:
        assert len(set(criterion.levels)) == 5
        assert criterion.level(5) == criterion.levels[-1]


FULL = """
import resource, sys
from terraseek.errors import ReviewError
from terraseek.review import Review, ReviewLog

log = ReviewLog.open(sys.argv[1])
log.append(Review(item_id="a", rater="Ana", action="accept"))
resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))
try:
    for number in range(10_000):
        log.append(Review(item_id=str(number), rater="Ana", action="accept", comment="c" * 500))
except ReviewError as error:
    print(number, error)
"""


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_log_that_cannot_grow_names_the_cause_and_keeps_its_records(folder: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL, str(folder)], capture_output=True, text=True, check=True
    )
    number, message = done.stdout.strip().split(" ", 1)
    assert "largest allowed size (ulimit -f)" in message
    assert "nothing was written" in message
    kept = ReviewLog.open(folder).events()
    assert len(kept) == 1 + int(number)
    assert not list(folder.glob("*probe*"))
