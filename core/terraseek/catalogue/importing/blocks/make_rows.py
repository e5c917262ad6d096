"""Rows of items of a block of records; runs in this process or in a worker."""

from collections.abc import Iterator
from itertools import islice
from typing import NamedTuple

from terraseek.catalogue.importing.blocks.joined_block import JoinedBlock
from terraseek.catalogue.importing.blocks.record_block import RecordBlock
from terraseek.catalogue.importing.item_row import RowOptions, item_row
from terraseek.catalogue.importing.report import ImportReport
from terraseek.catalogue.importing.writing.packed_rows import PackedRows, pack
from terraseek.catalogue.records import Record
from terraseek.parallel.engine import TaskEngine
from terraseek.parallel.ordered import results_in_order

__all__ = ["BATCH", "MadeRows", "RowTask", "make_rows", "rows_in_order"]

BATCH = 2048
"""Most records of a task."""
_FIRST_TASKS = 8
"""Tasks that are done before workers are started, which takes seconds."""


class RowTask(NamedTuple):
    """New records, and all that their rows are made of."""

    ids: list[str]
    """Id of the item of each record."""
    block: RecordBlock
    joined: JoinedBlock | None
    """Rows of metadata tables; None if none are joined."""
    options: RowOptions


class MadeRows(NamedTuple):
    """Rows of new items."""

    packed: PackedRows
    report: ImportReport
    """Counts of these rows."""


def make_rows(task: RowTask) -> MadeRows:
    """Make the rows of a task, in its order."""
    report, rows = ImportReport(), []
    found = [None] * len(task.ids) if task.joined is None else task.joined.rows()
    plain = task.block.plain_columns()
    for key, name, columns, joined in zip(task.ids, task.block.names, plain, found, strict=True):
        record = Record(name, None, columns)
        rows.append(item_row(key, record, joined, {}, task.options, report))
    if task.joined is not None:
        report.geometa_missing += found.count(None)
    report.count_rows(rows)
    return MadeRows(pack(rows), report)


def rows_in_order(tasks: Iterator[RowTask], engine: TaskEngine | None) -> Iterator[MadeRows]:
    """Make the rows of tasks, in their order.

    Args:
        tasks: new records.
        engine: whose workers make the rows of large sources; None uses this process.

    Raises:
        TaskError: a task fails in the workers.
    """
    yield from map(make_rows, islice(tasks, None if engine is None else _FIRST_TASKS))
    if engine is not None:
        yield from results_in_order(engine, make_rows, tasks)
