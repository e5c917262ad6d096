"""Routes of the map: tiles of the catalogue's images, the item at a coordinate, named places."""

import math
import os
import threading
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from terraseek.catalogue.places.coordinates import parse_coordinates
from terraseek.catalogue.places.countries import country_name
from terraseek.catalogue.places.gazetteer import Place
from terraseek.catalogue.places.place_search import search_places
from terraseek.geo import BBox
from terraseek.parameters import LONLAT, Parameter
from terraseek_app.api.catalogue_routes import item_response
from terraseek_app.api.query_params import whole_number
from terraseek_app.api.responses import cached
from terraseek_app.api.tile_routes import MAX_TILE_ZOOM, tile_zxy
from terraseek_app.server import state

__all__ = ["ROUTES"]

MAX_ITEM_ZOOM = 22
"""Deepest zoom of tiles of items; a map enlarges these."""
MAX_CELLS = 50_000
"""Most cells that are listed for an area."""
MAX_PLACE_TEXT = 100
"""Characters of a place's name that are read."""
POSITION_ZOOM = 14.0
"""Zoom of a map that shows typed coordinates."""
_POSITION = Parameter("at", "a place on the map", LONLAT, None)
_drawing = threading.BoundedSemaphore(max(1, os.cpu_count() or 1))
"""Held while a tile is drawn, so that other requests keep their share of the processor."""


def items_info(request: Request) -> Response:
    """How many items have a footprint, whether these are all on the map, and the tiles' zooms."""
    footprints = state.item_tiles().footprints
    return JSONResponse(
        {
            "items": footprints.count,
            "complete": footprints.count == len(state.points().row),
            "minzoom": footprints.min_zoom,
            "maxzoom": MAX_ITEM_ZOOM,
        }
    )


def item_at(request: Request) -> Response:
    """All columns of the item whose image is drawn at a coordinate; 204 where there is none."""
    lon, lat = _POSITION.read(request.query_params.get("at") or "")
    BBox(lon, lat, lon, lat)  # refuses what lies outside the globe
    zoom = whole_number(request, "zoom", MAX_ITEM_ZOOM, (0, MAX_TILE_ZOOM))
    row = state.item_tiles().footprints.at(lon, lat, zoom)
    if row is None:
        return Response(status_code=204)
    return item_response(state.catalogue().item_ids[row].decode())


def items_tile(request: Request) -> Response:
    """A tile of the images of items, of one item with an id; 204 where there are none."""
    z, x, y = tile_zxy(request)
    item_id = request.path_params.get("id")
    row = None if item_id is None else state.catalogue().row(item_id)
    tiles = state.item_tiles()
    with _drawing:
        body = tiles.tile(z, x, y, row)
    return Response(status_code=204) if body is None else cached(request, body, "image/webp", 300)


def cells(request: Request) -> Response:
    """Number of items in each map cell of an area: the denominator of hits per cell."""
    zoom = whole_number(request, "zoom", 4, (0, MAX_ITEM_ZOOM))
    found = state.density().cells(BBox.parse(request.query_params.get("bbox", "")), zoom)
    if len(found) > MAX_CELLS:
        return Response(status_code=204)
    return JSONResponse({"cells": found.tolist()})


def places(request: Request) -> Response:
    """Places with a name, or the position of typed coordinates, the best first."""
    text = request.query_params.get("q", "")[:MAX_PLACE_TEXT]
    position = parse_coordinates(text)
    if position is not None:
        name = f"{position[1]:.5f}, {position[0]:.5f}"
        found = [_place(name, "", *position, POSITION_ZOOM)]
    else:
        found = [
            _place(place.name, _region(place), place.lon, place.lat, _zoom(place))
            for place in search_places(text)
        ]
    return JSONResponse({"places": found})


def _region(place: Place) -> str:
    """State and country, which tell places of one name apart."""
    return ", ".join(part for part in (place.state, country_name(place.country)) if part)


def _place(name: str, region: str, lon: float, lat: float, zoom: float) -> dict[str, Any]:
    return {"name": name, "region": region, "lon": lon, "lat": lat, "zoom": zoom}


def _zoom(place: Place) -> float:
    """Zoom of a map that shows a town of this many inhabitants as a whole."""
    return 13 - min(3.0, max(0.0, math.log10(max(place.population, 1)) - 4))


ROUTES: list[BaseRoute] = [
    Route("/api/places", places, methods=["GET"]),
    Route("/api/cells", cells, methods=["GET"]),
    Route("/tiles/items.json", items_info, methods=["GET"]),
    Route("/api/item-at", item_at, methods=["GET"]),
    Route("/tiles/items/{z}/{x}/{y}", items_tile, methods=["GET"]),
    Route("/tiles/items/{id}/{z}/{x}/{y}", items_tile, methods=["GET"]),
]
