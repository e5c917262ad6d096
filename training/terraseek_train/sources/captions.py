"""Caption files: the RSICD family's JSON and RS5M's CSV with the columns filename,title."""

import csv
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from terraseek.errors import AnnotationError
from terraseek_train.sources.sample import Sample

__all__ = ["read_captions", "read_csv_captions", "read_json_captions"]


def read_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Samples of a caption file, chosen by its suffix: `.csv`, else JSON.

    Args:
        path: the caption file.
        split: keep this split only; None keeps all. A CSV has no splits, so none is dropped.

    Raises:
        AnnotationError: the file does not follow its layout, or holds nothing of that split.
    """
    samples = read_csv_captions(path) if path.suffix == ".csv" else read_json_captions(path, split)
    if not samples:
        wanted = f" of split {split!r}" if split else ""
        raise AnnotationError(f"{path} holds no captioned picture{wanted}; check --split")
    return samples


def read_json_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Samples of `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`, RSICD's layout.

    The scene class is the file name before its first underscore; purely numbered files have none.

    Raises:
        AnnotationError: not JSON, or an entry lacks a key.
    """
    try:
        entries: list[dict[str, Any]] = json.loads(path.read_text(encoding="utf-8"))["images"]
        found = [_sample(entry) for entry in entries]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path} is no JSON text: {error}") from error
    except (KeyError, TypeError) as error:
        raise AnnotationError(
            f"{path} is not in RSICD's layout (missing {error}); expected "
            '{"images": [{"filename", "split", "sentences": [{"raw"}]}]}'
        ) from error
    return [sample for sample in found if split is None or sample.split == split]


def _sample(entry: dict[str, Any]) -> Sample:
    name = str(entry["filename"])
    head, underscore, _ = name.partition("_")
    captions = tuple(str(sentence["raw"]).strip() for sentence in entry["sentences"])
    label = entry.get("label") or (head if underscore and not head.isdigit() else None)
    split = str(entry.get("split", "train"))
    return Sample(name, tuple(text for text in captions if text), label, split)


def read_csv_captions(path: Path) -> list[Sample]:
    """Samples of a CSV with the columns `filename,title`; rows of one file name are its captions.

    RS5M's own RSICD file is gb18030, which reads plain UTF-8 wrongly, so UTF-8 is tried first.

    Raises:
        AnnotationError: a column is missing, or the text is in neither encoding.
    """
    grouped: dict[str, list[str]] = {}
    for row in _rows(path, ("utf-8-sig", "gb18030")):
        if "filename" not in row or "title" not in row:
            raise AnnotationError(f"{path} needs the columns filename,title; has {', '.join(row)}")
        if row["title"] and row["title"].strip():
            grouped.setdefault(row["filename"], []).append(row["title"].strip())
    return [Sample(name, tuple(titles)) for name, titles in grouped.items()]


def _rows(path: Path, encodings: Sequence[str]) -> list[dict[str, str]]:
    for encoding in encodings:
        try:
            with path.open(encoding=encoding, newline="") as file:
                return list(csv.DictReader(file))
        except UnicodeDecodeError:
            continue
    raise AnnotationError(f"{path} is text in none of {', '.join(encodings)}; save it as UTF-8")
