"""Images inside Parquet files: Hugging Face's column `{bytes, path}`, or a column of bytes.

A Parquet file has no byte range for each image, because its pages are compressed. An image is read
with its row group, and the last groups are kept, so that reading rows in order is fast.
"""

import threading
from bisect import bisect_right
from collections import OrderedDict
from functools import lru_cache
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from terraseek.decoding import guarded
from terraseek.errors import SceneTooLargeError, SourceError, TruncatedImageError

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

__all__ = [
    "HEAD_BYTES",
    "MAX_GROUP_BYTES",
    "PARQUET_SUFFIXES",
    "image_columns",
    "image_suffix",
    "read_embedded",
    "row_group_images",
]

PARQUET_SUFFIXES = frozenset({".parquet", ".geoparquet"})
MAX_GROUP_BYTES = 1 << 30
"""Largest row group of images, decompressed, in bytes: one image is read with its whole group."""
_CACHE_BYTES = 1 << 29
_USUAL_NAMES = ("image", "img", "images", "picture", "photo", "jpg", "png", "tif", "visual", "rgb")
_SECOND_CHOICE = ("thumbnail", "preview")
_MAGIC = {
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG\r\n\x1a\n": ".png",
    b"GIF8": ".gif",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"II+\0": ".tif",
    b"MM\0+": ".tif",
    b"\0\0\0\x0cjP": ".jp2",
    b"BM": ".bmp",
}
HEAD_BYTES = 12
"""Bytes from which `image_suffix` recognises a format."""


def image_suffix(head: bytes) -> str:
    """File name suffix of an image by its first bytes; empty if they are of no known format."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ".webp"
    return next((suffix for start, suffix in _MAGIC.items() if head.startswith(start)), "")


def image_columns(path: Path) -> list[str]:
    """Names of the columns with images of a Parquet file, best first.

    These are structs with a field `bytes`, and columns of bytes whose first value is an image.

    Raises:
        SourceError: the file is not Parquet.
    """
    with guarded(path.name):
        return list(_opened(path).columns)


class _Opened(NamedTuple):
    """What is known of an open file before any image is read."""

    columns: tuple[str, ...]
    ends: tuple[int, ...]
    """Row after the last one of each row group."""


def row_group_images(path: Path, group: int, column: str) -> "pa.DictionaryArray":
    """Images of a row group, null where a row has none.

    The array has a dictionary, because a small file may repeat one large image in thousands of
    rows, which would not fit into memory as copies.

    Raises:
        SourceError: the group is too large, or in an encoding that can hide its size.
        ArrowException, OSError: the file is damaged.
    """
    import pyarrow as pa

    with _open(path, column) as file:
        _check_group(file, path, group, column)
        leaf = _leaf(file.schema_arrow, column)
        table = file.read_row_group(group, columns=[leaf])
    array = table.column(0).combine_chunks()
    if isinstance(array, pa.ChunkedArray):  # more than 2 GiB, which the limit excludes
        raise SourceError(f"{path.name} has too many images in row group {group}")
    if pa.types.is_struct(array.type):
        array = array.flatten()[0]  # with the nulls of the struct
    if not pa.types.is_dictionary(array.type):
        array = array.dictionary_encode()
    return array


def read_embedded(path: Path, row: int) -> bytes:
    """Encoded bytes of the image of a row, in the best of `image_columns`.

    Raises:
        TruncatedImageError: the row has no image any more; the file was replaced.
        SceneError: the file is damaged.
        FileNotFoundError: the file is missing.
    """
    with guarded(f"{path.name} row {row}"):
        opened = _opened(path)
        if not opened.columns or not 0 <= row < opened.ends[-1]:
            raise _replaced(path, row)
        group = bisect_right(opened.ends, row)
        try:
            images = _CACHE.get(path, group, opened.columns[0])
        except SourceError as error:  # the file was replaced since the import, which refuses it
            raise SceneTooLargeError(str(error)) from error
        first = opened.ends[group - 1] if group else 0
        value = images[row - first].as_py()
        if not value:
            raise _replaced(path, row)
        return bytes(value)


def _replaced(path: Path, row: int) -> TruncatedImageError:
    return TruncatedImageError(
        f"{path.name} has no image in row {row}; was it replaced? Import it again"
    )


class _GroupCache:
    """The row groups read last, up to a number of bytes; at least one."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._groups: OrderedDict[tuple[object, ...], pa.DictionaryArray] = OrderedDict()

    def get(self, path: Path, group: int, column: str) -> "pa.DictionaryArray":
        status = path.stat()
        key = (path, status.st_mtime_ns, status.st_size, group, column)
        with self._lock:  # several threads want the same group, which is read once
            if key in self._groups:
                self._groups.move_to_end(key)
                return self._groups[key]
            found = row_group_images(path, group, column)
            self._groups[key] = found
            while len(self._groups) > 1 and self._bytes() > _CACHE_BYTES:
                self._groups.popitem(last=False)
            return found

    def _bytes(self) -> int:
        return sum(array.dictionary.nbytes for array in self._groups.values())


