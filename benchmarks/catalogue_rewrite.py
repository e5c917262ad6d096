"""Memory and time of changes that write the whole items table: outliers, duplicates, compact.

    python benchmarks/catalogue_rewrite.py --rows 1000000

Each change runs in a process of its own on a copy of one catalogue without images, a tenth of which
is in parts: as TerraSeek does it, and by a pandas frame of all rows, as it was done before. Memory
is that of the process alone, without mapped files, above what it had after opening the catalogue.
"""

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from import_growth import items_table, large_table, numbered
from metadata_import import OwnMemory

from terraseek.catalogue import Catalogue
from terraseek.catalogue.deletion import delete_items
from terraseek.catalogue.importing.writing.rewrite import replace_column, text_of_rows
from terraseek.catalogue.items import DELETED
from terraseek.catalogue.items_file import open_items, read_items, read_sources, write_items
from terraseek.catalogue.outliers import mark_outliers
from terraseek.catalogue.parts.append import append_items
from terraseek.embeddings.compact import compact_catalogue

CHANGES = ("outliers", "duplicates", "compact")


def make_catalogue(folder: Path, rows: int) -> None:
    """Write a catalogue whose last tenth is a part; one row in a hundred is deleted."""
    import pyarrow as pa

    sources = {"base": {"kind": "metadata", "location": "x"}}
    first = rows - rows // 10
    write_items(folder, large_table(first), sources)
    added = pa.Table.from_pandas(numbered(items_table(rows // 10), first), preserve_index=False)
    append_items(folder, open_items(folder)[0], added, sources)
    keys = Catalogue.open(folder).item_ids[::100]
    delete_items(folder, [key.decode() for key in keys])


def change(folder: Path, what: str, by_frame: bool) -> None:
    """Change a catalogue in one of both ways."""
    count = Catalogue.open(folder).row_count
    rows = np.arange(0, count, 50)
    if by_frame:
        frame = read_items(folder)
        if what == "compact":
            frame = frame[frame[DELETED] == 0].drop(columns=DELETED).reset_index(drop=True)
        elif what == "outliers":
            names = {f"{n}.jpg" for n in rows}
            frame["outlier"] = np.where(frame["img_name"].isin(names), 1.0, np.nan)
            frame["outlier"] = frame["outlier"].astype("Int64")
        else:
            frame.insert(list(frame.columns).index("_file"), "duplicate_of", "")
            frame.loc[rows, "duplicate_of"] = frame["item_id"].to_numpy()[rows // 2]
        write_items(folder, frame, read_sources(folder))
    elif what == "compact":
        compact_catalogue(folder)
    elif what == "outliers":
        mark_outliers(folder, [f"{n}.jpg" for n in rows])
    else:  # what `terraseek duplicates` does when it has found them
        ids = Catalogue.open(folder).item_ids
        replace_column(folder, "duplicate_of", text_of_rows(ids, rows, rows // 2))


def measure(folder: Path, what: str, by_frame: bool) -> dict[str, float]:
    """Change a catalogue in this process, and measure it."""
    import pyarrow.parquet  # noqa: F401 - loaded before the clock starts

    Catalogue.open(folder)
    with OwnMemory() as before:
        time.sleep(0.2)
    started, cpu = time.perf_counter(), time.process_time()
    with OwnMemory() as own:
        change(folder, what, by_frame)
    return {
        "seconds": time.perf_counter() - started,
        "cpu_seconds": time.process_time() - cpu,
        "own_peak_mb": (own.peak - before.peak) / 2**20,
    }


def main() -> None:
    """Measure all changes in both ways."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--changes", nargs="+", choices=CHANGES, default=CHANGES)
    parser.add_argument("--no-frame", action="store_true", help="measure TerraSeek's way only")
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--frame", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.folder:
        print(json.dumps(measure(options.folder, options.changes[0], options.frame)))
        return
    with tempfile.TemporaryDirectory() as base:
        original = Path(base) / "original"
        make_catalogue(original, options.rows)
        for what in options.changes:
            for by_frame in (False,) if options.no_frame else (False, True):
                folder = Path(base) / "changed"
                shutil.copytree(original, folder)
                command = [sys.executable, __file__, "--folder", str(folder), "--changes", what]
                command += ["--frame"] * by_frame
                done = subprocess.run(command, check=True, capture_output=True, text=True)
                found = json.loads(done.stdout)
                print(
                    f"{options.rows:,} rows, {what}, {'frame' if by_frame else 'streamed'}: "
                    f"CPU {found['cpu_seconds']:.1f} s, {found['seconds']:.1f} s, own memory "
                    f"{found['own_peak_mb']:.0f} MB, "
                    f"{found['own_peak_mb'] * 2**20 / options.rows:.0f} bytes per row",
                    flush=True,
                )
                shutil.rmtree(folder)


if __name__ == "__main__":
    main()
