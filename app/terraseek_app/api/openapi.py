"""The API's own description, OpenAPI 3.1, small enough to be written by hand."""

from typing import Any

import terraseek

__all__ = ["DESCRIPTION"]


def _parameter(
    name: str, what: str, kind: str = "string", many: bool = False, **limits: float | list[str]
) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": kind, **limits}
    return {
        "name": name,
        "in": "query",
        "description": what,
        "schema": {"type": "array", "items": schema} if many else schema,
    }


def _operation(
    what: str,
    *parameters: dict[str, Any],
    media: str = "application/json",
    schema: dict[str, Any] | None = None,
    **others: str,
) -> dict[str, Any]:
    """A GET with what it gives; `others` are further answers without a body, like `s204`."""
    responses: dict[str, Any] = {
        "200": {"description": what, "content": {media: {"schema": schema} if schema else {}}},
        **{code[1:]: {"description": words} for code, words in others.items()},
        **{code: {"$ref": f"#/components/responses/{name}"} for code, name in _PROBLEMS.items()},
    }
    if media != "application/json":
        responses["304"] = {"description": "the browser holds it already (If-None-Match)"}
    return {"get": {"summary": what, "parameters": list(parameters), "responses": responses}}


def _with_body(operation: dict[str, Any], what: str) -> dict[str, Any]:
    """The same operation as GET, and as POST with an image as its body."""
    body = {
        "required": True,
        "description": what,
        "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
    }
    get = operation["get"]
    responses = get["responses"] | {"413": {"$ref": "#/components/responses/TooLarge"}}
    name = _parameter("name", "what to call the picture")
    post = get | {
        "summary": f"{get['summary']}; and where what the sent picture shows is",
        "parameters": [*get["parameters"], name],
        "requestBody": body,
        "responses": responses,
    }
    return operation | {"post": post}


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _object(required: dict[str, Any], **optional: Any) -> dict[str, Any]:  # noqa: ANN401
    return {
        "type": "object",
        "required": list(required),
        "properties": required | optional,
    }


_PROBLEMS = {"400": "Refused", "404": "Unknown", "503": "Broken"}
_NUMBER_OR_NULL = {"type": ["number", "null"]}
_TEXT = {"type": "string"}
_SCHEMAS: dict[str, Any] = {
    "Error": _object({"error": _TEXT, "what": _TEXT}),
    "Hit": _object(
        {
            "item_id": _TEXT,
            "score": {"type": "number"},
            "lon": _NUMBER_OR_NULL,
            "lat": _NUMBER_OR_NULL,
            "caption": _TEXT,
            "image": _TEXT,
        }
    ),
    "Answer": _object(
        {
            "hits": {"type": "array", "items": _schema("Hit")},
            "matched": {"type": "integer", "minimum": 0},
        }
    ),
    "Item": _object({"item_id": _TEXT}, lon=_NUMBER_OR_NULL, lat=_NUMBER_OR_NULL),
    "Health": _object({"status": {"enum": ["ok", "broken"]}, "version": _TEXT}),
}
_RESPONSES: dict[str, Any] = {
    name: {
        "description": words,
        "content": {"application/json": {"schema": _schema("Error")}},
    }
    for name, words in (
        ("Refused", "a value that cannot be used; `what` says which and what to do"),
        ("Unknown", "nothing has this id"),
        ("Broken", "the server cannot answer now; `what` says why"),
        ("TooLarge", "the body is larger than this server takes"),
    )
}


def _path(name: str, kind: str = "string") -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": kind}}


