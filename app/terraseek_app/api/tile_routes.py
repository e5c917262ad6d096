"""Routes of the map: basemap, vector, density and scene tiles, overlays, component files."""

import io
from functools import lru_cache
from pathlib import Path

from PIL import Image
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import BaseRoute, Route

from terraseek.errors import InputError
from terraseek.tiles.pmtiles import FileStamp, PMTiles, file_stamp
from terraseek_app.api.responses import cached
from terraseek_app.map.assets import MEDIA_TYPES, asset_path, is_maplibre
from terraseek_app.server import state

__all__ = ["MAX_TILE_ZOOM", "ROUTES", "heat_png", "tile_zxy"]

_DAY_S = 86_400
_VECTOR_TILE = "application/vnd.mapbox-vector-tile"
MAX_TILE_ZOOM = 30
"""Deepest zoom of a tile; its pixels are a tenth of a millimetre."""
SCENE_SIDE = 2560
"""Longest side in pixels of the overlay of a scene without a CRS."""
THUMBNAIL_SIDE = 320
"""Longest side in pixels of the thumbnail of a scene."""


def tile_zxy(request: Request) -> tuple[int, int, int]:
    """Zoom, column and row of a tile address.

    Raises:
        InputError: they are no whole numbers, or the zoom is too deep.
    """
    if _path_number(request, "z") > MAX_TILE_ZOOM:
        raise InputError(f"tiles go down to zoom {MAX_TILE_ZOOM}, not {request.path_params['z']}")
    return _path_number(request, "z"), _path_number(request, "x"), _path_number(request, "y")


def _path_number(request: Request, name: str) -> int:
    text = request.path_params[name].removesuffix(".png").removesuffix(".jpg").removesuffix(".webp")
    if not text.isdecimal() or len(text) > 9:
        raise InputError(f"{name} in the tile address is {text!r}; it must be a whole number")
    return int(text)


def basemap(request: Request) -> Response:
    """A tile of the Blue Marble."""
    from terraseek.tiles.basemap import MAX_ZOOM, basemap_tile

    z, x, y = tile_zxy(request)
    if z > MAX_ZOOM:
        raise InputError(f"the basemap has tiles up to zoom {MAX_ZOOM}; {z} was asked for")
    return cached(request, basemap_tile(z, x, y), "image/jpeg", _DAY_S)


def archive_tile(request: Request) -> Response:
    """A tile of the operator's PMTiles archive; 204 where it has none, 404 without an archive."""
    path = state.settings().basemap_archive
    if path is None:
        return Response(status_code=404)
    archive = _archive(path, file_stamp(path))
    body = archive.tile(*tile_zxy(request))
    return (
        Response(status_code=204)
        if body is None
        else cached(request, body, archive.media_type, _DAY_S)
    )


@lru_cache(maxsize=4)
def _archive(path: Path, stamp: FileStamp) -> PMTiles:
    # the stamp is part of the cache key only
    return PMTiles.open(path)


def borders(request: Request) -> Response:
    """Coasts and borders as GeoJSON."""
    from terraseek.tiles.borders import borders_geojson

    return cached(request, borders_geojson(), "application/geo+json", _DAY_S)


def reference(request: Request) -> Response:
    """A vector tile of coasts, borders, rivers and towns; empty where there are none."""
    from terraseek.tiles.reference_tiles import MAX_ZOOM, reference_tile

    z, x, y = tile_zxy(request)
    if z > MAX_ZOOM:
        raise InputError(f"reference tiles go down to zoom {MAX_ZOOM}; {z} was asked for")
    return cached(request, reference_tile(z, x, y), _VECTOR_TILE, _DAY_S)


def density(request: Request) -> Response:
    """A tile of the density of items; 204 where there are none."""
    body = state.density().png(*tile_zxy(request))
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 300)


def scene_tile(request: Request) -> Response:
    """A tile of a scene; 204 outside the scene."""
    from terraseek import tiles

    z, x, y = tile_zxy(request)
    body = tiles.scene_tile(state.scene_path(request.path_params["id"]), z, x, y)
    return Response(status_code=204) if body is None else cached(request, body, "image/png", 3600)


def scene_overlay(request: Request) -> Response:
    """The whole scene as one image, warped to Web Mercator if it has a CRS."""
    path = state.scene_path(request.path_params["id"])
    return cached(request, _scene_png(path, path.stat().st_mtime_ns), "image/png")


@lru_cache(maxsize=8)
def _scene_png(path: Path, mtime_ns: int) -> bytes:
    # mtime_ns is part of the cache key only
    from terraseek import tiles
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        return bytes(tiles.scene_preview(scene, SCENE_SIDE)[0])


def scene_thumbnail(request: Request) -> Response:
    """JPEG thumbnail of a scene, as it is in its file."""
    path = state.scene_path(request.path_params["id"])
    return cached(request, _scene_jpeg(path, path.stat().st_mtime_ns), "image/jpeg", 3600)


@lru_cache(maxsize=256)
def _scene_jpeg(path: Path, mtime_ns: int) -> bytes:
    # mtime_ns is part of the cache key only
    from terraseek.display import jpeg_bytes
    from terraseek.scenes import Scene

    with Scene.open(path) as scene:
        return jpeg_bytes(scene.preview(THUMBNAIL_SIDE)[0])


def heat_overlay(request: Request) -> Response:
    """A heat map as one image, to be coloured by the browser; see `heat_png`."""
    return cached(request, heat_png(request.path_params["id"]), "image/png", 3600)


def heat_png(heat_id: str) -> bytes:
    """Preview of a heat map as an opaque PNG, see `value_image`.

    There is no alpha channel, because the browser's canvas multiplies it into the values.

    Raises:
        SceneError: the heat map is no longer kept.
    """
    from terraseek.localization.output.colour.value_image import value_image
    from terraseek.localization.output.numbers import HEAT_SIDE

    out = io.BytesIO()
    Image.fromarray(value_image(state.heat(heat_id), HEAT_SIDE)).save(out, "PNG", compress_level=3)
    return out.getvalue()


def asset(request: Request) -> Response:
    """A JavaScript file or stylesheet of the map."""
    path = asset_path(request.path_params["name"])
    if path is None:
        return Response(status_code=404)
    max_age_s = _DAY_S if is_maplibre(path.name) else 0
    return cached(request, path.read_bytes(), MEDIA_TYPES[path.suffix], max_age_s)


ROUTES: list[BaseRoute] = [
    Route("/tiles/basemap/{z}/{x}/{y}", basemap, methods=["GET"]),
    Route("/tiles/archive/{z}/{x}/{y}", archive_tile, methods=["GET"]),
    Route("/tiles/borders.json", borders, methods=["GET"]),
    Route("/tiles/reference/{z}/{x}/{y}", reference, methods=["GET"]),
    Route("/tiles/density/{z}/{x}/{y}", density, methods=["GET"]),
    Route("/tiles/scene/{id}/{z}/{x}/{y}", scene_tile, methods=["GET"]),
    Route("/overlays/scene/{id}.png", scene_overlay, methods=["GET"]),
    Route("/overlays/scene/{id}/thumbnail.jpg", scene_thumbnail, methods=["GET"]),
    Route("/overlays/heat/{id}.png", heat_overlay, methods=["GET"]),
    Route("/assets/map/{name}", asset, methods=["GET"]),
]
