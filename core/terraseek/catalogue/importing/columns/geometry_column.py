"""Geometry columns of tables: GeoParquet 1.0 and 1.1, GeoArrow, WKB and WKT."""

import json
import math
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.metadata.outline import centre_of_box, location_columns, parse_geometry
from terraseek.errors import SourceError
from terraseek.geo import file_named_by_crs

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

__all__ = [
    "GEOMETRY_LOCATION",
    "GEOMETRY_NAMES",
    "UNREAD_GEOMETRY",
    "geometry_of_schema",
    "locate_rows",
]

GEOMETRY_NAMES = ("geometry", "geom", "the_geom", "wkt", "wkb_geometry", "geometry_wkt")
"""Names of geometry columns in lower case, of tables without GeoParquet metadata."""
GEOMETRY_LOCATION = "geometry location"
"""Column of the location that a row's geometry gives; None where it has none."""
UNREAD_GEOMETRY = {"unread": True}
"""Location of a geometry that cannot be read."""
_EDGES = ("xmin", "ymin", "xmax", "ymax")
_NATIVE = {
    "point": "Point",
    "linestring": "LineString",
    "polygon": "Polygon",
    "multipoint": "MultiPoint",
    "multilinestring": "MultiLineString",
    "multipolygon": "MultiPolygon",
}


def geometry_of_schema(schema: "pa.Schema") -> dict[str, Any] | None:
    """Name, encoding and CRS of the geometry column of a Parquet file; None without one."""
    geo = _json((schema.metadata or {}).get(b"geo"))
    columns = geo.get("columns")
    name = geo.get("primary_column")
    if isinstance(columns, dict) and name in schema.names:
        described = columns.get(name)
        described = described if isinstance(described, dict) else {}
        return {
            "name": name,
            "encoding": described.get("encoding"),
            "crs": described.get("crs"),
            "covering": _covering(described, schema),
        }
    for field in schema:
        metadata = field.metadata or {}
        extension = metadata.get(b"ARROW:extension:name", b"").decode(errors="replace")
        if extension.startswith("geoarrow.") or field.name.lower() in GEOMETRY_NAMES:
            described = _json(metadata.get(b"ARROW:extension:metadata"))
            encoding = extension.removeprefix("geoarrow.")
            return {"name": field.name, "encoding": encoding, "crs": described.get("crs")}
    return None


def _covering(described: dict[str, Any], schema: "pa.Schema") -> dict[str, str] | None:
    """Column and fields of the boxes of the rows (`covering` of GeoParquet 1.1), if it has them."""
    covering = described.get("covering")
    box = covering.get("bbox") if isinstance(covering, dict) else None
    edges = {edge: box.get(edge) for edge in _EDGES} if isinstance(box, dict) else {}
    if not edges or any(not isinstance(p, list) or len(p) != 2 for p in edges.values()):
        return None
    columns = {str(path[0]) for path in edges.values() if path}
    if len(columns) != 1 or not columns <= set(schema.names):
        return None
    return {"column": columns.pop(), **{e: str(path[1]) for e, path in edges.items() if path}}


def locate_rows(frame: "pd.DataFrame", described: dict[str, Any] | None) -> "pd.DataFrame":
    """Replace the geometry column by `GEOMETRY_LOCATION`, in longitude and latitude.

    Args:
        frame: the table.
        described: see `geometry_of_schema`; None looks for a column of a usual name.
    """
    if described is None:
        names = [str(n) for n in frame.columns if str(n).lower() in GEOMETRY_NAMES]
        if not names:
            return frame
        described = {"name": names[0], "encoding": "", "crs": None}
    name = described["name"]
    transform = _to_lonlat(described["crs"])
    native = _NATIVE.get(str(described["encoding"] or "").lower())
    found = [_location(value, native, transform) for value in frame[name]]
    covering: dict[str, str] = described.get("covering") or {}
    used = [name]
    if covering.get("column") in frame:
        used.append(covering["column"])
        for row, box in enumerate(frame[covering["column"]]):
            if found[row] is None:
                found[row] = _centre_of_row(box, covering, transform)
    import pandas as pd

    located: pd.DataFrame = frame.drop(columns=used)
    located[GEOMETRY_LOCATION] = pd.Series(found, index=frame.index, dtype=object)
    return located


def _location(value: Any, native: str | None, transform: Any) -> dict[str, Any] | None:  # noqa: ANN401
    import shapely

    if native is not None and value is not None:
        value = {"type": native, "coordinates": _coordinates(value)}
    geometry = parse_geometry(value)
    if geometry is None:
        return UNREAD_GEOMETRY if isinstance(value, str) and value.strip() else None
    if transform is not None:
        geometry = shapely.transform(geometry, transform, interleaved=False)
    return location_columns(geometry) or None


def _centre_of_row(box: Any, covering: dict[str, str], transform: Any) -> dict[str, Any] | None:  # noqa: ANN401
    """Centre of a row's box; the box crosses the antimeridian if its west is east of its east."""
    try:
        west, south, east, north = (float(box[covering[edge]]) for edge in _EDGES)
    except (KeyError, TypeError, ValueError):
        return None
    if not all(map(math.isfinite, (west, south, east, north))):
        return None
    if transform is not None:
        lon, lat = transform((west + east) / 2, (south + north) / 2)
    else:
        lon, lat = centre_of_box(west, south, east, north)
    known = math.isfinite(lon) and math.isfinite(lat)
    return {"lon": float(lon), "lat": float(lat)} if known else None


def _coordinates(value: Any) -> Any:  # noqa: ANN401 - nested lists
    """GeoArrow's nested lists of `{x, y}` or `[x, y]`, as in GeoJSON."""
    if isinstance(value, dict):
        return [value.get("x"), value.get("y")]
    if hasattr(value, "__len__"):
        return [_coordinates(part) for part in value]
    return value


def _to_lonlat(crs: Any) -> Any:  # noqa: ANN401 - PROJJSON, text or None
    """Function from x, y in a CRS to longitude, latitude; None if they are that already."""
    from pyproj import CRS, Transformer
    from pyproj.exceptions import ProjError

    if not crs:
        return None
    named = file_named_by_crs(crs if isinstance(crs, str) else json.dumps(crs))
    if named:
        raise SourceError(
            f"the CRS of the geometry names a file of this computer, {named}, which is not opened; "
            "write the geometry in longitude and latitude"
        )
    try:
        source = CRS.from_user_input(crs)
        if source.to_epsg() == 4326 or source.to_authority() == ("OGC", "CRS84"):
            return None
        return Transformer.from_crs(source, "EPSG:4326", always_xy=True).transform
    except ProjError:
        return None


def _json(data: bytes | None) -> dict[str, Any]:
    try:
        value = json.loads(data or b"{}")
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
