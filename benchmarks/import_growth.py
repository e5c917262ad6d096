"""Cost of a small import and of a deletion, by the size of the catalogue they change.

    python benchmarks/import_growth.py --rows 10000 100000 1000000 --new 1000

Each catalogue of N rows gets N_NEW more by the import of a metadata table, and then loses ten by
their ids: by parts (`catalogue.parts`) and by writing the whole table (not with `--parts-only`).
CPU seconds are those of the process; bytes are what it wrote and read by system calls, without
memory-mapped reads.
"""

import argparse
import resource
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from terraseek.catalogue import Catalogue, import_source
from terraseek.catalogue.deletion import delete_items
from terraseek.catalogue.items import COLUMNS, FILE_COLUMNS
from terraseek.catalogue.items_file import write_items
from terraseek.catalogue.parts import append

if TYPE_CHECKING:
    import pyarrow as pa


def items_table(rows: int) -> pd.DataFrame:
    """Typed items with captions of 80 letters and five further columns, none with an image."""
    numbers = np.arange(rows)
    random = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "item_id": [f"{n:012x}" for n in numbers],
            "image": "",
            "caption": [
                f"an aerial photograph of field number {n:012} beside a road " for n in numbers
            ],
            "lon": random.uniform(-180, 180, rows),
            "lat": random.uniform(-80, 80, rows),
            "location_precision": "point",
            "captured_at": "2019-05-01",
            "gsd_m": 0.5,
            "source": "base",
            "label": "",
            "caption_source": "given",
            "img_name": [f"{n}.jpg" for n in numbers],
            "country": "Peru",
            "cloud": numbers % 100,
            "_file": "",
            "_offset": pd.array([None] * rows, "Int64"),
            "_size": pd.array([None] * rows, "Int64"),
        }
    )
    assert set(COLUMNS) | set(FILE_COLUMNS) <= set(frame)
    return frame.astype({name: "str" for name in frame if frame[name].dtype == object})


def large_table(rows: int, block: int = 500_000) -> "pa.Table":
    """The same items in Arrow, made block by block."""
    import pyarrow as pa

    made = items_table(min(rows, block))
    blocks = [numbered(made, at).iloc[: rows - at] for at in range(0, rows, block)]
    tables = [pa.Table.from_pandas(frame, preserve_index=False) for frame in blocks]
    return pa.concat_tables(tables).combine_chunks()


def numbered(frame: pd.DataFrame, first: int) -> pd.DataFrame:
    """The same rows with other ids and names."""
    numbers = range(first, first + len(frame))
    ids, names = [f"{n:012x}" for n in numbers], [f"{n}.jpg" for n in numbers]
    return frame.assign(item_id=ids, img_name=names).astype({"item_id": "str", "img_name": "str"})


def io_bytes() -> tuple[int, int]:
    """Bytes that this process has written and read so far by system calls."""
    lines = dict(
        line.split(": ") for line in Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    )
    return int(lines["wchar"]), int(lines["rchar"])


@contextmanager
def measured(title: str) -> Iterator[None]:
    """Print what the block costs."""
    wall, cpu, (written, read) = time.perf_counter(), time.process_time(), io_bytes()
    yield
    now = io_bytes()
    print(
        f"{title}: CPU {time.process_time() - cpu:.2f} s, wall {time.perf_counter() - wall:.2f} s, "
        f"written {(now[0] - written) / 1e6:.2f} MB, read {(now[1] - read) / 1e6:.2f} MB",
        flush=True,
    )


def compare(rows: int, new: int, base: Path, parts_only: bool) -> None:
    """Change catalogues of one size in both ways."""
    original = base / "original"
    write_items(original, large_table(rows), {"base": {"kind": "metadata", "location": "x"}})
    table = base / "new.csv"
    pd.DataFrame(
        {
            "img_name": [f"new{n}.jpg" for n in range(new)],
            "caption": [f"a new field number {n} beside a road" for n in range(new)],
            "country": "Fiji",
            "cloud": range(new),
        }
    ).to_csv(table, index=False)
    ways = {"parts": 1} if parts_only else {"parts": 1, "whole table": 10**12}
    for how, least in ways.items():
        append._MIN_ROWS = least
        folder = base / how
        shutil.copytree(original, folder)
        keys = Catalogue.open(folder).items_at(np.arange(10), ["item_id"])["item_id"].tolist()
        title = f"{rows:,} rows, {how}"
        with measured(f"{title}, import {new} rows"):
            import_source(table, folder, kind="metadata")
        with measured(f"{title}, delete 10 items"):
            delete_items(folder, keys)
        with measured(f"{title}, open and count"):
            print(Catalogue.open(folder).count, "items;", end=" ")
        shutil.rmtree(folder)


def main() -> None:
    """Measure catalogues of several sizes."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    parser.add_argument("--new", type=int, default=1000)
    parser.add_argument("--parts-only", action="store_true")
    options = parser.parse_args()
    for rows in options.rows:
        with tempfile.TemporaryDirectory() as folder:
            compare(rows, options.new, Path(folder), options.parts_only)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"peak memory {peak:.2f} GiB")


if __name__ == "__main__":
    main()
