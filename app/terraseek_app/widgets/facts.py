"""Facts of an item in words: place, precision, date, ground sample distance."""

import html
import math
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

__all__ = ["coordinates", "facts", "facts_html", "is_known", "precision_words"]

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


def is_known(value: object) -> bool:
    """Whether a cell of the items table holds something."""
    if value is None or value is False:
        return False
    if isinstance(value, float) and math.isnan(value):
        return False
    return str(value) not in {"", "NaT", "nan", "None", "<NA>"}


def coordinates(lon: float | None, lat: float | None, digits: int = 4) -> str:
    """Degrees with hemispheres, latitude first as on paper maps; blank when unknown."""
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return ""
    north, east = ("N" if lat >= 0 else "S"), ("E" if lon >= 0 else "W")
    return f"{abs(lat):.{digits}f}° {north}, {abs(lon):.{digits}f}° {east}"


def precision_words(precision: str) -> str:
    """What a `location_precision` means."""
    return _PRECISION.get(precision, precision)


def facts(item: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(name, value) of everything worth reading about an item, the usual questions first."""
    rows: list[tuple[str, str]] = []
    where = coordinates(item.get("lon"), item.get("lat"), 5)
    if where:
        rows.append(("position", where))
    rows.append(("precision", precision_words(str(item.get("location_precision") or "none"))))
    names = [n for n in _FIRST if n in item]
    others = [n for n in item if n not in _FIRST and n not in _HIDDEN and not _is_variant(n)]
    names += sorted(others, key=lambda n: n in _LAST)  # stable: the rest keeps its order
    rows += [(_title(n), _text(n, item[n])) for n in names if is_known(item[n])]
    return rows


def facts_html(rows: list[tuple[str, str]]) -> str:
    """The facts as a definition list, escaped."""
    cells = "".join(
        f"<dt>{html.escape(name)}</dt><dd>{html.escape(value)}</dd>" for name, value in rows
    )
    return f'<dl class="ts-facts">{cells}</dl>'


def _is_variant(name: str) -> bool:
    return name.startswith(("caption_", "image_", "_"))


def _title(name: str) -> str:
    special = {"captured_at": "captured", "gsd_m": "resolution", "geometa_cap": "metadata"}
    return special.get(name, name.replace("_", " "))


def _text(name: str, value: object) -> str:
    if name == "gsd_m" and isinstance(value, int | float):
        return f"{value:g} m per pixel"
    if isinstance(value, datetime | date):
        return value.strftime("%d %B %Y").lstrip("0")
    if isinstance(value, float):
        return f"{value:g}"
    text = str(value)
    return text if len(text) <= 240 else text[:237] + "..."
