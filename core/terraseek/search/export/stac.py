"""Export of hits as a STAC item collection (https://github.com/radiantearth/stac-spec, 1.0.0)."""

import calendar
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from terraseek.catalogue import Catalogue
from terraseek.search.hits import Hit

__all__ = ["stac_items"]

_VERSION = "1.0.0"
_EARLIEST = "1900-01-01T00:00:00Z"
"""Start of the interval of an item without a date; STAC requires one."""
_MEDIA = {
    ".jpg": "image/jpeg",
    ".jpeg": "image/jpeg",
    ".png": "image/png",
    ".webp": "image/webp",
    ".tif": "image/tiff; application=geotiff",
    ".tiff": "image/tiff; application=geotiff",
    ".jp2": "image/jp2",
}


def stac_items(hits: Sequence[Hit], catalogue: Catalogue) -> dict[str, Any]:
    """Convert hits to a FeatureCollection of STAC items, best first.

    An item dated to a month or year has an interval; one without a date has the interval from 1900
    to now, and `terraseek:dated` false. The asset's `href` is the catalogue's reference to the
    image (`shard.tar#member` inside a tar).
    """
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "type": "FeatureCollection",
        "features": [_item(hit, catalogue.item(hit.item_id), now) for hit in hits],
    }


def _item(hit: Hit, item: dict[str, Any], now: str) -> dict[str, Any]:
    located = hit.lon is not None and hit.lat is not None
    place = [hit.lon, hit.lat]
    found: dict[str, Any] = {
        "type": "Feature",
        "stac_version": _VERSION,
        "stac_extensions": [],
        "id": hit.item_id,
        "geometry": {"type": "Point", "coordinates": place} if located else None,
        "properties": _properties(hit, item, now),
        "links": [],
        "assets": {"image": {"href": hit.image, "roles": ["data"], **_media(hit.image)}},
    }
    if located:
        found["bbox"] = [*place, *place]
    return found


def _properties(hit: Hit, item: dict[str, Any], now: str) -> dict[str, Any]:
    text = str(item.get("captured_at") or "")
    values: dict[str, Any] = {
        **_datetime_fields(text, now),
        "description": hit.caption or "no caption",
        "terraseek:dated": bool(text),
        "terraseek:rank": hit.rank,
        "terraseek:score": hit.score,
        "terraseek:source": hit.source,
        "terraseek:label": hit.label,
        "terraseek:location_precision": hit.location_precision,
    }
    gsd = item.get("gsd_m")
    return values if gsd is None else values | {"gsd": gsd}


def _datetime_fields(text: str, now: str) -> dict[str, Any]:
    """`datetime` if the day is known, otherwise the interval."""
    parts = text[:10].split("-")
    if len(parts) == 3:
        time = text[11:19]
        return {"datetime": f"{text[:10]}T{time if len(time) == 8 else '00:00:00'}Z"}
    if not parts[0].isdigit():
        return {"datetime": None, "start_datetime": _EARLIEST, "end_datetime": now}
    year = int(parts[0])
    first, last = (int(parts[1]),) * 2 if len(parts) == 2 else (1, 12)
    days = calendar.monthrange(year, last)[1]
    return {
        "datetime": None,
        "start_datetime": f"{year:04d}-{first:02d}-01T00:00:00Z",
        "end_datetime": f"{year:04d}-{last:02d}-{days}T23:59:59Z",
    }


def _media(reference: str) -> dict[str, str]:
    ending = f".{reference.rsplit('.', 1)[-1].lower()}"
    return {"type": _MEDIA[ending]} if ending in _MEDIA else {}
