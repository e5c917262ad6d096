"""Import and export of ratings: RS5M's five columns, long format, accepted captions."""

import csv
import hashlib
import io
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from terraseek.errors import AnnotationError, SourceError
from terraseek.files import plain_cell, text_cell, write_text
from terraseek.review.criteria import CRITERIA
from terraseek.review.log import ReviewLog
from terraseek.review.records import Review
from terraseek.text_files import read_text_table

__all__ = [
    "LONG_COLUMNS",
    "RS5M_COLUMNS",
    "RatingsReport",
    "import_ratings",
    "item_names",
    "write_captions",
    "write_long",
    "write_rs5m",
]

RS5M_COLUMNS = ("image_path", "description", *(c.key for c in CRITERIA))
"""Columns of `ratings_*.csv` in RS5M's repository, in that order."""
LONG_COLUMNS = (
    *("item_id", "rater", "criterion", "score", "comment", "started_at", "submitted_at"),
    *("app_version", "action", "caption", "edited_caption", "flags", "source", "event_id"),
)
_CAPTION_COLUMNS = ("item_id", "image", "caption", "original_caption", "rater", "action")
_NAMESPACE = uuid.UUID("6f1d2a2e-7c1b-5d0e-9d43-6d3d1f0f5a11")
_NAME_COLUMNS = ("image", "img_name", "filename")


@dataclass(frozen=True, slots=True)
class RatingsReport:
    """Result of importing one rating file."""

    file: str
    rater: str
    rows: int
    """Ratings in the file."""
    added: int
    """Ratings that were new to the log."""
    unknown: int
    """Ratings of images that are not in the catalogue; kept under an id made of the file name."""
    problems: list[str] = field(default_factory=list)
    """One sentence for each row that was ignored or is incomplete."""


def item_names(items: Iterable[Mapping[str, Any]]) -> dict[str, str]:
    """Map the file name of each image to its item id, from the columns that may contain it.

    A name of several items is omitted, so that no rating is assigned to the wrong item.
    """
    found: dict[str, str] = {}
    ambiguous: set[str] = set()
    for item in items:
        for name in {_file_name(item.get(column)) for column in _NAME_COLUMNS} - {""}:
            if found.setdefault(name, item["item_id"]) != item["item_id"]:
                ambiguous.add(name)
    return {name: item for name, item in found.items() if name not in ambiguous}


def import_ratings(
    log: ReviewLog,
    path: str | Path,
    rater: str | None = None,
    items: Mapping[str, str] | None = None,
) -> RatingsReport:
    """Import an RS5M rating table into the log; importing it again adds nothing.

    Ratings of images that are not in the catalogue are kept under an id made of the file name. Rows
    without any valid score are ignored and reported; rows with some valid scores are imported.

    Args:
        log: the log to add to.
        path: CSV with RS5M's columns, see `text_files` for encodings and separators.
        rater: name of the rater; None uses the file name.
        items: file name of an image to item id, see `item_names`.

    Raises:
        AnnotationError: the file is neither UTF-8 nor UTF-16, lacks a column or has no rating.
    """
    path = Path(path)
    rater = rater if rater is not None else path.stem
    rows, problems = _read_rows(path)
    occurrences: Counter[str] = Counter()
    reviews, unknown = [], 0
    for line, row in rows:
        review = _review(row, rater, items or {}, occurrences)
        missing = [key for key, value in _score_texts(row).items() if not _is_score(value)]
        if missing:
            problems.append(_incomplete(line, row, missing))
        if not review.scores:
            continue
        reviews.append(review)
        unknown += _file_name(row["image_path"]) not in (items or {})
    if not reviews:
        raise AnnotationError(
            f"{path} contains no rating; an RS5M rating table has {', '.join(RS5M_COLUMNS)}"
        )
    repeated = len(reviews) - len({r.item_id for r in reviews})
    if repeated:
        problems.append(f"images rated twice: {repeated}; the later rating counts")
    return RatingsReport(
        str(path), rater, len(reviews), log.append_many(reviews), unknown, problems
    )


def write_rs5m(reviews: Sequence[Review], path: str | Path) -> int:
    """Write the records with scores in RS5M's five columns; returns the number of rows.

    `description` is the caption that was scored, even if the rater edited it.
    """
    rows = [
        (r.image or r.item_id, r.caption, *(r.scores.get(c.key, "") for c in CRITERIA))
        for r in reviews
        if r.scores
    ]
    return _write(path, RS5M_COLUMNS, rows)


