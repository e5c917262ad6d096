"""The HTTP API: the same answers as the command line, as JSON.

Ids in addresses are opaque; no address holds a path. `/openapi.json` describes it.
"""

import io
import math
import platform
import time
from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

import terraseek
from terraseek.errors import FilterError, InputError, ItemNotFoundError, QueryError, TerraSeekError
from terraseek.geo import BBox
from terraseek_app.api.openapi import DESCRIPTION
from terraseek_app.api.responses import cached
from terraseek_app.server import state

__all__ = ["MAX_K", "MAX_POINTS", "ROUTES", "search_json", "thumbnail_bytes"]

MAX_K = 1000
"""Most hits one request gives."""
MAX_POINTS = 20_000
"""Most places of an area one request lists; a catalogue with more is drawn as density tiles."""
THUMBNAIL_SIDES = (32, 1024)
"""Smallest and largest side in pixels a thumbnail may be asked in."""
_started = time.time()


def health(request: Request) -> Response:
    """Whether catalogue, vectors and encoder can be used; 503 with the reason if not."""
    body: dict[str, Any] = {
        "version": terraseek.__version__,
        "python": platform.python_version(),
        "model": state.settings().model,
        "uptime_s": round(time.time() - _started, 1),
    }
    try:
        found = state.catalogue()
        body |= {"catalogue": found.name, "items": found.count}
        body |= {"encoder_id": state.encoder().encoder_id}
        state.searcher()
    except TerraSeekError as error:
        body |= {"status": "broken", "error": type(error).__name__, "what": str(error)}
        return JSONResponse(body, status_code=503)
    return JSONResponse({"status": "ok", **body})


def search(request: Request) -> Response:
    """Hits for words, an item, or both; filters first, then ranks."""
    return JSONResponse(search_json(request))


def search_json(request: Request) -> dict[str, Any]:
    """`{"hits": [...], "matched": n}`; a hit is exactly what `terraseek search --json` gives."""
    from terraseek.search import Query, hits_json

    params = request.query_params
    near = params.get("near")
    query = Query(
        text=params.get("q"),
        item_id=params.get("like"),
        plus=tuple(params.getlist("plus")),
        minus=tuple(params.getlist("minus")),
        liked=tuple(params.getlist("liked")),
        disliked=tuple(params.getlist("disliked")),
        near=_lonlat(near) if near else None,
        alpha=_number(request, "alpha") or 0.0,
        ensemble=params.get("ensemble") == "1",
    )
    k = _whole(request, "k", 20, (1, MAX_K))
    distinct = params.get("distinct") == "1"
    result = state.searcher().search(query, k, filter_of(request), collapse_duplicates=distinct)
    return {"hits": hits_json(result.hits), "matched": result.matched}


def _lonlat(text: str) -> tuple[float, float]:
    try:
        lon, lat = (float(part) for part in text.split(","))
    except ValueError as error:
        raise QueryError(f"near is {text!r}; give LON,LAT in degrees, like 2.35,48.86") from error
    return lon, lat


def filter_of(request: Request) -> Any:  # noqa: ANN401 - Filter is imported when needed
    """The filter a request's parameters describe.

    Raises:
        FilterError, BBoxError: a value that cannot be used.
    """
    from terraseek.catalogue import Area, Circle, Filter

    params = request.query_params
    return Filter(
        bbox=BBox.parse(params["bbox"]) if params.get("bbox") else None,
        sources=tuple(params.getlist("source")),
        labels=tuple(params.getlist("label")),
        precision=tuple(params.getlist("precision")),
        date_from=params.get("date_from") or None,
        date_to=params.get("date_to") or None,
        gsd_min=_number(request, "gsd_min"),
        gsd_max=_number(request, "gsd_max"),
        text=params.get("text") or None,
        polygon=Area.parse(params["polygon"]) if params.get("polygon") else None,
        circle=Circle.parse(params["within"]) if params.get("within") else None,
        sql=params.get("where") or None,
    )


