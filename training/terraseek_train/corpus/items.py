"""Items of a corpus as Arrow tables: one row per image and caption, the same columns everywhere.

Image bytes stay in their files; a row has the file, offset and length, as a catalogue's item has.
Stages add columns of their own; these are the ones that every item has.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from jaxtyping import UInt8

from terraseek.catalogue.images import read_bytes, read_image
from terraseek.catalogue.records import ImageRef

__all__ = [
    "SCHEMA",
    "image_ref",
    "image_refs",
    "item_table",
    "read_encoded",
    "read_pixels",
    "set_column",
    "texts",
]

SCHEMA = pa.schema(
    [
        ("item", pa.string()),  # `source/key`, unique in a corpus
        ("source", pa.string()),
        ("caption", pa.string()),
        ("caption_source", pa.string()),  # source, label, metadata or captioner
        ("url", pa.string()),
        ("label", pa.string()),
        ("image_file", pa.string()),  # empty for an item without an image
        ("image_offset", pa.int64()),  # bytes
        ("image_size", pa.int64()),  # bytes; -1 for the whole file
        ("image_member", pa.string()),  # name in the tar, empty for a loose file
        ("lon", pa.float64()),  # degrees east, EPSG:4326
        ("lat", pa.float64()),  # degrees north
        ("captured_at", pa.string()),  # ISO 8601
        ("country", pa.string()),
        ("place", pa.string()),
        ("utm", pa.string()),
        ("utm_kind", pa.string()),  # latitude_band or hemisphere
        ("location_precision", pa.string()),
        ("extra", pa.string()),  # further columns of the source, as a JSON object
    ]
)
"""Columns of every item; texts are empty, and coordinates null, where nothing is known."""


def item_table(rows: Iterable[Mapping[str, Any]]) -> pa.Table:
    """Make a table of rows; columns that a row lacks are empty, unknown keys go to `extra`."""
    return pa.Table.from_pylist([_row(row) for row in rows], schema=SCHEMA)


def _row(row: Mapping[str, Any]) -> dict[str, Any]:
    known = {name: row.get(name) for name in SCHEMA.names if name != "extra"}
    for field in SCHEMA:
        if field.type == pa.string() and field.name != "extra":
            value = known[field.name]
            known[field.name] = "" if value is None else str(value)
    known["image_offset"] = row.get("image_offset") or 0
    known["image_size"] = -1 if row.get("image_size") is None else row["image_size"]
    more = {key: value for key, value in row.items() if key not in SCHEMA.names}
    more |= json.loads(row.get("extra") or "{}")
    known["extra"] = json.dumps(more, sort_keys=True, default=str) if more else ""
    return known


def image_ref(row: Mapping[str, Any]) -> ImageRef | None:
    """Location of the image of a row; None for an item without an image."""
    if not row["image_file"]:
        return None
    return ImageRef(
        Path(row["image_file"]), row["image_offset"], row["image_size"], row["image_member"]
    )


def image_refs(items: pa.Table) -> list[ImageRef | None]:
    """Locations of the images of a table, in order."""
    columns = ("image_file", "image_offset", "image_size", "image_member")
    return [image_ref(row) for row in items.select(columns).to_pylist()]


def read_pixels(
    ref: ImageRef | None, max_side: int | None = None
) -> UInt8[np.ndarray, "height width 3"]:
    """Decode an image to RGB.

    Raises:
        SceneError: it cannot be decoded.
        FileNotFoundError: there is no image, or its file is missing.
    """
    if ref is None:
        raise FileNotFoundError("the item has no image; run the stage download first")
    return read_image(ref, max_side)


def read_encoded(ref: ImageRef | None) -> bytes:
    """Read the encoded bytes of an image.

    Raises:
        SceneError: its file has become shorter.
        FileNotFoundError: there is no image, or its file is missing.
    """
    if ref is None:
        raise FileNotFoundError("the item has no image; run the stage download first")
    return read_bytes(ref)


def texts(items: pa.Table, column: str) -> list[str]:
    """Texts of a column, null as empty text."""
    return [value or "" for value in items.column(column).to_pylist()]


def set_column(items: pa.Table, name: str, values: Any) -> pa.Table:  # noqa: ANN401 - or array
    """Replace a column, keeping its type and place, or append a new one."""
    if name in items.column_names:
        place = items.column_names.index(name)
        kind = items.schema.field(name).type
        if isinstance(values, (pa.Array, pa.ChunkedArray)):
            array = values.cast(kind)
        else:
            array = pa.array(values, kind)
        return items.set_column(place, name, array)
    array = values if isinstance(values, (pa.Array, pa.ChunkedArray)) else pa.array(values)
    return items.append_column(name, array)
