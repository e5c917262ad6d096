import csv
import json
from collections import Counter
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terraseek.cli import build_app
from terraseek.errors import AnnotationError, CatalogueNotFoundError
from terraseek.files import write_json
from terraseek.review import (
    Review,
    ReviewLog,
    import_ratings,
    item_names,
    write_captions,
    write_long,
    write_rs5m,
)

HEADER = "image_path,description,relevance_detail,hallucination,fluency\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_json(tmp_path / "catalogue" / "catalogue.json", {})
    return tmp_path / "catalogue"


@pytest.fixture
def log(folder: Path) -> ReviewLog:
    return ReviewLog.open(folder)


def table(path: Path, text: str, encoding: str = "utf-8") -> Path:
    path.write_bytes((HEADER + text).encode(encoding))
    return path


def read(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as source:
        return list(csv.DictReader(source))


def test_a_table_is_imported_once_and_exported_unchanged(log: ReviewLog, tmp_path: Path) -> None:
    text = 'static/a.jpg,"a port, 19.3° off",5,4,3\nstatic/b.jpg,"two ""big"" ships",1,2,5\n'
    source = table(tmp_path / "one.csv", text)
    first = import_ratings(log, source)
    again = import_ratings(log, source)
    assert (first.rater, first.rows, first.added, first.unknown) == ("one", 2, 2, 2)
    assert (again.rows, again.added) == (2, 0)
    assert write_rs5m(log.current(), tmp_path / "out.csv") == 2
    assert (tmp_path / "out.csv").read_bytes() == source.read_bytes()


def test_ratings_are_assigned_to_their_items(log: ReviewLog, tmp_path: Path) -> None:
    items = item_names(
        [
            {"item_id": "x1", "image": "shard.tar#0.img_content", "img_name": "a.jpg"},
            {"item_id": "x2", "image": "deep/b.jpg", "img_name": None},
            {"item_id": "x3", "image": "one/c.jpg"},
            {"item_id": "x4", "image": "two/c.jpg"},
        ]
    )
    text = "static/a.jpg,t,5,5,5\nstatic/b.jpg,t,5,5,5\nstatic/c.jpg,t,5,5,5\n"
    report = import_ratings(log, table(tmp_path / "r.csv", text), "Ana", items)
    ids = [r.item_id for r in log.current("Ana")]
    assert ids[:2] == ["x1", "x2"]
    assert ids[2].startswith("rs5m-")
    assert report.unknown == 1


def test_malformed_rows_are_reported_and_the_others_kept(log: ReviewLog, tmp_path: Path) -> None:
    text = (
        "static/a.jpg,fine,5,5,5\n"
        "static/b.jpg,gap,5,5,\n"
        "static/c.jpg,short,5\n"
        "static/d.jpg,none,,x,9\n"
        ",nameless,5,5,5\n"
        "static/e.jpg,more,5,5,5,5\n"
        "static/f.jpg,pandas,5.0,4.0,3.0\n"
        "static/a.jpg,fine,5,5,5\n"
    )
    report = import_ratings(log, table(tmp_path / "r.csv", text))
    assert report.added == 4
    found = {r.image: dict(r.scores) for r in log.current()}
    assert found["static/b.jpg"] == {"relevance_detail": 5, "hallucination": 5}
    assert found["static/f.jpg"] == {"relevance_detail": 5, "hallucination": 4, "fluency": 3}
    assert len(found) == 3
    joined = "\n".join(report.problems)
    for piece in ("line 3: fluency is ''", "line 4: not five", "line 5:", "line 6: not five"):
        assert piece in joined
    assert "rated twice: 1" in joined
    assert import_ratings(log, tmp_path / "r.csv").added == 0


def test_a_byte_order_mark_is_not_part_of_the_header(log: ReviewLog, tmp_path: Path) -> None:
    path = table(tmp_path / "r.csv", "static/a.jpg,t,5,5,5\r\n", "utf-8-sig")
    assert import_ratings(log, path).added == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"name,caption\na,b\n", "lacks the column 'image_path'"),
        (b"", "lacks the column"),
        (HEADER.encode(), "contains no rating"),
        (HEADER.encode() + b"a.jpg,19.3\xb0,5,5,5\n", "not UTF-8"),
    ],
)
def test_files_of_another_format_are_refused(
    log: ReviewLog, tmp_path: Path, content: bytes, message: str
) -> None:
    (tmp_path / "r.csv").write_bytes(content)
    with pytest.raises(AnnotationError, match=message):
        import_ratings(log, tmp_path / "r.csv")
    assert log.events() == []


