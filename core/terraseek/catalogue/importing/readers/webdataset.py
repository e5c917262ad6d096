"""Webdataset shards: RS5M's two layouts of members, and the common one `.jpg .txt .json`.

A sample is a sequence of members with the same key, which ends at the first dot of the file name.
RS5M uses `.img_content .img_name .caption`, its older release `input.image` and so on.
"""

import json
import re
from collections import defaultdict
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

from terraseek.catalogue.importing.readers.reader import OpenedSource, Reader
from terraseek.catalogue.importing.readers.table import find_image_table
from terraseek.catalogue.records import IMAGE_SUFFIXES, Broken, ImageRef, Record, Records, Unused
from terraseek.catalogue.tars import Member, members, read_range
from terraseek.errors import SourceError, UnknownSourceError
from terraseek.text_files import decode_text

__all__ = ["SHARDS", "is_shard", "open_shards", "read_shards"]

_IMAGE = ("img_content", "input.image")
_NAME = ("img_name", "input.name")
_CAPTION = ("caption", "input.caption", "txt", "text")
_LABEL = ("cls",)
_KNOWN = sorted(
    {*_IMAGE, *_NAME, *_CAPTION, *_LABEL, "json", *(suffix[1:] for suffix in IMAGE_SUFFIXES)},
    key=len,
    reverse=True,
)
_MAX_MEMBERS_CHECKED = 30
_MAX_SHARDS_CHECKED = 3
_MAX_TEXT_BYTES = 1 << 20


def is_shard(path: Path) -> bool:
    """Whether the first members of a tar look like webdataset samples.

    These have a caption or a name of RS5M, or an image and JSON or a class under one key.
    """
    extensions: dict[str, set[str]] = defaultdict(set)
    for member in islice(members(path), _MAX_MEMBERS_CHECKED):
        if isinstance(member, Member):
            key, known = _split_at_known(member.name)
            if {_split(member.name)[1], known} & {*_IMAGE, *_NAME, *_CAPTION}:
                return True
            extensions[key].add(f".{known}")
    with_image = (found for found in extensions.values() if found & IMAGE_SUFFIXES)
    return any(found & {".json", ".cls"} for found in with_image)


def _set_name(shards: list[Path]) -> str:
    """Name of the set of shards: `harvey` for `harvey-train-0000.tar`."""
    stem = re.sub(r"([-_.]\d+)+$", "", shards[0].stem)
    return re.sub(r"[-_](train|val|validation|test)$", "", stem) or shards[0].stem


def read_shards(shards: list[Path]) -> Records:
    """Read every sample of every shard, in order; damaged samples are `Broken`."""
    for shard in shards:
        split = re.search(r"[-_](train|val|test)[-_.]", shard.name)
        extra = {"split": split.group(1)} if split else {}
        for key, sample in _samples(shard):
            if isinstance(sample, Broken):
                yield sample
            else:
                problems: list[Unused] = []
                yield _record(shard, key, sample, extra, problems)
                yield from problems


def _split(name: str) -> tuple[str, str]:
    """Split a member name at the first dot of its file name into key and extension."""
    folder, _, file = name.rpartition("/")
    stem, _, extension = file.partition(".")
    return (f"{folder}/{stem}" if folder else stem), extension.lower()


def _split_at_known(name: str) -> tuple[str, str]:
    """Split a member name before an extension that is known, as for keys with dots."""
    for extension in _KNOWN:
        if name.lower().endswith(f".{extension}"):
            return name[: -len(extension) - 1], extension
    return _split(name)


def _samples(shard: Path) -> Iterator[tuple[str, dict[str, Member] | Broken]]:
    for key, found in _runs(shard):
        if isinstance(found, Broken):
            yield "", found
        # a sample has a member of a known extension, unless dots in its key hide them
        elif any(_split(member.name)[1] in _KNOWN for member in found):
            yield from _grouped([(key, _split(member.name)[1], member) for member in found])
        else:
            yield from _grouped([(*_split_at_known(member.name), member) for member in found])


