"""Images for the map: basemap and scene tiles, overlays, and the component's own files."""

import io
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import numpy as np
from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError, MissingExtraError
from terraseek_app.api.responses import cached
from terraseek_app.server import state

__all__ = ["ROUTES", "heat_png", "map_asset", "zxy"]

_DAY = 86_400
_STATIC = Path(__file__).parents[1] / "map" / "static"
_MEDIA = {".js": "text/javascript", ".css": "text/css", ".json": "application/json"}
_MAPLIBRE = ("maplibre-gl.js", "maplibre-gl.css")
DEEPEST = 30
"""Deepest zoom a tile may be asked at; its pixels are a tenth of a millimetre."""
SCENE_SIDE = 2560
"""Longest side in pixels of a scene without a CRS sent to the browser."""


def _number(request: Request, name: str) -> int:
    text = request.path_params[name].removesuffix(".png").removesuffix(".jpg")
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"{name} in the tile address is {text!r}; it must be a whole number")
    return int(text)


def zxy(request: Request) -> tuple[int, int, int]:
    """Zoom, column and row of the address.

    Raises:
        InputError: they are no whole numbers, or too deep.
    """
    if _number(request, "z") > DEEPEST:
        raise InputError(f"tiles go down to zoom {DEEPEST}, not {request.path_params['z']}")
    return _number(request, "z"), _number(request, "x"), _number(request, "y")


def basemap(request: Request) -> Response:
    """One tile of the Blue Marble."""
    from terraseek.tiles.basemap import MAX_ZOOM, basemap_tile

    z, x, y = zxy(request)
    if z > MAX_ZOOM:
        raise InputError(f"the basemap has tiles up to zoom {MAX_ZOOM}; {z} was asked for")
    return cached(request, basemap_tile(z, x, y), "image/jpeg", _DAY)


def borders(request: Request) -> Response:
    """Coasts and borders as GeoJSON."""
    from terraseek.tiles.borders import borders_geojson

    return cached(request, borders_geojson(), "application/geo+json", _DAY)


def density(request: Request) -> Response:
    """One tile of how many items lie where; 204 where there are none."""
    body = state.density().png(*zxy(request))
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 300)


def scene_tile(request: Request) -> Response:
    """One tile of an open scene; 204 where the scene does not reach."""
    from terraseek import tiles

    z, x, y = zxy(request)
    body = tiles.scene_tile(state.scene_path(request.path_params["id"]), z, x, y)
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 3600)


def scene_overlay(request: Request) -> Response:
    """The whole scene as one image, warped to Web Mercator when it has a CRS."""
    path = state.scene_path(request.path_params["id"])
    return cached(request, _scene_png(path, path.stat().st_mtime_ns), "image/png")


@lru_cache(maxsize=8)
def _scene_png(path: Path, changed_ns: int) -> bytes:
    from terraseek import tiles
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        return bytes(tiles.scene_preview(scene, SCENE_SIDE)[0])


def heat_overlay(request: Request) -> Response:
    """A heat map for the browser to colour: red is the value, green is how opaque."""
    return cached(request, heat_png(request.path_params["id"]), "image/png", 3600)


def heat_png(heat_id: str) -> bytes:
    """The preview of a kept heat map as an opaque PNG: R value 0-255, G alpha, B unused.

    An alpha channel would be multiplied into the values by the browser's canvas.
    """
    from terraseek.localization.output.numbers import HEAT_SIDE

    value, alpha, _ = state.heat(heat_id).preview(HEAT_SIDE)
    out = io.BytesIO()
    pixels = np.stack([value, alpha, np.zeros_like(value)], axis=-1)
    Image.fromarray(pixels).save(out, "PNG", compress_level=3)
    return out.getvalue()


def maplibre_folder() -> Path:
    """Where the `maplibre` package keeps MapLibre GL.

    Raises:
        MissingExtraError: it is not installed.
    """
    from importlib.util import find_spec

    spec = find_spec("maplibre")
    if spec is None or spec.origin is None:
        raise MissingExtraError(
            "the map's JavaScript is not installed; run: pip install 'terraseek[app]'"
        )
    return Path(spec.origin).parent / "srcjs"


def map_asset(name: str) -> Path | None:
    """A file of the map component by its bare name; None when there is no such file."""
    if name in _MAPLIBRE:
        return maplibre_folder() / name
    known = {path.name: path for path in _STATIC.iterdir() if path.suffix in _MEDIA}
    return known.get(name)


def asset(request: Request) -> Response:
    """JavaScript and style sheets of the map."""
    path = map_asset(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    seconds = _DAY if path.name in _MAPLIBRE else 0
    return cached(request, path.read_bytes(), _MEDIA[path.suffix], seconds)


def _get(path: str, handler: Callable[[Request], Response]) -> BaseRoute:
    return Route(path, handler, methods=["GET"])


ROUTES = [
    _get("/tiles/basemap/{z}/{x}/{y}", basemap),
    _get("/tiles/borders.json", borders),
    _get("/tiles/density/{z}/{x}/{y}", density),
    _get("/tiles/scene/{id}/{z}/{x}/{y}", scene_tile),
    _get("/overlays/scene/{id}.png", scene_overlay),
    _get("/overlays/heat/{id}.png", heat_overlay),
    _get("/assets/map/{name}", asset),
]