def test_long_format_and_captions(log: ReviewLog, tmp_path: Path) -> None:
    scores = {"relevance_detail": 2, "fluency": 4}
    log.append(
        Review(
            item_id="a", rater="Ana", action="edit", caption="old", edited="new 5°", scores=scores,
            comment="why", started_at="2026-01-01T00:00:00", image="a.jpg",
        )
    )  # fmt: skip
    log.append(Review(item_id="b", rater="Ana", action="accept", caption="good"))
    log.append(Review(item_id="c", rater="Bea", action="skip", caption="hm"))
    assert write_long(log.current(), tmp_path / "long.csv") == 4
    rows = read(tmp_path / "long.csv")
    assert [(r["item_id"], r["criterion"], r["score"], r["action"]) for r in rows] == [
        ("a", "relevance_detail", "2", "edit"),
        ("a", "fluency", "4", "edit"),
        ("b", "", "", "accept"),
        ("c", "", "", "skip"),
    ]
    assert rows[0]["edited_caption"] == "new 5°"
    assert rows[0]["comment"] == "why"
    assert list(rows[0])[:8] == [
        "item_id", "rater", "criterion", "score", "comment", "started_at", "submitted_at",
        "app_version",
    ]  # fmt: skip
    assert write_captions(log.current(), tmp_path / "captions.csv") == 2
    captions = read(tmp_path / "captions.csv")
    assert [r["caption"] for r in captions] == ["new 5°", "good"]
    assert write_rs5m(log.current(), tmp_path / "rs5m.csv") == 1
    assert read(tmp_path / "rs5m.csv")[0]["description"] == "old"


def test_the_commands(folder: Path, tmp_path: Path) -> None:
    runner, app = CliRunner(), build_app()
    source = table(tmp_path / "r.csv", "static/a.jpg,t,5,4,3\n")
    done = runner.invoke(app, ["review", "import", str(folder), str(source), "--json"])
    assert done.exit_code == 0
    assert json.loads(done.stdout)[0]["added"] == 1
    done = runner.invoke(app, ["review", "stats", str(folder), "--json"])
    assert json.loads(done.stdout)["reviews"] == 1
    done = runner.invoke(app, ["review", "stats", str(folder)])
    assert "agreement cannot be measured" in done.stdout
    out = tmp_path / "out.csv"
    done = runner.invoke(app, ["review", "export", str(folder), "--out", str(out)])
    assert done.exit_code == 0
    assert out.read_text() == source.read_text()
    arguments = ["review", "export", str(folder), "--out", str(out), "--rater", "nobody"]
    assert runner.invoke(app, arguments).exit_code == 0
    assert out.read_text() == HEADER
    assert runner.invoke(app, ["review", "export", str(folder)]).exit_code == 2
    refused = runner.invoke(app, ["review", "stats", str(tmp_path)])
    assert isinstance(refused.exception, CatalogueNotFoundError)


def test_the_real_ratings(log: ReviewLog, shared_data: Path, tmp_path: Path) -> None:
    files = sorted((shared_data / "rs5m").glob("ratings_*.csv"))
    reports = [import_ratings(log, file) for file in files]
    assert sum(report.added for report in reports) == 1086
    assert [import_ratings(log, file).added for file in files] == [0, 0]
    write_rs5m(log.current(), tmp_path / "out.csv")
    given = Counter(line for file in files for line in set(map(_line, read(file))))
    assert Counter(map(_line, read(tmp_path / "out.csv"))) == given


def _line(row: dict[str, str]) -> tuple[str, ...]:
    return tuple(row.values())