_CACHE = _GroupCache()


def _opened(path: Path) -> _Opened:
    status = path.stat()
    return _opened_state(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=256)
def _opened_state(path: Path, modified_ns: int, size: int) -> _Opened:
    """Columns and row groups of a file, cached for its state."""
    with _open(path) as file:
        metadata = file.metadata
        counts = [metadata.row_group(n).num_rows for n in range(metadata.num_row_groups)]
        names = [name for name in _ranked(file.schema_arrow) if _has_images(path, file, name)]
    return _Opened(tuple(names), tuple(accumulate(counts)))


def _open(path: Path, column: str | None = None) -> "pq.ParquetFile":
    import pyarrow.parquet as pq

    if column is None:
        return pq.ParquetFile(path)
    with pq.ParquetFile(path) as file:
        leaf = _leaf(file.schema_arrow, column)
    return pq.ParquetFile(path, read_dictionary=[leaf])


def _ranked(schema: "pa.Schema") -> list[str]:
    """Names of columns that may contain images, those with a usual name first."""
    import pyarrow as pa

    def is_bytes(kind: "pa.DataType") -> bool:
        return bool(pa.types.is_binary(kind) or pa.types.is_large_binary(kind))

    def holds_bytes(kind: "pa.DataType") -> bool:
        index = kind.get_field_index("bytes") if pa.types.is_struct(kind) else -1
        return is_bytes(kind) or (index >= 0 and is_bytes(kind.field(index).type))

    names = [field.name for field in schema if holds_bytes(field.type)]
    usual = (*_USUAL_NAMES, *_SECOND_CHOICE)
    rank = {name: number for number, name in enumerate(usual)}
    return sorted(names, key=lambda name: rank.get(name.lower(), len(usual)))


def _has_images(path: Path, file: "pq.ParquetFile", column: str) -> bool:
    """Whether a column is Hugging Face's struct, or its first value is an image."""
    import pyarrow as pa

    if pa.types.is_struct(file.schema_arrow.field(column).type):
        return True
    if file.metadata.num_row_groups == 0:
        return False
    try:
        images = row_group_images(path, 0, column)
    except SourceError:
        return False
    values = (images.dictionary[n].as_py() for n in range(len(images.dictionary)))
    return bool(image_suffix(next(values, b"")[:HEAD_BYTES]))


def _leaf(schema: "pa.Schema", column: str) -> str:
    import pyarrow as pa

    return f"{column}.bytes" if pa.types.is_struct(schema.field(column).type) else column


def _check_group(file: "pq.ParquetFile", path: Path, group: int, column: str) -> None:
    leaf = _leaf(file.schema_arrow, column)
    described = file.metadata.row_group(group)
    for number in range(described.num_columns):
        chunk = described.column(number)
        if chunk.path_in_schema != leaf:
            continue
        if chunk.total_uncompressed_size > MAX_GROUP_BYTES:
            raise SourceError(
                f"{path.name} has {chunk.total_uncompressed_size / 1e6:,.0f} MB of images in one "
                f"row group, the limit is {MAX_GROUP_BYTES / 1e6:,.0f} MB; write it again with "
                "smaller row groups, for example row_group_size=100"
            )
        if "DELTA_BYTE_ARRAY" in chunk.encodings:
            raise SourceError(
                f"{path.name} stores its images as differences (DELTA_BYTE_ARRAY), which can hide "
                "gigabytes; write it again in the encoding PLAIN"
            )
