"""Caption files in RSICD's layout: `images[].{filename, split, sentences[].raw}`."""

import json
from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.lookup import ImageLookup
from terraseek.catalogue.records import Broken, Reading, Record
from terraseek.errors import AnnotationError

__all__ = ["is_caption_json", "read_captions"]


def is_caption_json(path: Path) -> bool:
    """Whether a JSON file starts like a caption file; only its beginning is read."""
    with path.open(encoding="utf-8", errors="replace") as file:
        start = file.read(4096)
    return '"images"' in start and ('"filename"' in start or '"sentences"' in start)


def read_captions(path: Path, images: Path | None) -> Reading:
    """Every entry whose image is found; its first sentence is the caption, others are kept.

    Raises:
        AnnotationError: the file is no JSON of this layout.
    """
    entries = _entries(path)
    lookup = ImageLookup(path.parent, images, map(_name, entries))
    for number, entry in enumerate(entries):
        name = _name(entry)
        ref = lookup.find(name)
        if ref is None:
            yield Broken(f"{path.name} images[{number}]", lookup.why_not(name))
            continue
        yield Record(name, ref, _columns(entry, name))


def _entries(path: Path) -> list[Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise AnnotationError(f"{path} is no JSON: {error}") from error
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
