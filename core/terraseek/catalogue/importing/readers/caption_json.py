"""Caption files in RSICD's layout: `images[].{filename, split, sentences[].raw}`."""

import json
import re
from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.records import Broken, Record, Records
from terraseek.errors import AnnotationError, SourceError
from terraseek.text_files import read_text, read_text_start

__all__ = ["CAPTIONS", "is_caption_json", "read_captions"]


def is_caption_json(path: Path) -> bool:
    """Whether a JSON file has the keys of a caption file in its first 4 KB."""
    start = read_text_start(path, 4096)
    return '"images"' in start and ('"filename"' in start or '"sentences"' in start)


def read_captions(path: Path, images: Path | None) -> Records:
    """Read every entry whose image is found.

    The first sentence is the caption; further ones are in `caption_2` and so on.

    Raises:
        AnnotationError: the file is not JSON, or not in this layout.
    """
    entries = _entries(path)
    lookup = ImageLookup(path.parent, images, map(_name, entries))
    for number, entry in enumerate(entries):
        name = _name(entry)
        ref = lookup.find(name)
        if ref is None:
            yield Broken(f"{path.name} images[{number}]", lookup.missing_reason(name))
            continue
        yield Record(name, ref, _columns(entry, name))


def _entries(path: Path) -> list[Any]:
    try:
        value = json.loads(read_text(path))
    except ValueError as error:
        raise AnnotationError(f"{path} is not JSON: {error}") from error
    entries = value.get("images") if isinstance(value, dict) else None
    if not isinstance(entries, list):
        raise AnnotationError(f"{path} has no list `images`; expected RSICD's caption layout")
    return entries


def _name(entry: object) -> str:
    return str(entry.get("filename") or "") if isinstance(entry, dict) else ""


def _columns(entry: dict[str, Any], name: str) -> dict[str, Any]:
    columns = {k: v for k, v in entry.items() if k not in ("filename", "sentences", "sentids")}
    columns["img_name"] = name
    texts = (_sentence(s) for s in entry.get("sentences") or ())
    for number, text in enumerate(dict.fromkeys(t for t in texts if t), start=1):
        columns["caption" if number == 1 else f"caption_{number}"] = text
    return columns


def _sentence(value: object) -> str:
    raw = value.get("raw", "") if isinstance(value, dict) else value
    return " ".join(str(raw).split())


def _find_caption_json(folder: Path) -> Path | None:
    return next((p for p in sorted(folder.glob("*.json")) if is_caption_json(p)), None)


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return _find_caption_json(path) is not None
    return path.suffix.lower() == ".json" and is_caption_json(path)


def _open(path: Path, images: Path | None) -> OpenedSource:
    file = _find_caption_json(path) if path.is_dir() else path
    if file is None:
        raise SourceError(f"{path} contains no caption JSON in RSICD's layout")
    name = path.name if path.is_dir() else re.sub(r"^dataset_", "", path.stem)
    return OpenedSource("captions", name, file, lambda: read_captions(file, images))


CAPTIONS = Reader("captions", _recognises, _open)