def _runs(shard: Path) -> Iterator[tuple[str, list[Member] | Broken]]:
    """Members that follow each other with the same name before the first dot."""
    current, run = "", list[Member]()
    for member in members(shard):
        if isinstance(member, Broken):
            yield "", member
            continue
        key = _split(member.name)[0]
        if key != current:
            if run:
                yield current, run
            current, run = key, []
        run.append(member)
    if run:
        yield current, run


def _grouped(found: list[tuple[str, str, Member]]) -> Iterator[tuple[str, dict[str, Member]]]:
    """Samples of consecutive members with the same key; a repeated extension starts another."""
    current, sample = "", dict[str, Member]()
    for key, extension, member in found:
        if key != current or extension in sample:
            if sample:
                yield current, sample
            current, sample = key, {}
        sample[extension] = member
    if sample:
        yield current, sample


def _record(
    shard: Path,
    key: str,
    sample: dict[str, Member],
    extra: dict[str, str],
    problems: list[Unused],
) -> Record | Broken:
    image = next((sample[e] for e in _IMAGE if e in sample), None) or next(
        (m for e, m in sample.items() if f".{e}" in IMAGE_SUFFIXES), None
    )
    if image is None:
        return Broken(f"{shard.name}#{key}", f"no image among {', '.join(sorted(sample))}")
    columns: dict[str, Any] = {**_json(shard, sample.get("json"), problems), **extra}
    name = _text(shard, sample, _NAME, problems)
    caption = _text(shard, sample, _CAPTION, problems)
    label = _text(shard, sample, _LABEL, problems)
    if label:
        columns.setdefault("label", label)
    if caption:
        columns["caption"] = caption
    columns["img_name"] = name or image.name.rsplit("/", 1)[-1]
    ref = ImageRef(shard, image.offset, image.size, image.name)
    return Record(name or f"{shard.name}#{key}", ref, columns)


def _text(
    shard: Path,
    sample: dict[str, Member],
    extensions: tuple[str, ...],
    problems: list[Unused],
) -> str:
    member = next((sample[e] for e in extensions if e in sample), None)
    if member is None:
        return ""
    data = read_range(shard, member.offset, min(member.size, _MAX_TEXT_BYTES))
    text, is_exact = decode_text(data)
    if not is_exact:
        problems.append(Unused("text that is no UTF-8, whose accents are a guess"))
    return text.replace("\0", "").strip()


def _json(shard: Path, member: Member | None, problems: list[Unused]) -> dict[str, Any]:
    if member is None:
        return {}
    value = None
    with suppress(ValueError, RecursionError):
        value = json.loads(read_range(shard, member.offset, min(member.size, _MAX_TEXT_BYTES)))
    if isinstance(value, dict):
        return value
    problems.append(Unused("JSON that is damaged or no object"))
    return {}


def open_shards(paths: list[Path]) -> OpenedSource:
    """Open a list of shards.

    Raises:
        UnknownSourceError: one of them is not a tar.
    """
    for path in paths:
        if path.suffix.lower() != ".tar":
            raise UnknownSourceError(f"{path} is not a tar; only shards can be given as a list")
    name = _set_name(paths)
    return OpenedSource("shards", name, paths[0].parent / name, lambda: read_shards(paths))


def _recognises(path: Path) -> bool:
    if path.is_dir():
        return any(is_shard(tar) for tar in sorted(path.glob("*.tar"))[:_MAX_SHARDS_CHECKED])
    return path.suffix.lower() == ".tar" and is_shard(path)


def _open(path: Path, images: Path | None) -> OpenedSource:
    if path.is_file():
        return open_shards([path])
    shards = [tar for tar in sorted(path.glob("*.tar")) if is_shard(tar)]
    if not shards:
        raise SourceError(f"{path} contains no webdataset shards")
    opened = open_shards(shards)
    return replace(opened, geometa=find_image_table(path))


SHARDS = Reader("shards", _recognises, _open)
