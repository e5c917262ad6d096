"""Sources of a recipe as shards of items: tables of url and caption, or anything importable.

Parquet tables of url and caption are not copied: a shard is a range of their row groups. All other
sources are written as Parquet shards below `sources/` first.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.item_row import table_names
from terraseek.catalogue.importing.readers.registry import open_source
from terraseek.catalogue.records import Broken, Record, Records
from terraseek.errors import SourceError
from terraseek.files import read_json, write_json
from terraseek.progress import Progress
from terraseek_train.corpus.items import item_table
from terraseek_train.corpus.pairs import pair_files, pair_table, read_pairs, require_columns
from terraseek_train.corpus.recipe import Recipe, SourceEntry, digest_of, file_state
from terraseek_train.corpus.tables import write_table

__all__ = ["ShardInput", "list_shards", "read_shard"]


@dataclass(frozen=True)
class ShardInput:
    """Where the items of a shard are before the first stage, or after a stage."""

    number: int
    file: str
    """Parquet file."""
    digest: str
    """Changes with the items."""
    rows: int
    source: SourceEntry | None = None
    """Set for row groups of a table of url and caption that was not copied."""
    row_groups: tuple[int, ...] = ()
    first: str = ""
    """Beginning of the keys: number of the file and first row, `0_120000`."""


def read_shard(shard: ShardInput) -> pa.Table:
    """Read the items of a shard."""
    if shard.source is None:
        return pq.read_table(shard.file)
    part, _, row = shard.first.partition("_")
    columns = [shard.source.url, shard.source.caption]
    with pq.ParquetFile(shard.file) as file:
        table = file.read_row_groups(list(shard.row_groups), columns)
    return pair_table(table, shard.source, int(part), int(row)).slice(0, shard.rows)


def list_shards(recipe: Recipe, folder: Path, progress: Progress) -> list[ShardInput]:
    """List the shards of all sources, numbered through; sources that need it are copied.

    Args:
        recipe: the recipe.
        folder: of the corpus; copies are in `sources/NAME/`, and used again if nothing changed.
        progress: called with the stage `sources`.

    Raises:
        SourceError: a source cannot be read or contains nothing.
    """
    found: list[ShardInput] = []
    for done, source in enumerate(recipe.sources):
        progress("sources", done, len(recipe.sources))
        found += _shards(source, recipe.shard_rows, folder / "sources" / source.name, len(found))
    progress("sources", len(recipe.sources), len(recipe.sources))
    return found


def _shards(source: SourceEntry, rows: int, folder: Path, first: int) -> list[ShardInput]:
    digest = digest_of([_settings(source), rows, *map(file_state, _paths(source))])
    if source.kind == "pairs":
        files = pair_files(Path(source.path))
        if all(file.suffix == ".parquet" for file in files):
            return list(_row_groups(source, files, rows, first))
    state = folder / "source.json"
    if not (state.exists() and read_json(state)["digest"] == digest):
        write_json(state, {"digest": digest, **_copy(source, rows, folder)})
    stored = read_json(state)
    return [
        ShardInput(first + n, str(folder / f"{n:05}.parquet"), f"{digest}-{n}", count)
        for n, count in enumerate(stored["rows"])
    ]


def _settings(source: SourceEntry) -> dict[str, Any]:
    """What determines the items of a source: not its licence and rank."""
    return {k: v for k, v in vars(source).items() if k not in ("licence", "rank")}


def _paths(source: SourceEntry) -> list[Path]:
    return [Path(path) for path in (source.path, source.geometa, source.images) if path]


def _row_groups(
    source: SourceEntry, files: list[Path], rows: int, number: int
) -> Iterator[ShardInput]:
    left = source.limit or None
    for part, file in enumerate(files):
        state = digest_of([_settings(source), rows, file_state(file)])
        with pq.ParquetFile(file) as opened:
            require_columns(file, opened.schema_arrow.names, [source.url, source.caption])
            sizes = [opened.metadata.row_group(i).num_rows for i in range(opened.num_row_groups)]
        start, at = 0, 0
        while at < len(sizes) and left != 0:
            end, count = at, 0
            while end < len(sizes) and (end == at or count + sizes[end] <= rows):
                count += sizes[end]
                end += 1
            used = count if left is None else min(count, left)
            yield ShardInput(
                number, str(file), f"{state}-{at}", used, source,
                tuple(range(at, end)), f"{part}_{start}",
            )  # fmt: skip
            left = None if left is None else left - used
            number, start, at = number + 1, start + count, end


def _copy(source: SourceEntry, rows: int, folder: Path) -> dict[str, Any]:
    """Write the items of a source as shards; returns their row counts and the broken members."""
    broken: list[list[str]] = []
    tables = _pair_tables(source, rows) if source.kind == "pairs" else _importable(source, broken)
    counts: list[int] = []
    waiting: list[pa.Table] = []
    for table in tables:
        waiting.append(table)
        while sum(map(len, waiting)) >= rows:
            joined = pa.concat_tables(waiting)
            write_table(joined.slice(0, rows), folder / f"{len(counts):05}.parquet")
            counts.append(rows)
            waiting = [joined.slice(rows)]
    if sum(map(len, waiting)):
        joined = pa.concat_tables(waiting)
        write_table(joined, folder / f"{len(counts):05}.parquet")
        counts.append(len(joined))
    if not counts:
        raise SourceError(f"source {source.name}: {source.path} contains nothing that can be used")
    return {"rows": counts, "broken": broken}


def _pair_tables(source: SourceEntry, rows: int) -> Iterator[pa.Table]:
    left = source.limit or None
    for part, file in enumerate(pair_files(Path(source.path))):
        row = 0
        for table in read_pairs(file, [source.url, source.caption], rows):
            used = table if left is None else table.slice(0, left)
            yield pair_table(used, source, part, row)
            row += len(used)
            left = None if left is None else left - len(used)
            if left == 0:
                return


def _importable(source: SourceEntry, broken: list[list[str]]) -> Iterator[pa.Table]:
    images = Path(source.images).absolute() if source.images else None
    opened = open_source(Path(source.path), source.kind, images)
    tables = [Path(source.geometa)] if source.geometa else []
    tables = tables or ([opened.geometa] if opened.geometa else [])
    geometa = Geometa.read(*tables) if tables else None
    records = _wanted(opened.read(), source, broken)
    while block := list(islice(records, 1000)):
        yield item_table(_columns(record, source, geometa) for record in block)


def _wanted(entries: Records, source: SourceEntry, broken: list[list[str]]) -> Iterator[Record]:
    taken = 0
    keys: set[str] = set()
    for entry in entries:
        if source.limit and taken >= source.limit:
            return
        if isinstance(entry, Broken):
            broken.append([entry.member, entry.reason])
        elif not isinstance(entry, Record):
            broken.append(["", f"{entry.count} x {entry.what}"])
        elif entry.key in keys:
            broken.append([entry.key, "the name occurs twice in the source"])
        elif not source.split or entry.columns.get("split", source.split) == source.split:
            taken += 1
            keys.add(entry.key)
            yield entry


def _columns(record: Record, source: SourceEntry, geometa: Geometa | None) -> dict[str, Any]:
    joined = {} if geometa is None else geometa.find(*table_names(record)) or {}
    columns = {str(k): _plain(v) for k, v in {**joined, **record.columns}.items()}
    caption = str(columns.get("caption") or "")
    ref = record.image
    place = {} if ref is None else {
        "image_file": str(ref.file.absolute()), "image_offset": ref.offset,
        "image_size": ref.size, "image_member": ref.member,
    }  # fmt: skip
    return {
        **columns,
        **place,
        "item": f"{source.name}/{record.key}",
        "source": source.name,
        "caption": caption,
        "caption_source": "source" if caption else "",
        "lon": _degrees(columns.get("lon")),
        "lat": _degrees(columns.get("lat")),
    }


def _plain(value: Any) -> Any:  # noqa: ANN401 - a cell of any table
    """None for the NaN that pandas has in empty cells."""
    return None if isinstance(value, float) and value != value else value


def _degrees(value: Any) -> float | None:  # noqa: ANN401
    try:
        return None if value in (None, "") else float(value)
    except (TypeError, ValueError):
        return None
