"""Text that a spreadsheet would run as a formula is written as text, and read back unchanged."""

import csv
import io
from pathlib import Path

import pytest

from terraseek.files import plain_cell, text_cell
from terraseek.review import (
    CRITERIA,
    ReviewLog,
    import_ratings,
    write_captions,
    write_long,
    write_rs5m,
)
from terraseek.review.records import Review
from terraseek.search.hits import Hit, hits_csv

FORMULAS = ["=1+1", "+cmd", "-2+3", "@SUM(A1)", "\t=1", "\r=1"]


@pytest.mark.parametrize("text", FORMULAS)
def test_a_formula_is_text(text: str) -> None:
    assert text_cell(text) == "'" + text
    assert plain_cell(f"'{text}") == text


@pytest.mark.parametrize("value", ["a = b", "-12.5", "+3e-4", "'tis", "", 5, -2.5, None])
def test_other_values_are_kept(value: object) -> None:
    assert text_cell(value) == value
    if isinstance(value, str):
        assert plain_cell(value) == value


def test_exports_of_reviews(tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_text("{}")
    log = ReviewLog.open(tmp_path)
    formula = '=HYPERLINK("http://x.example")'
    log.append(Review(item_id="i1", rater="@Eve", action="accept", caption=formula, image="a.png"))
    write_captions(log.current(), tmp_path / "captions.csv")
    write_long(log.current(), tmp_path / "long.csv")
    for name in ("captions.csv", "long.csv"):
        cells = [c for row in csv.reader(io.StringIO((tmp_path / name).read_text())) for c in row]
        assert not [c for c in cells if c.startswith(("=", "+", "-", "@"))]
    rows = list(csv.DictReader(io.StringIO((tmp_path / "captions.csv").read_text())))
    assert rows[0]["caption"] == "'" + formula
    assert rows[0]["rater"] == "'@Eve"


def test_exports_of_a_search() -> None:
    hit = Hit("i1", 0.5, -3.5, 48.0, "=1+1", "a.png", 1, "@x", "-s", "exact")
    (row,) = csv.DictReader(io.StringIO(hits_csv([hit])))
    assert (row["caption"], row["label"], row["source"]) == ("'=1+1", "'@x", "'-s")
    assert row["lon"] == "-3.5"


def test_ratings_come_back_as_they_were(tmp_path: Path) -> None:
    (tmp_path / "catalogue.json").write_text("{}")
    log = ReviewLog.open(tmp_path)
    scores = {criterion.key: 3 for criterion in CRITERIA}
    log.append(
        Review(
            item_id="i1",
            rater="Ana",
            action="rate",
            caption="=a field",
            image="a.png",
            scores=scores,
        )
    )
    write_rs5m(log.current(), tmp_path / "ratings.csv")
    assert "'=a field" in (tmp_path / "ratings.csv").read_text()
    other = tmp_path / "other"
    other.mkdir()
    (other / "catalogue.json").write_text("{}")
    copy = ReviewLog.open(other)
    import_ratings(copy, tmp_path / "ratings.csv", "Ana")
    assert [review.caption for review in copy.current()] == ["=a field"]
