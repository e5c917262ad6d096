"""Accepted items as webdataset shards in RS5M's layout, with a table that the importer joins.

shards/NAME-train-0000.tar, NAME-val-0000.tar     KEY.img_content, KEY.img_name, KEY.caption
shards/items.parquet                              everything else that is known, by img_name
shards/without_images.parquet                     items of tables of addresses that were not
                                                  downloaded: a table of url and caption
"""

import hashlib
import json
import re
import shutil
import tarfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from terraseek.catalogue.tars import add_member
from terraseek.files import atomic_path
from terraseek_train.corpus.items import image_ref, read_encoded, texts
from terraseek_train.corpus.recipe import Recipe
from terraseek_train.corpus.sources import ShardInput
from terraseek_train.corpus.tables import write_table

__all__ = ["WITHOUT_IMAGES", "image_names", "split_items", "without_image", "write_shards"]

WITHOUT_IMAGES = "without_images.parquet"
"""Table of the items that have no image; there is none if all have one."""

_LEFT_OUT = {
    "image_file",
    "image_offset",
    "image_size",
    "image_member",
    "extra",
    "captions",
    "metadata_captions",
}
_RENAMED = {"source": "subset", "caption_source": "caption_origin"}
"""Columns whose names the catalogue has for something else."""
_UNSAFE = re.compile(r"[^\w.=+,@-]+")
_MAX_CAPTIONS = 10


def split_items(
    items: Sequence[str], sources: Sequence[str], val_share: float, seed: int
) -> list[str]:
    """`train` or `val` for each item: of every source, the same share by hash of seed and id.

    At least one item of a source with two or more is in `train`.
    """
    by_source: dict[str, list[tuple[bytes, int]]] = {}
    for row, (item, source) in enumerate(zip(items, sources, strict=True)):
        digest = hashlib.blake2b(f"{seed} {item}".encode(), digest_size=8).digest()
        by_source.setdefault(source, []).append((digest, row))
    splits = ["train"] * len(items)
    for members in by_source.values():
        for _, row in sorted(members)[: round(len(members) * val_share)]:
            splits[row] = "val"
    return splits


def image_names(items: Sequence[str]) -> list[str]:
    """File name of each item's image: `source_key` without folders, numbered where it repeats."""
    taken: set[str] = set()
    names = []
    for item in items:
        source, _, key = item.partition("/")
        stem, dot, suffix = _UNSAFE.sub("-", f"{source}_{key.replace('/', '_')}").rpartition(".")
        stem, suffix = (
            (stem, f".{suffix}") if dot and len(suffix) <= 5 else (f"{stem}{dot}{suffix}", "")
        )
        name, number = f"{stem}{suffix}", 2
        while name in taken:
            name, number = f"{stem}-{number}{suffix}", number + 1
        taken.add(name)
        names.append(name)
    return names


def without_image(shards: Sequence[ShardInput]) -> int:
    """Number of items that have no image, because their address was not downloaded."""
    files = [pq.read_table(shard.file, columns=["image_file"]) for shard in shards]
    return sum(pc.sum(pc.equal(table.column(0), "")).as_py() or 0 for table in files)


def write_shards(recipe: Recipe, shards: Sequence[ShardInput], folder: Path) -> dict[str, Any]:
    """Write the shards and their table, replacing earlier ones; returns counts per split.

    Image bytes are copied as they are; items without an image are in no tar. One input shard is in
    memory at a time.
    """
    columns = ["item", "source"]
    known = pa.concat_tables([pq.read_table(shard.file, columns=columns) for shard in shards])
    items, sources = texts(known, "item"), texts(known, "source")
    splits = split_items(items, sources, recipe.val_share, recipe.seed)
    names = image_names(items)
    if folder.exists():
        shutil.rmtree(folder)
    tables, bare, start = [], [], 0
    with ExitStack() as stack:
        writer = _TarSet(stack, folder, recipe.name, recipe.shard_rows)
        for shard in shards:
            table = pq.read_table(shard.file)
            stop = start + len(table)
            for row, name, split in zip(
                table.to_pylist(), names[start:stop], splits[start:stop], strict=True
            ):
                if row["image_file"]:
                    writer.add(split, name, row)
            known = _known_columns(table, names[start:stop], splits[start:stop])
            tables.append(known)
            captioned = known.append_column("caption", table.column("caption"))
            bare.append(captioned.filter(pc.equal(table.column("image_file"), "")))
            start = stop
    write_table(pa.concat_tables(tables, promote_options="default"), folder / "items.parquet")
    if any(map(len, bare)):
        write_table(pa.concat_tables(bare, promote_options="default"), folder / WITHOUT_IMAGES)
    return {split: splits.count(split) for split in ("train", "val")}


class _TarSet:
    """One open tar per split; a new one begins after `rows` samples."""

    def __init__(self, stack: ExitStack, folder: Path, name: str, rows: int) -> None:
        self._stack, self._folder, self._name, self._rows = stack, folder, name, rows
        self._open: dict[str, tuple[ExitStack, tarfile.TarFile]] = {}
        self._counts = {"train": 0, "val": 0}

    def add(self, split: str, name: str, row: Mapping[str, Any]) -> None:
        number = self._counts[split]
        self._counts[split] += 1
        if number % self._rows == 0:
            self._begin(split, number // self._rows)
        tar = self._open[split][1]
        key = f"{self._name}-{number:09}"
        add_member(tar, f"{key}.img_content", read_encoded(image_ref(row)))
        add_member(tar, f"{key}.img_name", name.encode())
        add_member(tar, f"{key}.caption", (row["caption"] or "").encode())

    def _begin(self, split: str, number: int) -> None:
        if split in self._open:
            self._open.pop(split)[0].close()
        inner = self._stack.enter_context(ExitStack())
        part = inner.enter_context(
            atomic_path(self._folder / f"{self._name}-{split}-{number:04}.tar")
        )
        tar = inner.enter_context(tarfile.open(part, "w"))  # noqa: SIM115 - closed by the stack
        self._open[split] = (inner, tar)


def _known_columns(items: pa.Table, names: list[str], splits: list[str]) -> pa.Table:
    """Table of what is known about items, without the image's place and without vectors."""
    keep = [
        name
        for name in items.column_names
        if name not in _LEFT_OUT and not name.startswith("vector ") and name != "caption"
    ]
    table = items.select(keep).rename_columns(_RENAMED)
    table = table.add_column(0, "img_name", pa.array(names)).append_column(
        "split", pa.array(splits)
    )
    for name, values in _more_captions(items):
        table = table.append_column(name, pa.array(values, pa.string()))
    return table


def _more_captions(items: pa.Table) -> Iterator[tuple[str, list[str]]]:
    """Columns `caption_2` and so on of further captions, the catalogue's names for them."""
    rows = items.to_pylist()
    found = []
    for row in rows:
        extra = json.loads(row["extra"] or "{}")
        own = [str(v) for k, v in sorted(extra.items()) if re.fullmatch(r"caption_\d+", k)]
        made = (row.get("captions") or []) + [row.get("rotation_caption") or ""]
        metadata = row.get("metadata_captions") or []
        distinct = dict.fromkeys(t for t in (*own, *made, *metadata) if t and t != row["caption"])
        found.append(list(distinct)[: _MAX_CAPTIONS - 1])
    for n in range(max(map(len, found), default=0)):
        yield f"caption_{n + 2}", [texts_[n] if n < len(texts_) else "" for texts_ in found]
