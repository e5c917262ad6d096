"""One import into a catalogue, while its lock is held.

Records are read, inspected, located and written to disk one batch after the other, so that memory
hardly grows with their number. The catalogue changes only in the last step.
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from terraseek.catalogue.importing.blocks.make_rows import BATCH, RowTask, rows_in_order
from terraseek.catalogue.importing.blocks.record_block import RecordBlock
from terraseek.catalogue.importing.bounded_map import bounded_map
from terraseek.catalogue.importing.columns.cells import plain_columns
from terraseek.catalogue.importing.geometa import Geometa
from terraseek.catalogue.importing.inspection import ANIMATED, PAGES, inspect
from terraseek.catalogue.importing.item_row import RowOptions, image_label, item_row, table_names
from terraseek.catalogue.importing.known_items import KnownItems, changed_cells, completed_record
from terraseek.catalogue.importing.readers.reader import OpenedSource
from terraseek.catalogue.importing.report import ImportReport
from terraseek.catalogue.importing.writing.item_spool import ItemSpool
from terraseek.catalogue.items_file import write_items
from terraseek.catalogue.parts.append import append_items, is_large
from terraseek.catalogue.records import Broken, LocationPrecision, Record, Unused, item_id
from terraseek.errors import SceneError, SourceError
from terraseek.parallel.engine import TaskEngine
from terraseek.progress import Progress

if TYPE_CHECKING:
    import pyarrow as pa

__all__ = ["ImportJob", "ImportOptions"]

_WORKERS = 2
_MAX_PENDING = 256
_ROW = "row number"
"""Column of the changes of existing items: the row to change."""
_SPOOL_PREFIX = ".import."


@dataclass(frozen=True)
class ImportOptions:
    """How records become items."""

    source: str
    """Name of the source in the catalogue."""
    geometa: Geometa | None
    """Metadata tables to join."""
    precision: LocationPrecision | None
    """Precision of the coordinates; None takes that of their table."""
    check: bool
    """Whether to decode every image."""


class _Task(NamedTuple):
    """A record to inspect, for a new item or for one that it completes."""

    item_id: str
    record: Record
    row: int | None
    """Row of the item that the record completes; None for a new item."""


class ImportJob:
    """One import; the caller holds the lock of the catalogue."""

    def __init__(
        self,
        folder: Path,
        opened: OpenedSource,
        options: ImportOptions,
        old: "pa.Table | None",
        sources: dict[str, Any],
        progress: Progress,
        engine: TaskEngine | None = None,
    ) -> None:
        """Prepare the import.

        Args:
            folder: folder of the catalogue.
            opened: the source.
            options: how records become items.
            old: items of the catalogue as `items_file.open_items` returns them; None if it is new.
            sources: descriptions of its sources; that of this one is added.
            progress: called with the stage `import`.
            engine: makes the rows of a large table without images; None uses this process.
        """
        self._folder, self._opened, self._options = folder, opened, options
        self._old, self._sources, self._progress = old, sources, progress
        self._engine = engine
        self._has_vectors = next((folder / "embeddings").glob("*/manifest.json"), None) is not None
        kinds = {name: described.get("kind", "") for name, described in sources.items()}
        self._known = KnownItems(old, opened.kind, kinds)
        self._is_file: dict[str, bool] = {}
        self._ids: set[str] = set()
        self._geometa = options.geometa
        location = opened.location
        source_folder = location if location.is_dir() else location.parent
        self._row_options = RowOptions(options.source, options.precision, source_folder)
        self.report = ImportReport(source=options.source)
        """Counts of the import."""

    def run(self) -> ImportReport:
        """Import the records, and write the catalogue if anything changed.

        Raises:
            SourceError: the source has no usable record.
            TaskError: the workers of the engine fail; the catalogue is unchanged.
        """
        for stale in self._folder.glob(f"{_SPOOL_PREFIX}*"):  # of a killed import
            shutil.rmtree(stale, ignore_errors=True)
        with tempfile.TemporaryDirectory(
            prefix=_SPOOL_PREFIX, dir=self._folder, ignore_cleanup_errors=True
        ) as name:
            place = Path(name)
            columns = () if self._old is None else tuple(self._old.column_names)
            self._new = ItemSpool(place / "new", columns)
            self._changes = ItemSpool(place / "changes", columns)
            self._import()
            self._finish(place)
        return self.report

    def _import(self) -> None:
        """Read all records and write the rows of new items and the changes of existing ones."""
        done = 0
        batches = self._batches() if self._opened.blocks is None else self._made_in_blocks()
        for read in batches:
            done += read
            self._progress("import", done, 0)
        self._progress("import", done, done)

    def _batches(self) -> Iterator[int]:
        """Import record by record; yields how many were read."""
        tasks = self._inspected()
        while batch := list(islice(tasks, BATCH)):
            rows, changes = [], []
            for task, inspected in batch:
                if isinstance(inspected, Broken):
                    self.report.broken.append(inspected)
                    continue
                if inspected.pop(ANIMATED, False):
                    self._count_unused("frames after the first of animations", 1)
                if pages := inspected.pop(PAGES, 0):
                    self._count_unused("pages after the first of TIFF files", pages)
                if task.row is None:
                    rows.append(self._row(task.item_id, task.record, inspected))
                elif cells := self._completed(task, inspected):
                    changes.append(cells)
            self.report.count_rows(rows)
            self._new.add(rows)
            self._changes.add(changes)
            yield len(batch)

    def _made_in_blocks(self) -> Iterator[int]:
        """Import records without images by column; yields how many new items were made."""
        for made in rows_in_order(self._block_tasks(), self._engine):
            self._new.append(made.packed)
            self.report.add(made.report)
            yield made.packed.rows

    def _block_tasks(self) -> Iterator[RowTask]:
        """New records in blocks; those of known items are used or counted here."""
        assert self._opened.blocks is not None
        for block in self._opened.blocks():
            new = {row: key for row, key in self._new_ids(block)}
            rows = list(new)
            for start in range(0, len(rows), BATCH):
                part = block.take(rows[start : start + BATCH])
                keys = [new[row] for row in rows[start : start + BATCH]]
                joined = None if self._geometa is None else self._geometa.take(part.names)
                yield RowTask(keys, part, joined, self._row_options)

    def _new_ids(self, block: RecordBlock) -> Iterator[tuple[int, str]]:
        """Rows of a block that are new items, and their ids; others may complete known items."""
        records: list[Record] = []
        changes: list[dict[str, Any]] = []
        for row, name in enumerate(block.names):
            if not name:
                self.report.broken.append(block.broken(row, self._opened.location))
            elif not _is_text(name):
                self._add_misnamed(name)
            elif (key := self._unseen_id(name)) is not None:
                if self._known.row_of_id(key) is not None:
                    self._skip((name, name, ""))
                elif (known := self._known.row_of_name(name)) is None:
                    yield row, key
                else:
                    records = records or block.records()
                    cells = self._completed(_Task(key, records[row], known), {})
                    changes += [cells] if cells else []
        self._changes.add(changes)

    def _inspected(self) -> Iterator[tuple[_Task, dict[str, Any] | Broken]]:
        """Tasks with the columns of their image files, in order."""
        if not self._opened.has_images:
            yield from ((task, {}) for task in self._tasks())
            return

        def inspected(task: _Task) -> tuple[_Task, dict[str, Any] | Broken]:
            return task, _inspect(task.record, self._options.check)

        with ThreadPoolExecutor(_WORKERS) as pool:
            yield from bounded_map(pool, inspected, self._tasks(), _MAX_PENDING)

    def _tasks(self) -> Iterator[_Task]:
        """Records that are new, or complete an item; the others are counted."""
        for record in self._records():
            key = self._unseen_id(record.key)
            if key is None:
                continue
            row = self._known.row_of_id(key)
            if row is None:
                row = self._known.row_of_name(str(record.columns.get("img_name") or record.key))
                if row is None or record.image is None:
                    yield _Task(key, record, row)
                    continue
            self._skip(table_names(record))
            if record.image is not None:
                file = self._known.file_of(row)
                if not file:
                    yield _Task(key, record, row)
                elif not self._exists(file):
                    self._relink(row, record)

    def _records(self) -> Iterator[Record]:
        for entry in self._opened.read():
            if isinstance(entry, Broken):
                self.report.broken.append(entry)
            elif isinstance(entry, Unused):
                self._count_unused(entry.what, entry.count)
            elif not _is_text(entry.key, "" if entry.image is None else str(entry.image.file)):
                self._add_misnamed(entry.key)
            else:
                yield entry

    def _unseen_id(self, record_key: str) -> str | None:
        """Id of a record; None if an earlier one has it, which is counted."""
        key = item_id(self._options.source, record_key)
        if key in self._ids:
            self.report.duplicates += 1
            return None
        self._ids.add(key)
        return key

    def _skip(self, names: tuple[str, ...]) -> None:
        """Count a record that is an item of the source already."""
        if self._geometa is not None:
            self._geometa.find(*names)  # counts the row as used
        self.report.skipped += 1

    def _add_misnamed(self, name: str) -> None:
        shown = name.encode("utf-8", "replace").decode()
        self.report.broken.append(Broken(shown, "its name is no UTF-8; rename it"))

    def _row(self, key: str, record: Record, inspected: dict[str, Any]) -> dict[str, Any]:
        joined = None
        if self._geometa is not None:
            joined = self._geometa.find(*table_names(record))
            self.report.geometa_missing += joined is None
        plain = Record(record.key, record.image, plain_columns(record.columns))
        return item_row(key, plain, joined, inspected, self._row_options, self.report)

    def _completed(self, task: _Task, inspected: dict[str, Any]) -> dict[str, Any]:
        """Cells to change in an item that a record completes; empty if it has nothing new.

        Existing values stay, but for captions that were composed, as long as no vector of theirs
        can be stale: before the image of the item is encoded, or without any vectors.
        """
        assert task.row is not None
        known = self._known.columns_of(task.row)
        has_new_image = task.record.image is not None
        replace = has_new_image or not self._has_vectors
        record = completed_record(task.record, known, replace)
        row = self._row(task.item_id, record, inspected)
        cells = changed_cells(row, known, has_new_image, replace)
        if has_new_image:
            self.report.attached += 1
        elif cells:
            self.report.completed += 1
        else:
            self.report.skipped += 1
        return cells | {_ROW: task.row} if cells else {}

    def _exists(self, file: str) -> bool:
        if file not in self._is_file:
            self._is_file[file] = Path(file).is_file()
        return self._is_file[file]

    def _relink(self, row: int, record: Record) -> None:
        """Update the location of an item whose file is missing."""
        assert record.image is not None
        ref = record.image
        self.report.relinked += 1
        self._changes.add(
            [
                {
                    _ROW: row,
                    "image": image_label(record),
                    "_file": str(ref.file),
                    "_offset": ref.offset,
                    "_size": ref.size,
                }
            ]
        )

    def _count_unused(self, what: str, count: int) -> None:
        self.report.unused[what] = self.report.unused.get(what, 0) + count

    def _finish(self, place: Path) -> None:
        """Write the catalogue from the new rows, the old ones and their changes."""
        report, geometa = self.report, self._geometa
        old_rows = 0 if self._old is None else self._old.num_rows
        report.total = old_rows + report.added
        if not report.added and not report.skipped and not self._changes.rows:
            first = report.broken[0] if report.broken else None
            why = f"; {first.member}: {first.reason}" if first else ""
            raise SourceError(f"{self._opened.location} contains no usable image{why}")
        if report.added:
            report.kinds = {self._opened.kind: report.added}
        if geometa is not None:
            report.geometa_duplicates = geometa.duplicates
            report.geometa_unused = geometa.unused
        report.renamed = self._new.renamed
        if report.added and self._appended():
            return
        if report.added or self._changes.rows:
            whole = self._new
            if self._old is not None:
                whole = self._new.prepend(self._old, place / "whole")
            whole.patch(self._changes, _ROW)
            table = whole.table()
            self._describe_source(table)
            write_items(self._folder, table, self._sources)

    def _appended(self) -> bool:
        """Append the new rows to a large catalogue without writing the others again."""
        if self._old is None or not is_large(self._old.num_rows) or self._changes.rows:
            return False
        self._describe_source(self._old, self.report.added)
        return append_items(self._folder, self._old, self._new.table(), self._sources)

    def _describe_source(self, table: "pa.Table", added: int = 0) -> None:
        """Store the location of the source, which distinguishes sources of the same name.

        Args:
            table: items of the catalogue.
            added: number of items of the source that are not in the table.
        """
        import pyarrow.compute as pc

        source = self._options.source
        count = pc.sum(pc.equal(table["source"], source)).as_py() + added
        if count:
            self._sources[source] = {
                "kind": self._opened.kind,
                "location": str(self._opened.location),
                "items": count,
                "root": str(self._folder),
            }


def _inspect(record: Record, check: bool) -> dict[str, Any] | Broken:
    if record.image is None:
        return {}
    try:
        return inspect(record.image, check)
    except SceneError as error:
        return Broken(record.image.label, str(error))
    except OSError as error:
        return Broken(record.image.label, f"cannot be read: {error.strerror or error}")


def _is_text(*names: str) -> bool:
    """Whether names can be stored: those of files that are no UTF-8 have lone surrogates."""
    return all(
        name.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in name)
        for name in names
    )
