"""A shard in img2dataset's layout: `00000.tar`, `00000.parquet` and `00000_stats.json`.

https://github.com/rom1504/img2dataset: members `000000000.jpg`, `.txt` and `.json` per image that
was downloaded; the Parquet table has a row for every address, with status and error.
"""

import json
import tarfile
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa

from terraseek.catalogue.tars import add_member
from terraseek.files import atomic_path, write_json
from terraseek_train.corpus.tables import write_table

__all__ = ["Download", "Stored", "write_shard"]


@dataclass(frozen=True)
class Download:
    """Result of one address."""

    item: str
    url: str
    caption: str
    content: bytes | None
    """Encoded image; None if the download failed."""
    error: str = ""
    """Kind and cause of the failure."""
    width: int = 0
    height: int = 0
    sha256: str = ""


@dataclass(frozen=True)
class Stored:
    """Where a downloaded image is stored; the member is empty if the download failed."""

    error: str
    sha256: str
    member: str = ""
    offset: int = 0
    """Of its bytes in the tar."""
    size: int = -1
    """In bytes."""


def write_shard(folder: Path, number: int, downloads: Iterable[Download]) -> list[Stored]:
    """Write tar, table and statistics of a shard; one image is in memory at a time.

    The bytes of an image are stored as they came, with the suffix `.jpg` as img2dataset does.

    Args:
        folder: of the shards.
        number: of the shard.
        downloads: results in the order of the rows.
    """
    name, started = f"{number:05}", time.time()
    rows: list[dict[str, Any]] = []
    stored: list[Stored] = []
    with atomic_path(folder / f"{name}.tar") as part, tarfile.open(part, "w") as tar:
        for entry in downloads:
            key = f"{name}{len(rows):04}"
            rows.append(_row(key, entry))
            if entry.content is None:
                stored.append(Stored(entry.error, ""))
                continue
            place = (f"{key}.jpg", tar.offset + tarfile.BLOCKSIZE, len(entry.content))
            stored.append(Stored("", entry.sha256, *place))
            add_member(tar, f"{key}.jpg", entry.content)
            add_member(tar, f"{key}.txt", entry.caption.encode())
            add_member(tar, f"{key}.json", json.dumps(rows[-1], indent=4).encode())
    write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), folder / f"{name}.parquet")
    write_json(folder / f"{name}_stats.json", _stats(rows, started, time.time()))
    return stored


_SCHEMA = pa.schema(
    [
        ("url", pa.string()),
        ("caption", pa.string()),
        ("key", pa.string()),
        ("status", pa.string()),
        ("error_message", pa.string()),
        ("width", pa.int32()),
        ("height", pa.int32()),
        ("original_width", pa.int32()),
        ("original_height", pa.int32()),
        ("exif", pa.string()),
        ("sha256", pa.string()),
        ("item", pa.string()),
    ]
)


def _row(key: str, entry: Download) -> dict[str, Any]:
    failed = entry.content is None
    return {
        "url": entry.url,
        "caption": entry.caption,
        "key": key,
        "status": "failed_to_download" if failed else "success",
        "error_message": entry.error or None,
        "width": entry.width or None,
        "height": entry.height or None,
        "original_width": entry.width or None,
        "original_height": entry.height or None,
        "exif": None,
        "sha256": entry.sha256 or None,
        "item": entry.item,
    }


def _stats(rows: list[dict[str, Any]], started: float, ended: float) -> dict[str, Any]:
    good = sum(row["status"] == "success" for row in rows)
    return {
        "count": len(rows),
        "successes": good,
        "failed_to_download": len(rows) - good,
        "failed_to_resize": 0,
        "duration": ended - started,
        "start_time": started,
        "end_time": ended,
        "status_dict": dict(Counter(row["error_message"] or "success" for row in rows)),
    }
