"""Caption files: the RSICD family's JSON, NWPU-Captions' JSON, and CSV with filename,title.

RSICD, RSITMD, UCM-Captions and Sydney-Captions share one layout (Karpathy's); NWPU-Captions has its
own: a list per class, and five keys `raw`, `raw_1` … `raw_4` per image.
"""

import csv
import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from terraseek.errors import AnnotationError
from terraseek_train.data.sources.sample import Sample

__all__ = ["read_captions", "read_csv_captions", "read_json_captions"]

_RAW = re.compile(r"raw(_\d+)?")


def read_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Samples of a caption file, chosen by its suffix: `.csv`, else JSON of either layout.

    Args:
        path: the caption file.
        split: keep this split only; None keeps all. A CSV has no splits, so none is dropped.

    Raises:
        AnnotationError: the file does not follow its layout, or holds nothing of that split.
    """
    table = path.suffix.lower() == ".csv"
    samples = read_csv_captions(path) if table else read_json_captions(path, split)
    if not samples:
        wanted = f" of split {split!r}" if split else ""
        raise AnnotationError(f"{path} holds no captioned picture{wanted}; check --split")
    return samples


def read_json_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Samples of either JSON layout; an image without a sentence is kept, without captions.

    `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`: the scene class is the file name
    before its first underscore; purely numbered files have none.
    `{CLASS: [{"filename", "split", "raw", "raw_1", …}]}`: the scene class is the key.

    Raises:
        AnnotationError: not JSON, or an entry lacks a key.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
        found = _classes(value) if _has_classes(value) else [_sample(e) for e in value["images"]]
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise AnnotationError(f"{path} is no JSON text: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise AnnotationError(
            f"{path} is not in RSICD's layout (missing {error}); expected "
            '{"images": [{"filename", "split", "sentences": [{"raw"}]}]}, or as NWPU-Captions '
            '{CLASS: [{"filename", "split", "raw", "raw_1"}]}'
        ) from error
    return [sample for sample in found if split is None or sample.split == split]


def _sample(entry: dict[str, Any]) -> Sample:
    name = str(entry["filename"])
    head, underscore, _ = name.partition("_")
    texts = (str(sentence["raw"]) for sentence in entry["sentences"])
    label = entry.get("label") or (head if underscore and not head.isdigit() else None)
    return Sample(name, _spoken(texts), label, str(entry.get("split", "train")))


def _has_classes(value: Any) -> bool:  # noqa: ANN401 - JSON is any of these
    """NWPU-Captions: lists of images that carry their first sentence as `raw`."""
    if not isinstance(value, dict) or not value:
        return False
    first = next(iter(value.values()))
    return isinstance(first, list) and bool(first) and "raw" in first[0]


def _classes(value: dict[str, list[dict[str, Any]]]) -> list[Sample]:
    return [
        Sample(
            str(entry["filename"]),
            _spoken(str(entry[key]) for key in sorted(entry) if _RAW.fullmatch(key)),
            label,
            str(entry.get("split", "train")),
        )
        for label, entries in value.items()
        for entry in entries
    ]


def _spoken(texts: Iterable[str]) -> tuple[str, ...]:
    stripped = (text.strip() for text in texts)
    return tuple(text for text in stripped if text)


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
