"""Readers of caption files: JSON in two layouts, and CSV with the columns filename,title.

RSICD, RSITMD, UCM-Captions and Sydney-Captions share one JSON layout (Karpathy's). NWPU-Captions
has another: a list per class, and five keys `raw`, `raw_1` … `raw_4` per image.
"""

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from terraseek.errors import AnnotationError, SourceError
from terraseek.text_files import read_csv_rows, read_text
from terraseek_train.data.sources.sample import Sample

__all__ = ["read_captions", "read_csv_captions", "read_json_captions"]

_RAW = re.compile(r"raw(_\d+)?")


def read_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Read the samples of a caption file: CSV if its suffix is `.csv`, else JSON of either layout.

    Args:
        path: the caption file.
        split: keep this split only; None keeps all. A CSV has no splits and is kept whole.

    Raises:
        AnnotationError: the file does not follow its layout, or has no image of that split.
    """
    is_csv = path.suffix.lower() == ".csv"
    samples = read_csv_captions(path) if is_csv else read_json_captions(path, split)
    if not samples:
        wanted = f" of split {split!r}" if split else ""
        raise AnnotationError(f"{path} holds no captioned image{wanted}; check --split")
    return samples


def read_json_captions(path: Path, split: str | None = None) -> list[Sample]:
    """Read the samples of either JSON layout; images without a sentence are kept.

    `{"images": [{"filename", "split", "sentences": [{"raw"}]}]}`: the scene class is the file name
    before its first underscore; files whose names are numbers have none.
    `{CLASS: [{"filename", "split", "raw", "raw_1", …}]}`: the scene class is the key.

    Raises:
        AnnotationError: not JSON, or an entry lacks a key.
    """
    try:
        value = json.loads(read_text(path))
        if _is_nwpu(value):
            samples = _nwpu_samples(value)
        else:
            samples = [_rsicd_sample(entry) for entry in value["images"]]
    except (json.JSONDecodeError, SourceError) as error:
        raise AnnotationError(f"{path} is not JSON text: {error}") from error
    except (KeyError, TypeError, AttributeError) as error:
        raise AnnotationError(
            f"{path} is not in RSICD's layout (missing {error}); expected "
            '{"images": [{"filename", "split", "sentences": [{"raw"}]}]}, or as NWPU-Captions '
            '{CLASS: [{"filename", "split", "raw", "raw_1"}]}'
        ) from error
    return [sample for sample in samples if split is None or sample.split == split]


def _rsicd_sample(entry: dict[str, Any]) -> Sample:
    name = str(entry["filename"])
    head, underscore, _ = name.partition("_")
    texts = (str(sentence["raw"]) for sentence in entry["sentences"])
    label = entry.get("label") or (head if underscore and not head.isdigit() else None)
    return Sample(name, _not_empty(texts), label, str(entry.get("split", "train")))


def _is_nwpu(value: Any) -> bool:  # noqa: ANN401 - JSON is any of these
    """Whether the layout is that of NWPU-Captions: images have their first sentence as `raw`."""
    if not isinstance(value, dict) or not value:
        return False
    first = next(iter(value.values()))
    return isinstance(first, list) and bool(first) and "raw" in first[0]


def _nwpu_samples(value: dict[str, list[dict[str, Any]]]) -> list[Sample]:
    return [
        Sample(
            str(entry["filename"]),
            _not_empty(str(entry[key]) for key in sorted(entry) if _RAW.fullmatch(key)),
            label,
            str(entry.get("split", "train")),
        )
        for label, entries in value.items()
        for entry in entries
    ]


def _not_empty(texts: Iterable[str]) -> tuple[str, ...]:
    stripped = (text.strip() for text in texts)
    return tuple(text for text in stripped if text)


def read_csv_captions(path: Path) -> list[Sample]:
    """Read the samples of a CSV with the columns `filename,title`, one row per caption.

    RS5M's own RSICD file is in gb18030, which misreads plain UTF-8, so UTF-8 is tried first.

    Raises:
        AnnotationError: a column is missing, or the text is in neither encoding.
    """
    grouped: dict[str, list[str]] = {}
    try:
        rows = read_csv_rows(path, ("gb18030",))
    except SourceError as error:
        raise AnnotationError(str(error)) from error
    for row in rows:
        if "filename" not in row or "title" not in row:
            raise AnnotationError(f"{path} needs the columns filename,title; has {', '.join(row)}")
        if row["title"] and row["title"].strip():
            grouped.setdefault(row["filename"], []).append(row["title"].strip())
    return [Sample(name, tuple(titles)) for name, titles in grouped.items()]
