"""The row of an item: what its source, a metadata table, its caption and its image file state."""

from typing import Any

from terraseek.catalogue.importing.columns.cells import cell_text, plain_columns, plain_value
from terraseek.catalogue.importing.columns.geometry_column import (
    GEOMETRY_LOCATION,
    GEOMETRY_NAMES,
    UNREAD_GEOMETRY,
)
from terraseek.catalogue.importing.geometa import LOCATION_COLUMNS, Geometa
from terraseek.catalogue.importing.inspection import UNPLACED
from terraseek.catalogue.importing.report import ImportReport
from terraseek.catalogue.importing.tables import column_renames
from terraseek.catalogue.metadata.caption_facts import add_caption_facts
from terraseek.catalogue.metadata.dates import iso_date, parse_month
from terraseek.catalogue.metadata.label_captions import compose_caption
from terraseek.catalogue.metadata.location import locate, parse_degrees
from terraseek.catalogue.metadata.outline import location_columns, parse_geometry
from terraseek.catalogue.records import LocationPrecision, Record

__all__ = ["image_label", "item_row", "table_names"]


def item_row(
    item_id: str,
    record: Record,
    inspected: dict[str, Any],
    source: str,
    geometa: Geometa | None,
    precision: LocationPrecision | None,
    report: ImportReport,
) -> dict[str, Any]:
    """Make the row of an item in the items table.

    Of several values for a column, that of the record is used first, then that of the metadata
    table, the image file and the caption. A location from a raster file is exact, one from the EXIF
    of a photograph is the point of the camera.

    Args:
        item_id: id of the item.
        record: what the reader yields.
        inspected: columns from the image file, see `inspect`.
        source: name of the source.
        geometa: metadata table to join.
        precision: location precision given by the user.
        report: counts invalid coordinates and missing metadata rows.
    """
    columns = _join_geometa(record, geometa, report)
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
    return columns | {
        "item_id": item_id,
        "image": image_label(record),
        "caption": caption,
        "caption_source": origin,
        "lon": location.lon,
        "lat": location.lat,
        "location_precision": location.precision,
        "captured_at": _date(columns, report),
        "source": source,
        "label": cell_text(columns.get("label")),
        "_file": "" if ref is None else str(ref.file),
        "_offset": 0 if ref is None else ref.offset,
        "_size": -1 if ref is None else ref.size,
    }


def _join_geometa(record: Record, geometa: Geometa | None, report: ImportReport) -> dict[str, Any]:
    # the JSON of a webdataset may use column aliases, too
    own = plain_columns(record.columns)
    renames = column_renames(tuple(own))
    columns = {renames.get(name, name): value for name, value in own.items()}
    if geometa is None:
        return columns
    row = geometa.find(*table_names(record))
    if row is None:
        report.geometa_missing += 1
        return columns
    if parse_degrees(columns.get("lon")) is not None:  # its own place, with its own precision
        row = {name: value for name, value in row.items() if name not in LOCATION_COLUMNS}
    return row | columns


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