def write_long(reviews: Sequence[Review], path: str | Path) -> int:
    """Write one row per record and criterion; returns the number of rows.

    A record without scores (a skip) gives one row with an empty criterion, so that no record is
    missing.
    """
    rows = []
    for r in reviews:
        for key, score in r.scores.items() or [("", "")]:
            when = (r.started_at or "", r.submitted_at or "")
            rest = (r.app_version, r.action, r.caption, r.edited or "", " ".join(r.flags))
            rows.append(
                (r.item_id, r.rater, key, score, r.comment, *when, *rest, r.source, r.event_id)
            )
    return _write(path, LONG_COLUMNS, rows)


def write_captions(reviews: Sequence[Review], path: str | Path) -> int:
    """Write accepted and edited captions, for training; returns the number of rows."""
    rows = [
        (r.item_id, r.image, r.final_caption, r.caption, r.rater, r.action)
        for r in reviews
        if r.final_caption is not None
    ]
    return _write(path, _CAPTION_COLUMNS, rows)


def _write(path: str | Path, header: Sequence[str], rows: Sequence[Sequence[object]]) -> int:
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(header)
    writer.writerows([text_cell(cell) for cell in row] for row in rows)
    write_text(Path(path), text.getvalue())
    return len(rows)


def _read_rows(path: Path) -> tuple[list[tuple[int, dict[str, str]]], list[str]]:
    """Read the rows with their line numbers, and describe the rows that are malformed."""
    try:
        text, separator = read_text_table(path)
    except SourceError as error:
        raise AnnotationError(str(error)) from error
    reader = csv.DictReader(
        io.StringIO(text, newline=""), delimiter=separator, restkey="_more", restval=None
    )
    missing = [c for c in RS5M_COLUMNS if c not in (reader.fieldnames or ())]
    if missing:
        raise AnnotationError(
            f"{path} lacks the column {missing[0]!r}; an RS5M rating table has "
            f"{', '.join(RS5M_COLUMNS)}"
        )
    rows, problems = [], []
    try:
        for row in reader:
            if "_more" in row or None in row.values() or not row["image_path"].strip():
                problems.append(f"line {reader.line_num}: not five values, ignored")
            else:
                rows.append((reader.line_num, {k: plain_cell(v) for k, v in row.items()}))
    except csv.Error as error:
        raise AnnotationError(f"{path}, line {reader.line_num}: {error}") from error
    return rows, problems


def _review(
    row: Mapping[str, str], rater: str, items: Mapping[str, str], occurrences: Counter[str]
) -> Review:
    """Convert a row to a record; its id is a hash of the content, so a second import finds it."""
    scores = {key: int(value[0]) for key, value in _score_texts(row).items() if _is_score(value)}
    name = _file_name(row["image_path"])
    content = repr((rater, [row[column] for column in RS5M_COLUMNS]))
    occurrences[content] += 1
    return Review(
        item_id=items.get(name) or f"rs5m-{hashlib.sha256(name.encode()).hexdigest()[:16]}",
        rater=rater,
        action="rate",
        caption=row["description"],
        scores=scores,
        image=row["image_path"],
        submitted_at=None,
        source="import",
        event_id=str(uuid.uuid5(_NAMESPACE, f"{content}{occurrences[content]}")),
    )


def _score_texts(row: Mapping[str, str]) -> dict[str, str]:
    return {c.key: row[c.key].strip() for c in CRITERIA}


def _is_score(text: str) -> bool:
    # pandas writes "5.0" in a column that has a gap
    return text.removesuffix(".0") in {"1", "2", "3", "4", "5"}


def _incomplete(line: int, row: Mapping[str, str], missing: Sequence[str]) -> str:
    what = ", ".join(f"{key} is {row[key]!r}" for key in missing)
    result = "ignored" if len(missing) == len(CRITERIA) else "the other scores are kept"
    return f"line {line}: {what}, not 1 to 5; {result}"


def _file_name(reference: object) -> str:
    """Last part of a path, or of a member name in an archive (`shard.tar#member`)."""
    if not isinstance(reference, str):
        return ""
    return PurePosixPath(reference.rsplit("#", 1)[-1].replace("\\", "/")).name
