"""The OpenAPI 3.1 description of the HTTP API."""

from typing import Any

from terraseek.parameters import openapi_parameters
from terraseek.request import LOCALIZE_PARTS, SEARCH_PARTS, LocalizeRequest, describe_parameters
from terraseek.version import __version__
from terraseek_app.api.openapi_parts import (
    ERROR_RESPONSES,
    NUMBER_OR_NULL,
    TEXT,
    add_post,
    array,
    get,
    object_schema,
    path_parameter,
    post_json,
    query_parameter,
    schema_ref,
)
from terraseek_app.api.search_routes import MAX_K

__all__ = ["DESCRIPTION"]

_SCHEMAS: dict[str, Any] = {
    "Error": object_schema({"error": TEXT, "what": TEXT}),
    "Hit": object_schema(
        {
            "item_id": TEXT,
            "score": {"type": "number"},
            "lon": NUMBER_OR_NULL,
            "lat": NUMBER_OR_NULL,
            "caption": TEXT,
            "image": TEXT,
        }
    ),
    "Answer": object_schema(
        {
            "hits": array(schema_ref("Hit")),
            "matched": {"type": "integer", "minimum": 0},
            "request": object_schema(
                {"query": TEXT, "filter": TEXT, "model": TEXT, "link": TEXT, "parameters": {}}
            ),
        }
    ),
    "Item": object_schema({"item_id": TEXT}, lon=NUMBER_OR_NULL, lat=NUMBER_OR_NULL),
    "Health": object_schema({"status": {"enum": ["ok", "broken"]}, "version": TEXT}),
}
_SCENES = object_schema({"scenes": array(object_schema({"id": TEXT, "name": TEXT}))})
_HEAT_MAP = {"query": TEXT, "method": TEXT, "heat": TEXT, "windows": {"type": "integer"}}
_HEAT_MAPS = object_schema(
    {"maps": array(object_schema(_HEAT_MAP))},
    comparison=object_schema({"sentences": array({}), "regions": array({})}),
)

_ITEM_TILES = object_schema(
    {
        "items": {"type": "integer", "minimum": 0},
        "complete": {"type": "boolean"},
        "minzoom": {"type": ["integer", "null"]},
        "maxzoom": {"type": "integer"},
    }
)
_CELLS = object_schema({"cells": array(array({"type": "integer"}))})
_NUMBER: dict[str, Any] = {"type": "number"}
_PLACE = {"name": TEXT, "region": TEXT, "lon": _NUMBER, "lat": _NUMBER, "zoom": _NUMBER}
_PLACES = object_schema({"places": array(object_schema(_PLACE))})

_ID = path_parameter("id")
_ZXY = tuple(path_parameter(name, "integer") for name in ("z", "x", "y"))

_SEARCH = tuple(
    one | {"schema": one["schema"] | {"maximum": MAX_K}} if one["name"] == "k" else one
    for one in describe_parameters(SEARCH_PARTS)
)
_LIMITS = openapi_parameters(LocalizeRequest, leave_out=("q", "like"))
_NOT_IN_BATCH = ("q", "like", "side")
_LOCALIZE = (_ID, *describe_parameters(LOCALIZE_PARTS))

