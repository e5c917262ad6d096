"""The API's own description, OpenAPI 3.1, small enough to be written by hand."""

from typing import Any

import terraseek

__all__ = ["DESCRIPTION"]


def _parameter(name: str, what: str, kind: str = "string", many: bool = False) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind}
    return {
        "name": name,
        "in": "query",
        "description": what,
        "schema": {"type": "array", "items": schema} if many else schema,
    }


def _operation(
    what: str, *parameters: dict[str, Any], media: str = "application/json"
) -> dict[str, Any]:
    return {
        "get": {
            "summary": what,
            "parameters": list(parameters),
            "responses": {
                "200": {"description": what, "content": {media: {}}},
                "default": {"description": '{"error": class, "what": text}'},
            },
        }
    }


def _path(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


_ZXY = (_path("z", "integer"), _path("x", "integer"), _path("y", "integer"))

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "TerraSeek", "version": terraseek.__version__},
    "paths": {
        "/api/health": _operation("Whether the server can answer, and with what"),
        "/api/search": _operation(
            '{"hits": [{item_id, score, lon, lat, caption, image}], "matched": n}',
            _parameter("q", "what to look for"),
            _parameter("like", "item_id to look for more of"),
            _parameter("minus", "what to look away from"),
            _parameter("k", "how many hits, 1 to 1000", "integer"),
            _parameter("bbox", "W,S,E,N in degrees; W > E crosses the antimeridian"),
            _parameter("source", "only these sources", many=True),
            _parameter("label", "only these labels", many=True),
            _parameter("precision", "exact, point, utm_zone, place_name or none", many=True),
            _parameter("date_from", "earliest date, ISO 8601"),
            _parameter("date_to", "latest date, ISO 8601"),
            _parameter("gsd_min", "smallest ground sample distance in metres", "number"),
            _parameter("gsd_max", "largest ground sample distance in metres", "number"),
            _parameter("text", "the caption contains this"),
            _parameter("polygon", "only inside this area: WKT or GeoJSON, longitude first"),
            _parameter("within", "LON,LAT,KM: only within so many kilometres of a point"),
            _parameter("where", "SQL condition on columns, such as gsd_m < 1 AND country = 'Peru'"),
        ),
        "/api/items/{id}": _operation("Everything known about one item", _path("id")),
        "/api/rows/{row}": _operation("The item in a row of the table", _path("row", "integer")),
        "/api/thumbnails/{id}": _operation(
            "A JPEG of an item",
            _path("id"),
            _parameter("size", "longer side in pixels, 32 to 1024", "integer"),
            media="image/jpeg",
        ),
        "/api/points": _operation(
            "Places of items: uint32 n, uint32 row[n], float32 lon[n], float32 lat[n], "
            "uint8 precision[n], little-endian; 204 when `bbox` holds more than `most`",
            _parameter("bbox", "W,S,E,N in degrees; all places without it"),
            _parameter("most", "list no more than this, up to 20000", "integer"),
            media="application/octet-stream",
        ),
        "/tiles/basemap/{z}/{x}/{y}": _operation("Blue Marble tile", *_ZXY, media="image/jpeg"),
        "/tiles/density/{z}/{x}/{y}": _operation(
            "Tile of how many items lie where; 204 where none", *_ZXY, media="image/png"
        ),
        "/tiles/scene/{id}/{z}/{x}/{y}": _operation(
            "Tile of an open scene", _path("id"), *_ZXY, media="image/png"
        ),
    },
}
