"""Metadata of an item as text: position, location precision, date, ground sample distance."""

import html
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["coordinates", "has_value", "metadata_html", "metadata_rows", "precision_text"]

_PRECISION = {
    "exact": "exact footprint or centre",
    "point": "a point near the picture",
    "utm_zone": "only the UTM zone is known",
    "place_name": "from a place name, may be far off",
    "none": "unknown",
}
_FIRST = ("place", "label", "source", "captured_at", "gsd_m", "country")
_LAST = ("geometa_cap", "month", "utm", "split", "img_name", "width", "height")
_HIDDEN = {
    "item_id", "image", "caption", "lon", "lat", "location_precision", "geometry", "footprint",
    "bbox", "offset", "size", "row", "polygons", "rank", "score", "filename", "image_offset",
    "image_size",
}  # fmt: skip
_TITLES = {"captured_at": "captured", "gsd_m": "resolution", "geometa_cap": "metadata"}
_MAX_LENGTH = 240
"""Characters of a value that are shown."""


def has_value(value: object) -> bool:
    """Whether a cell of the items table holds a value."""
    if value is None or value is False:
        return False
    if isinstance(value, float) and math.isnan(value):
        return False
    return str(value) not in {"", "NaT", "nan", "None", "<NA>"}


def coordinates(lon: float | None, lat: float | None, digits: int = 4) -> str:
    """Degrees with hemispheres, latitude first, such as `48.8600° N, 2.3500° E`; blank if unknown.

    Args:
        lon: degrees.
        lat: degrees.
        digits: decimals.
    """
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return ""
    north, east = ("N" if lat >= 0 else "S"), ("E" if lon >= 0 else "W")
    return f"{abs(lat):.{digits}f}° {north}, {abs(lon):.{digits}f}° {east}"


def precision_text(precision: str) -> str:
    """Explanation of a `location_precision`."""
    return _PRECISION.get(precision, precision)


def metadata_rows(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of all known metadata of an item, the most useful first.

    Args:
        item: row of the items table.
    """
    rows: list[tuple[str, str]] = []
    position = coordinates(item.get("lon"), item.get("lat"), 5)
    if position:
        rows.append(("position", position))
    rows.append(("precision", precision_text(str(item.get("location_precision") or "none"))))
    names = [name for name in _FIRST if name in item]
    others = [name for name in item if name not in _FIRST and _is_shown(name)]
    names += sorted(others, key=lambda name: name in _LAST)  # stable: keeps the table's order
    rows += [(_title(name), _text(name, item[name])) for name in names if has_value(item[name])]
    return rows


def metadata_html(rows: list[tuple[str, str]]) -> str:
    """Rows of metadata as an HTML definition list, escaped."""
    entries = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows
    )
    return f'<dl class="ts-facts">{entries}</dl>'


def _is_shown(name: str) -> bool:
    # further captions and internal columns are not shown
    return name not in _HIDDEN and not name.startswith(("caption_", "image_", "_"))


def _title(name: str) -> str:
    return _TITLES.get(name, name.replace("_", " "))


def _text(name: str, value: object) -> str:
    if name == "gsd_m" and isinstance(value, int | float):
        return f"{value:g} m per pixel"
    if isinstance(value, datetime | date):
        return value.strftime("%d %B %Y").lstrip("0")
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return text if len(text) <= _MAX_LENGTH else f"{text[: _MAX_LENGTH - 3]}..."