_CATALOGUE_PATHS: dict[str, Any] = {
    "/api/search": get(
        "Hits, best first, and the number of items that pass the filter",
        *_SEARCH,
        schema=schema_ref("Answer"),
    ),
    "/api/items/{id}": get("All columns of an item", _ID, schema=schema_ref("Item")),
    "/api/rows/{row}": get(
        "The item in a row of the items table",
        path_parameter("row", "integer"),
        schema=schema_ref("Item"),
    ),
    "/api/thumbnails/{id}": get(
        "JPEG thumbnail of an item",
        _ID,
        query_parameter("size", "longer side in pixels", "integer", minimum=32, maximum=1024),
        media="image/jpeg",
    ),
    "/api/uploads/{id}": get(
        "JPEG thumbnail of an uploaded query image",
        _ID,
        query_parameter("size", "longer side in pixels", "integer", minimum=32, maximum=1024),
        media="image/jpeg",
    ),
    "/api/points": get(
        "Positions of items: uint32 n, uint32 row[n], float32 lon[n], float32 lat[n], "
        "uint8 precision[n], little-endian",
        query_parameter("bbox", "W,S,E,N in degrees; all positions without it"),
        query_parameter("most", "most positions to list", "integer", minimum=1, maximum=20_000),
        media="application/octet-stream",
        no_content="there are more than `most` items inside `bbox`",
    ),
}
_LOCALIZE_PATHS: dict[str, Any] = {
    "/api/scenes": get("The example scenes of this server", schema=_SCENES),
    "/api/localize/{id}": add_post(
        get(
            "Heat maps of sentences or items in a scene: peak, regions, and an id for each",
            *_LOCALIZE,
            schema=_HEAT_MAPS,
        ),
        "Heat maps of sentences, items and the uploaded image in a scene",
        "an image to look for, in any format a scene may have, up to 50 MB",
        query_parameter("name", "display name of the uploaded image"),
    ),
    "/api/localize/batch": post_json(
        "Sentences in scenes of the server: ZIP with a ranked table, heat maps and a report, as "
        "`terraseek localize --batch` writes them",
        {"sentences": array(TEXT), "scenes": array(TEXT)},
        ["sentences"],
        *(one for one in describe_parameters(LOCALIZE_PARTS) if one["name"] not in _NOT_IN_BATCH),
        media="application/zip",
    ),
    "/api/winner/{name}": get(
        "Which of several heat maps of one scene wins where: winner.tif with class codes and a "
        "colour table, or its style winner.qml",
        path_parameter("name"),
        query_parameter("heat", "id of a heat map", many=True),
        *_LIMITS,
        media="*/*",
    ),
    "/api/heat/{id}": get("A heat map as cloud-optimized GeoTIFF", _ID, media="image/tiff"),
    "/api/heat/{id}/{name}": get(
        "A file of a heat map: heat.tif, heat.qml, regions.geojson, regions.gpkg, figure.png, "
        "figure.pdf, map.html, numbers.json, or all.zip with all of them",
        _ID,
        path_parameter("name"),
        *_LIMITS,
        media="*/*",
    ),
}
_TILE_PATHS: dict[str, Any] = {
    "/tiles/heat/{id}/{z}/{x}/{y}": get(
        "Tile of a heat map: red is the score between low and high, green the opacity",
        _ID,
        *_ZXY,
        media="image/png",
        no_content="the tile is outside the heat map",
    ),
    "/tiles/basemap/{z}/{x}/{y}": get("Tile of the Blue Marble", *_ZXY, media="image/jpeg"),
    "/tiles/archive/{z}/{x}/{y}": get(
        "Tile of the operator's basemap, if it is a PMTiles archive",
        *_ZXY,
        media="image/*",
        no_content="the archive has no such tile",
    ),
    "/tiles/reference/{z}/{x}/{y}": get(
        "Vector tile (MVT) with layers coasts, borders, states, rivers and towns",
        *_ZXY,
        media="application/vnd.mapbox-vector-tile",
    ),
    "/tiles/density/{z}/{x}/{y}": get(
        "Tile of the density of items",
        *_ZXY,
        media="image/png",
        no_content="there are no items in the tile",
    ),
    "/tiles/items.json": get(
        "Number of items with a footprint, and the zooms of their tiles", schema=_ITEM_TILES
    ),
    "/api/places": get(
        "Named places, or the position of typed coordinates, the best first",
        query_parameter("q", "beginning of a name, or coordinates in a usual notation"),
        schema=_PLACES,
    ),
    "/api/cells": get(
        "Number of items in the tiles of a zoom that meet an area: [x, y, count] each",
        query_parameter("bbox", "W,S,E,N in degrees"),
        query_parameter("zoom", "zoom whose tiles are counted", "integer", minimum=0, maximum=22),
        schema=_CELLS,
        no_content="there are too many cells",
    ),
    "/api/item-at": get(
        "The item whose image is drawn on the map at a coordinate",
        query_parameter("at", "LON,LAT in degrees"),
        query_parameter("zoom", "zoom of the tiles", "integer", minimum=0, maximum=30),
        schema=schema_ref("Item"),
        no_content="no image is drawn there",
    ),
    "/tiles/items/{z}/{x}/{y}": get(
        "Tile of the images of items in their footprints",
        *_ZXY,
        media="image/webp",
        no_content="no footprint is in the tile, or all are too small",
    ),
    "/tiles/items/{id}/{z}/{x}/{y}": get(
        "Tile of the image of one item in its footprint",
        _ID,
        *_ZXY,
        media="image/webp",
        no_content="the tile is outside the footprint, or the item has none",
    ),
    "/tiles/scene/{id}/{z}/{x}/{y}": get(
        "Tile of a scene",
        _ID,
        *_ZXY,
        media="image/png",
        no_content="the tile is outside the scene",
    ),
}

DESCRIPTION: dict[str, Any] = {
    "openapi": "3.1.0",
    "info": {"title": "TerraSeek", "version": __version__},
    "paths": {
        "/api/health": get(
            "Whether the server can answer, and with which catalogue and encoder",
            schema=schema_ref("Health"),
        ),
        **_CATALOGUE_PATHS,
        **_LOCALIZE_PATHS,
        **_TILE_PATHS,
    },
    "components": {"schemas": _SCHEMAS, "responses": ERROR_RESPONSES},
}
"""Served at `/openapi.json`."""
