"""Location of a STAC item that states it only in its own CRS (projection extension 1 and 2)."""

import json
import math
from typing import Any

from terraseek.catalogue.metadata.outline import parse_geometry, wrap
from terraseek.geo import file_named_by_crs

__all__ = ["projected_location"]


def projected_location(properties: dict[str, Any]) -> dict[str, Any]:
    """Columns `lon` and `lat` of `proj:centroid`, `proj:geometry`, `proj:bbox` or the grid.

    Empty if none of them is given, or without a CRS (`proj:code`, `proj:epsg`, `proj:wkt2` or
    `proj:projjson`).
    """
    centroid = properties.get("proj:centroid")
    if isinstance(centroid, dict):
        lon, lat = centroid.get("lon"), centroid.get("lat")
        if isinstance(lon, (int, float)) and isinstance(lat, (int, float)):
            return {"lon": wrap(float(lon)), "lat": float(lat)}
    centre = _centre(properties)
    return {} if centre is None else _to_lonlat(properties, *centre)


def _centre(properties: dict[str, Any]) -> tuple[float, float] | None:
    """Centre of the image in its own CRS."""
    geometry = parse_geometry(properties.get("proj:geometry"))
    if geometry is not None:
        west, south, east, north = geometry.bounds
        return (west + east) / 2, (south + north) / 2
    try:
        bbox = properties.get("proj:bbox")
        if isinstance(bbox, list) and len(bbox) in (4, 6):
            values = [float(value) for value in bbox]
            middle = len(values) // 2
            return (values[0] + values[middle]) / 2, (values[1] + values[middle + 1]) / 2
        height, width = map(float, properties["proj:shape"])
        a, b, c, d, e, f = map(float, properties["proj:transform"][:6])
    except (KeyError, TypeError, ValueError):
        return None
    col, row = width / 2, height / 2
    return a * col + b * row + c, d * col + e * row + f


def _to_lonlat(properties: dict[str, Any], x: float, y: float) -> dict[str, Any]:
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    for key in ("proj:code", "proj:epsg", "proj:wkt2", "proj:projjson"):
        if not properties.get(key):
            continue
        try:
            value = properties[key]
            if file_named_by_crs(value if isinstance(value, str) else json.dumps(value)):
                continue  # the author of an item does not choose files that are opened here
            crs = CRS.from_user_input(value)
            lon, lat = Transformer.from_crs(crs, "EPSG:4326", always_xy=True).transform(x, y)
        except ProjError:
            continue
        if math.isfinite(lon) and math.isfinite(lat):
            return {"lon": wrap(float(lon)), "lat": float(lat)}
    return {}