def _number(request: Request, name: str) -> float | None:
    text = request.query_params.get(name)
    if not text:
        return None
    try:
        value = float(text)
    except ValueError as error:
        raise FilterError(f"{name} is {text!r}; it must be a number") from error
    if not math.isfinite(value):
        raise FilterError(f"{name} is {text!r}; it must be a finite number")
    return value


def _whole(request: Request, name: str, default: int, limits: tuple[int, int]) -> int:
    """A whole number between two limits, both allowed."""
    text = request.query_params.get(name) or str(default)
    low, high = limits
    if not (text.isascii() and text.isdecimal() and len(text) < 10) or not low <= int(text) <= high:
        raise InputError(f"{name} is {text!r}; give a whole number between {low} and {high}")
    return int(text)


def item(request: Request) -> Response:
    """Everything the catalogue knows about one item."""
    return JSONResponse(state.catalogue().item(request.path_params["id"]))


def item_by_row(request: Request) -> Response:
    """The item in a row of the table; `/api/points` gives rows, which need no ids of 5 M items."""
    found = state.catalogue()
    text = request.path_params["row"]
    if not (text.isascii() and text.isdecimal()):
        raise InputError(f"the row is {text!r}; it must be a whole number from 0 up")
    row = int(text) if len(text) < 12 else found.row_count
    if row >= found.row_count:
        raise ItemNotFoundError(f"row {text} does not exist; the catalogue has {found.count} items")
    return JSONResponse(found.item(found.item_ids[row].decode()))


def thumbnail(request: Request) -> Response:
    """A small JPEG of an item; `size` is its longer side in pixels."""
    size = _whole(request, "size", 256, THUMBNAIL_SIDES)
    body = thumbnail_bytes(str(state.settings().catalogue), request.path_params["id"], size)
    return cached(request, body, "image/jpeg", 3600)


@lru_cache(maxsize=4096)
def thumbnail_bytes(catalogue: str, item_id: str, size: int) -> bytes:
    """JPEG of an item, longer side `size` pixels; small images are enlarged smoothly.

    Args:
        catalogue: only tells cached thumbnails of different catalogues apart.
    """
    image = Image.fromarray(state.catalogue().read_image(item_id, size))
    scale = size / max(image.size)
    side = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
    out = io.BytesIO()
    image.resize(side, Image.Resampling.BICUBIC).save(out, "JPEG", quality=88)
    return out.getvalue()


def points(request: Request) -> Response:
    """Places of items as little-endian columns, one after the other.

    uint32 n, then uint32 row [n], float32 lon [n], float32 lat [n] in degrees, uint8 precision [n]
    (0 exact, 1 point, 2 utm_zone, 3 place_name). Items without a place are left out. With `bbox`
    only those in it, and 204 without a body where they are more than `most`.
    """
    bbox = request.query_params.get("bbox")
    if not bbox:
        body = state.shared().once("points", lambda: _pack_points(slice(None)))
        return cached(request, body, "application/octet-stream")
    most = _whole(request, "most", MAX_POINTS, (1, MAX_POINTS))
    found = state.density().within(BBox.parse(bbox), most)
    if found is None:
        return Response(status_code=204)
    return cached(request, _pack_points(found), "application/octet-stream")


def _pack_points(chosen: "slice | np.ndarray") -> bytes:
    found = state.points()
    columns = (
        np.array([len(found.row[chosen])], "<u4"),
        found.row[chosen].astype("<u4"),
        found.lon[chosen].astype("<f4"),
        found.lat[chosen].astype("<f4"),
        found.precision[chosen].astype("u1"),
    )
    return b"".join(column.tobytes() for column in columns)


def openapi(request: Request) -> Response:
    """What this API takes and gives."""
    return JSONResponse(DESCRIPTION)


def _get(path: str, handler: Callable[[Request], Response]) -> BaseRoute:
    return Route(path, handler, methods=["GET"])


ROUTES = [
    _get("/api/health", health),
    _get("/api/search", search),
    _get("/api/rows/{row}", item_by_row),
    _get("/api/items/{id}", item),
    _get("/api/thumbnails/{id}", thumbnail),
    _get("/api/points", points),
    _get("/openapi.json", openapi),
]
