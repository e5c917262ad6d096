"""Parquet tables of a corpus, written atomically; equal tables give equal bytes."""

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from terraseek.files import atomic_path

__all__ = ["write_table"]


def write_table(table: pa.Table, path: Path) -> None:
    """Write a table as Parquet; the same table gives the same bytes."""
    with atomic_path(path) as temporary:
        pq.write_table(table.combine_chunks(), temporary, compression="zstd")
