"""The row of an item: what its source, a metadata table, its caption and its image file state."""

from pathlib import Path
from typing import Any, NamedTuple

from terraseek.catalogue.importing.blocks.joined_block import LOCATION_COLUMNS
from terraseek.catalogue.importing.columns.cells import cell_text, plain_value
from terraseek.catalogue.importing.columns.geometry_column import (
    GEOMETRY_LOCATION,
    GEOMETRY_NAMES,
    UNREAD_GEOMETRY,
)
from terraseek.catalogue.importing.inspection import UNPLACED
from terraseek.catalogue.importing.lookup import is_inside
from terraseek.catalogue.importing.report import ImportReport
from terraseek.catalogue.importing.tables import column_renames
from terraseek.catalogue.metadata.caption_facts import add_caption_facts
from terraseek.catalogue.metadata.dates import iso_date, parse_month
from terraseek.catalogue.metadata.label_captions import compose_caption
from terraseek.catalogue.metadata.location import locate, parse_degrees
from terraseek.catalogue.metadata.outline import location_columns, parse_geometry
from terraseek.catalogue.records import LocationPrecision, Record

__all__ = ["RowOptions", "image_label", "item_row", "table_names"]


class RowOptions(NamedTuple):
    """What the rows of an import have in common."""

    source: str
    """Name of the source."""
    precision: LocationPrecision | None
    """Location precision given by the user."""
    folder: Path
    """Folder of the source, in which the files of its vectors are."""


def item_row(
    item_id: str,
    record: Record,
    joined: dict[str, Any] | None,
    inspected: dict[str, Any],
    options: RowOptions,
    report: ImportReport,
) -> dict[str, Any]:
    """Make the row of an item in the items table.

    Of several values for a column, that of the record is used first, then that of the metadata
    table, the image file and the caption. A location from a raster file is exact, one from the EXIF
    of a photograph is the point of the camera.

    Args:
        item_id: id of the item.
        record: what the reader yields, with plain columns.
        joined: columns of the metadata tables for its image; None without any.
        inspected: columns from the image file, see `inspect`.
        options: source, and what the user gave for all of its items.
        report: counts invalid coordinates and what is not used.
    """
    precision = options.precision
    columns = _joined_columns(record, joined)
    _place_by_geometry(columns, report)
    _read_month(columns, report)
    inspected = dict(inspected)
    from_file = inspected.pop("location_precision", None)
    unplaced = inspected.pop(UNPLACED, None)
    if parse_degrees(columns.get("lon")) is None and "lon" in inspected:
        columns |= {"lon": inspected["lon"], "lat": inspected["lat"]}
        precision = from_file
    elif unplaced and parse_degrees(columns.get("lon")) is None:
        report.unused[unplaced] = report.unused.get(unplaced, 0) + 1
    columns = {**inspected, **{k: v for k, v in columns.items() if v is not None and v != ""}}
    columns = add_caption_facts(columns)
    location = locate(columns, precision)
    report.bad_coordinates += location.rejected
    caption, origin = compose_caption(columns)
    ref = record.image
    _find_vector_file(columns, options.folder, report)
    return columns | {
        "item_id": item_id,
        "image": image_label(record),
        "caption": caption,
        "caption_source": origin,
        "lon": location.lon,
        "lat": location.lat,
        "location_precision": location.precision,
        "captured_at": _date(columns, report),
        "source": options.source,
        "label": cell_text(columns.get("label")),
        "_file": "" if ref is None else str(ref.file),
        "_offset": 0 if ref is None else ref.offset,
        "_size": -1 if ref is None else ref.size,
    }


def _joined_columns(record: Record, joined: dict[str, Any] | None) -> dict[str, Any]:
    # the JSON of a webdataset may use column aliases, too
    renames = column_renames(tuple(record.columns))
    columns = {renames.get(name, name): value for name, value in record.columns.items()}
    if joined is None:
        return columns
    if parse_degrees(columns.get("lon")) is not None:  # its own place, with its own precision
        joined = {name: value for name, value in joined.items() if name not in LOCATION_COLUMNS}
    return joined | columns


def _find_vector_file(columns: dict[str, Any], folder: Path, report: ImportReport) -> None:
    """Make the path of a file of vectors absolute; one outside of the source is not used."""
    file = columns.get("vector_file")
    if not file:
        return
    path = folder / str(file)
    if is_inside(path, folder):
        columns["vector_file"] = str(path)
    else:
        reason = "vector files outside of the source"
        report.unused[reason] = report.unused.get(reason, 0) + 1
        del columns["vector_file"]


def _read_month(columns: dict[str, Any], report: ImportReport) -> None:
    """Replace the month, which RS5M's tables write as a name, by its number."""
    if columns.get("month") is None:
        return
    month = parse_month(columns.pop("month"))
    if month is None:
        reason = "month that is neither a number nor a name"
        report.unused[reason] = report.unused.get(reason, 0) + 1
    else:
        columns["month"] = month


def _date(columns: dict[str, Any], report: ImportReport) -> str:
    value = columns.get("captured_at")
    date = iso_date(value)
    if not date and cell_text(value):
        reason = "a date that cannot be read; write it as 2024-12-31"
        report.unused[reason] = report.unused.get(reason, 0) + 1
    return date


def _place_by_geometry(columns: dict[str, Any], report: ImportReport) -> None:
    """Use the geometry of a row if it states no coordinates, and remove it from the columns.

    The catalogue writes its own column `geometry`.
    """
    located = columns.pop(GEOMETRY_LOCATION, None)
    unread = located == UNREAD_GEOMETRY
    located = None if unread else located
    names = [name for name in columns if name.lower() in GEOMETRY_NAMES]
    for name in names:
        value = columns.pop(name)
        geometry = parse_geometry(value)
        if located is None and geometry is not None:
            located = location_columns(geometry)
    stated = parse_degrees(columns.get("lon")) is not None
    if located and not stated:
        columns.update(located)
    elif (names or unread) and not located and not stated:
        reason = "geometry that is no WKT, WKB or GeoJSON"
        report.unused[reason] = report.unused.get(reason, 0) + 1


def table_names(record: Record) -> tuple[str, ...]:
    """Names that a metadata table may use for an image."""
    member = "" if record.image is None else record.image.member
    return (str(plain_value(record.columns.get("img_name")) or ""), record.key, member)


def image_label(record: Record) -> str:
    """Image name shown to users: `shard.tar#member`, or the path of a file in its source."""
    return record.image.label if record.image and record.image.member else record.key
