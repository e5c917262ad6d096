"""Webdataset shards: RS5M's two member layouts, and the usual `.jpg .txt .json` one.

A sample is the run of members with one key; the key ends at the first dot of the file name
(methods: RS5M uses `.img_content .img_name .caption`, its older release `input.image` and so on).
"""

import json
import re
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Reading, Record
from terraseek.catalogue.tars import Member, members, read_range

__all__ = ["is_shard", "read_shards", "shard_source"]

_IMAGE = ("img_content", "input.image")
_NAME = ("img_name", "input.name")
_CAPTION = ("caption", "input.caption", "txt", "text")
_PEEK = 30
_MAX_TEXT = 1 << 20


def is_shard(path: Path) -> bool:
    """Whether the first members of a tar look like webdataset samples."""
    for member in islice(members(path), _PEEK):
        if isinstance(member, Member):
            extension = _split(member.name)[1]
            if extension in (*_IMAGE, *_NAME, *_CAPTION):
                return True
    return False


def shard_source(shards: list[Path]) -> str:
    """Name of the set the shards belong to: `harvey-train-0000.tar` is of `harvey`."""
    stem = re.sub(r"([-_.]\d+)+$", "", shards[0].stem)
    return re.sub(r"[-_](train|val|validation|test)$", "", stem) or shards[0].stem


def read_shards(shards: list[Path]) -> Reading:
    """Every sample of every shard, in order; damaged samples appear as `Broken`."""
    for shard in shards:
        split = re.search(r"[-_](train|val|test)[-_.]", shard.name)
        extra = {"split": split.group(1)} if split else {}
        for key, parts in _samples(shard):
            if isinstance(parts, Broken):
                yield parts
            else:
                yield _record(shard, key, parts, extra)


def _split(name: str) -> tuple[str, str]:
    """Key and extension of a member: folder and file name up to the first dot, and the rest."""
    folder, _, file = name.rpartition("/")
    stem, _, extension = file.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def _samples(shard: Path) -> Iterator[tuple[str, dict[str, Member] | Broken]]:
    current, parts = "", dict[str, Member]()
    for member in members(shard):
        if isinstance(member, Broken):
            yield "", member
            continue
        key, extension = _split(member.name)
        if key != current or extension in parts:
            if parts:
                yield current, parts
            current, parts = key, {}
        parts[extension] = member
    if parts:
        yield current, parts


def _record(
    shard: Path, key: str, parts: dict[str, Member], extra: dict[str, str]
) -> Record | Broken:
    image = next((parts[e] for e in _IMAGE if e in parts), None) or next(
        (m for e, m in parts.items() if f".{e}" in IMAGE_SUFFIXES), None
    )
    if image is None:
        return Broken(f"{shard.name}#{key}", f"no picture among {', '.join(sorted(parts))}")
    columns: dict[str, Any] = {**_json(shard, parts.get("json")), **extra}
    name = _text(shard, parts, _NAME)
    caption = _text(shard, parts, _CAPTION)
    if caption:
        columns["caption"] = caption
    columns["img_name"] = name or image.name.rsplit("/", 1)[-1]
    ref = ImageRef(shard, image.offset, image.size, image.name)
    return Record(name or f"{shard.name}#{key}", ref, columns)


def _text(shard: Path, parts: dict[str, Member], extensions: tuple[str, ...]) -> str:
    member = next((parts[e] for e in extensions if e in parts), None)
    if member is None:
        return ""
    data = read_range(shard, member.offset, min(member.size, _MAX_TEXT))
    # RS5M's captions are UTF-8; one bad byte must not cost the sample
    return data.decode("utf-8", "replace").replace("\0", "").strip()


def _json(shard: Path, member: Member | None) -> dict[str, Any]:
    if member is None:
        return {}
    try:
        value = json.loads(read_range(shard, member.offset, min(member.size, _MAX_TEXT)))
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
