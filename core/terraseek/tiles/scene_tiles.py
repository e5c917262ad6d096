"""Web Mercator tiles and previews of scenes and heat maps, as PNG."""

import io
import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from terraseek.geo import BBox, tile_bounds
from terraseek.scenes import Georef, Scene
from terraseek.scenes.web_mercator import sample, source_positions, to_mercator

if TYPE_CHECKING:
    from terraseek.localization import HeatMap

__all__ = ["TILE_SIDE", "heat_tile", "scene_preview", "scene_tile"]

TILE_SIDE = 256
"""Pixels of a tile's side."""
_EXACT_ZOOM = 8
"""Up to here a tile is wide enough that interpolated positions would be off by a pixel."""
_MARGIN = 2
_BYTES_A_READ = 64 << 20
_DRAWN_SIDE = 320
"""Rows and columns of scores drawn for a tile, some more than its own: scores are smooth."""


@dataclass(frozen=True, eq=False)
class _Shared:
    """A scene kept open between tiles; GDAL's readers must not be used by two threads at once."""

    scene: Scene
    lock: threading.Lock


@lru_cache(maxsize=8)
def _opened(path: Path, changed_ns: int, size: int) -> _Shared:
    """The open scene; time and size in the key make a replaced file a new one."""
    return _Shared(Scene.open(path), threading.Lock())


def scene_tile(path: Path, z: int, x: int, y: int) -> bytes | None:
    """PNG (RGBA, 256 pixels) of a scene in tile z/x/y (XYZ scheme); None outside the scene.

    Colours are stretched as in `Scene`, invalid pixels are transparent.

    Raises:
        BBoxError: there is no such tile.
        SceneError: the file cannot be read.
    """
    state = path.stat()
    shared = _opened(path, state.st_mtime_ns, state.st_size)
    with shared.lock:
        return _scene_tile(shared.scene, z, x, y)


def _scene_tile(scene: Scene, z: int, x: int, y: int) -> bytes | None:
    where = _positions(scene.georef, z, x, y)
    if where is None:
        return None
    cols, rows, inside = where
    left, right = _span(cols[inside], scene.width)
    top, bottom = _span(rows[inside], scene.height)
    # as many source pixels as the tile shows; below full size the file's overviews are used
    share = math.sqrt(inside.sum() / ((right - left) * (bottom - top)))
    factor = min(1.0, max(share, 1 / max(right - left, bottom - top)))
    if (right - left) * (bottom - top) * factor**2 * 4 > _BYTES_A_READ:  # long thin cuts
        factor = math.sqrt(_BYTES_A_READ / 4 / ((right - left) * (bottom - top)))
    size = max(1, round((bottom - top) * factor)), max(1, round((right - left) * factor))
    rgb, valid = scene.read(top, left, bottom, right, size)
    local_cols = (cols - left) * np.float32(size[1] / (right - left))
    local_rows = (rows - top) * np.float32(size[0] / (bottom - top))
    image, shown = sample(rgb, valid, local_cols, local_rows)
    shown &= inside
    image[~shown] = 0
    return _png(image, shown) if np.any(shown) else None


def heat_tile(heat: "HeatMap", z: int, x: int, y: int) -> bytes | None:
    """PNG (RGB, 256 pixels) of a heat map in tile z/x/y for a browser to colour; None outside.

    Red is the score 0-255 between `heat.low` and `heat.high`, green is 255 where it is valid. So
    opacity, threshold and colours change without a new tile. Only what the tile shows is drawn, in
    the map's full resolution.

    Raises:
        BBoxError: there is no such tile.
    """
    where = _positions(heat.georef, z, x, y)
    if where is None:
        return None
    cols, rows, inside = where
    left, right = _span(cols[inside], heat.width)
    top, bottom = _span(rows[inside], heat.height)
    height, width = min(bottom - top, _DRAWN_SIDE), min(right - left, _DRAWN_SIDE)
    drawn = heat.sample(
        top + (np.arange(height) + 0.5) * ((bottom - top) / height),
        left + (np.arange(width) + 0.5) * ((right - left) / width),
    )
    values, shown = sample(
        heat.to_display(drawn)[..., None],
        np.isfinite(drawn),
        (cols - left) * np.float32(width / (right - left)),
        (rows - top) * np.float32(height / (bottom - top)),
    )
    shown &= inside
    if not np.any(shown):
        return None
    out = np.zeros((TILE_SIDE, TILE_SIDE, 3), np.uint8)
    out[..., 0] = np.where(shown, values[..., 0], 0)
    out[..., 1] = np.where(shown, 255, 0)
    return _encoded(out)


def scene_preview(scene: Scene, max_side: int = 1024) -> tuple[bytes, list[list[float]] | None]:
    """PNG (RGBA) of the whole scene and the [lon, lat] of its corners ul, ur, lr, ll.

    Warped to Web Mercator, so that a MapLibre image source with these corners lies exactly. In
    pixel space the image is the scene shrunk, and the corners are None.
    """
    rgb, valid = scene.thumbnail(max_side)
    image, shown, corners = to_mercator(rgb, valid, scene.georef, max_side)
    return _png(image, shown), corners


def _positions(
    georef: Georef, z: int, x: int, y: int
) -> (
    tuple[
        Float32[np.ndarray, "side side"],
        Float32[np.ndarray, "side side"],
        Bool[np.ndarray, "side side"],
    ]
    | None
):
    """Source column and row of each tile pixel, and which lie in the scene; None if none does."""
    tile, bounds = tile_bounds(x, y, z), georef.bounds
    if bounds is None or not _overlap(tile, bounds):
        return None
    box = (*_mercator(tile.west, tile.south), *_mercator(tile.east, tile.north))
    cols, rows = source_positions(georef, 0.0, box, TILE_SIDE, TILE_SIDE, exact=z <= _EXACT_ZOOM)
    inside = (cols >= 0) & (cols < georef.width) & (rows >= 0) & (rows < georef.height)
    if z <= _EXACT_ZOOM:
        inside &= _within(tile, bounds)
    return (cols, rows, inside) if np.any(inside) else None


def _within(tile: BBox, bounds: BBox) -> Bool[np.ndarray, "side side"]:
    """Tile pixels in the scene's box: far away, projections give positions that mean nothing."""
    centres = (np.arange(TILE_SIDE) + 0.5) / TILE_SIDE
    west, north = _mercator(tile.west, tile.north)
    east, south = _mercator(tile.east, tile.south)
    lon = np.degrees(west + centres * (east - west))
    lat = np.degrees(np.arctan(np.sinh(north - centres * (north - south))))
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    return bounds.contains(grid_lon.ravel(), grid_lat.ravel()).reshape(TILE_SIDE, TILE_SIDE)


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    return math.radians(lon), math.asinh(math.tan(math.radians(lat)))


def _overlap(tile: BBox, bounds: BBox) -> bool:
    if tile.south > bounds.north or tile.north < bounds.south:
        return False
    return any(tile.west <= part.east and tile.east >= part.west for part in bounds.split())


def _span(values: Float32[np.ndarray, " n"], limit: int) -> tuple[int, int]:
    """First and past-last source pixel needed, with a margin for interpolation."""
    start = max(0, math.floor(float(values.min())) - _MARGIN)
    return start, min(limit, math.ceil(float(values.max())) + _MARGIN)


def _png(image: UInt8[np.ndarray, "h w 3"], shown: Bool[np.ndarray, "h w"]) -> bytes:
    alpha = np.where(shown, np.uint8(255), np.uint8(0))
    return _encoded(np.dstack([image, alpha]))


def _encoded(pixels: UInt8[np.ndarray, "h w bands"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()