_ZXY = (_path("z", "integer"), _path("x", "integer"), _path("y", "integer"))
_SCENES = _object({"scenes": {"type": "array", "items": _object({"id": _TEXT, "name": _TEXT})}})
_MAPS = _object(
    {
        "maps": {
            "type": "array",
            "items": _object(
                {"query": _TEXT, "method": _TEXT, "heat": _TEXT, "windows": {"type": "integer"}}
            ),
        }
    }
)

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "TerraSeek", "version": terraseek.__version__},
    "paths": {
        "/api/health": _operation(
            "Whether the server can answer, and with what", schema=_schema("Health")
        ),
        "/api/search": _operation(
            "Items ranked, best first, and how many pass the filter",
            _parameter("q", "what to look for"),
            _parameter("like", "item_id to look for more of"),
            _parameter("plus", "further words to look for", many=True),
            _parameter("minus", "what to look away from", many=True),
            _parameter("liked", "item_id that was what was meant", many=True),
            _parameter("disliked", "item_id that was not", many=True),
            _parameter("near", "LON,LAT: rank by distance instead; nothing else to look for"),
            _parameter(
                "alpha", "share of the caption in the score", "number", minimum=0, maximum=1
            ),
            _parameter("ensemble", "1: average short words over 105 prompts", enum=["0", "1"]),
            _parameter("distinct", "1: of near-duplicates only the best", enum=["0", "1"]),
            _parameter("k", "how many hits", "integer", minimum=1, maximum=1000),
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
            schema=_schema("Answer"),
        ),
        "/api/items/{id}": _operation(
            "Everything known about one item", _path("id"), schema=_schema("Item")
        ),
        "/api/rows/{row}": _operation(
            "The item in a row of the table", _path("row", "integer"), schema=_schema("Item")
        ),
        "/api/thumbnails/{id}": _operation(
            "A JPEG of an item",
            _path("id"),
            _parameter("size", "longer side in pixels", "integer", minimum=32, maximum=1024),
            media="image/jpeg",
        ),
        "/api/points": _operation(
            "Places of items: uint32 n, uint32 row[n], float32 lon[n], float32 lat[n], "
            "uint8 precision[n], little-endian",
            _parameter("bbox", "W,S,E,N in degrees; all places without it"),
            _parameter("most", "list no more than this", "integer", minimum=1, maximum=20_000),
            media="application/octet-stream",
            s204="`bbox` holds more than `most`",
        ),
        "/api/scenes": _operation("The scenes shown by this server", schema=_SCENES),
        "/api/localize/{id}": _with_body(
            _operation(
                "Where in a scene sentences or items are: peak, regions, a heat map's id for each",
                _path("id"),
                _parameter("q", "what to look for; each one gives a map", many=True),
                _parameter("like", "item_id whose picture to look for", many=True),
                _parameter("minus", "what to look away from", many=True),
                _parameter("method", "terraseek, dense, selo-v1 or selo-v2"),
                _parameter("scales", "window sides in pixels, such as 96,192,384"),
                _parameter("scales_m", "window sides in metres instead"),
                _parameter("threshold", "lowest score of a region", "number"),
                _parameter("percentile", "the same as a share of the scene, 0-100", "number"),
                schema=_MAPS,
            ),
            "a picture to look for, in any format a scene may have, up to 50 MB",
        ),
        "/api/heat/{id}": _operation(
            "A kept heat map as cloud-optimized GeoTIFF", _path("id"), media="image/tiff"
        ),
        "/tiles/heat/{id}/{z}/{x}/{y}": _operation(
            "Tile of a kept heat map: red is the score between low and high, green where it is",
            _path("id"),
            *_ZXY,
            media="image/png",
            s204="the map does not reach here",
        ),
        "/tiles/basemap/{z}/{x}/{y}": _operation("Blue Marble tile", *_ZXY, media="image/jpeg"),
        "/tiles/density/{z}/{x}/{y}": _operation(
            "Tile of how many items lie where", *_ZXY, media="image/png", s204="none lies here"
        ),
        "/tiles/scene/{id}/{z}/{x}/{y}": _operation(
            "Tile of an open scene",
            _path("id"),
            *_ZXY,
            media="image/png",
            s204="the scene does not reach here",
        ),
    },
    "components": {"schemas": _SCHEMAS, "responses": _RESPONSES},
}
