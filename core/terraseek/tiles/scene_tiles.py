"""Web Mercator tiles and previews of scenes and heat maps, as PNG."""

import io
import math
import threading
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float32, UInt8
from PIL import Image

from terraseek.geo import BBox, tile_bounds
from terraseek.localization.heatmap import HeatMap
from terraseek.scenes import Georef, Scene
from terraseek.scenes.web_mercator import sample, source_positions, to_mercator

__all__ = [
    "TILE_SIDE",
    "heat_tile",
    "is_located",
    "scene_preview",
    "scene_tile",
    "scene_tile_pixels",
]

TILE_SIDE = 256
"""Side of a tile in pixels."""
_MAX_EXACT_ZOOM = 8
"""Up to this zoom tiles are so wide that interpolated positions would be a pixel off."""
_MARGIN = 2
"""Source pixels read around a tile, for interpolation."""
_MAX_READ_BYTES = 64 << 20
_MAX_SAMPLES = 320
"""Rows and columns of scores sampled for a tile, a few more than its pixels: scores are smooth."""


@dataclass(frozen=True, eq=False)
class _SharedScene:
    """A scene kept open between tiles; GDAL datasets must not be read by two threads at once."""

    scene: Scene
    lock: threading.Lock


@lru_cache(maxsize=32)
def _open_shared(path: Path, modified_ns: int, size: int) -> _SharedScene:
    """The open scene; time and size are in the key so that a replaced file is opened again."""
    return _SharedScene(Scene.open(path), threading.Lock())


def scene_tile(path: Path, z: int, x: int, y: int) -> bytes | None:
    """PNG (RGBA, 256 pixels) of a scene in tile z/x/y (XYZ scheme); None outside the scene.

    Colours are stretched as in `Scene`, invalid pixels are transparent.

    Raises:
        BBoxError: there is no such tile.
        SceneError: the file cannot be read.
    """
    pixels = scene_tile_pixels(path, z, x, y)
    return None if pixels is None else _rgba_png(*pixels)


def scene_tile_pixels(
    path: Path, z: int, x: int, y: int
) -> tuple[UInt8[np.ndarray, "side side 3"], Bool[np.ndarray, "side side"]] | None:
    """Pixels of a scene in a tile and which are valid; None outside the scene, see `scene_tile`.

    Raises:
        BBoxError: there is no such tile.
        SceneError: the file cannot be read.
    """
    shared = _shared_scene(path)
    with shared.lock:
        return _scene_tile(shared.scene, z, x, y)


def is_located(path: Path) -> bool:
    """Whether a raster file has a location on the globe of its own.

    Raises:
        SceneError: the file cannot be read.
    """
    shared = _shared_scene(path)
    with shared.lock:
        return shared.scene.georef.bounds is not None


def _shared_scene(path: Path) -> _SharedScene:
    state = path.stat()
    return _open_shared(path, state.st_mtime_ns, state.st_size)


def _scene_tile(
    scene: Scene, z: int, x: int, y: int
) -> tuple[UInt8[np.ndarray, "side side 3"], Bool[np.ndarray, "side side"]] | None:
    positions = _tile_positions(scene.georef, z, x, y)
    if positions is None:
        return None
    cols, rows, inside = positions
    left, right = _pixel_range(cols[inside], scene.width)
    top, bottom = _pixel_range(rows[inside], scene.height)
    # read as many source pixels as the tile shows; overviews of the file are used where possible
    factor = math.sqrt(inside.sum() / ((right - left) * (bottom - top)))
    factor = min(1.0, max(factor, 1 / max(right - left, bottom - top)))
    if (right - left) * (bottom - top) * factor**2 * 4 > _MAX_READ_BYTES:  # long, thin ranges
        factor = math.sqrt(_MAX_READ_BYTES / 4 / ((right - left) * (bottom - top)))
    size = max(1, round((bottom - top) * factor)), max(1, round((right - left) * factor))
    rgb, valid = scene.window(top, left, bottom, right, size)
    local_cols = (cols - left) * np.float32(size[1] / (right - left))
    local_rows = (rows - top) * np.float32(size[0] / (bottom - top))
    image, visible = sample(rgb, valid, local_cols, local_rows)
    visible &= inside
    image[~visible] = 0
    return (image, visible) if np.any(visible) else None


def heat_tile(heat: HeatMap, z: int, x: int, y: int) -> bytes | None:
    """PNG (RGB, 256 pixels) of a heat map in tile z/x/y, to be coloured by the browser.

    Red is the score as 0-255 between `heat.low` and `heat.high`; green is 255 where it is valid.
    So opacity, threshold and colours change without a new tile. Only the part that the tile shows
    is sampled, at the map's full resolution.

    Returns:
        The image; None outside the scene.

    Raises:
        BBoxError: there is no such tile.
    """
    positions = _tile_positions(heat.georef, z, x, y)
    if positions is None:
        return None
    cols, rows, inside = positions
    left, right = _pixel_range(cols[inside], heat.width)
    top, bottom = _pixel_range(rows[inside], heat.height)
    height, width = min(bottom - top, _MAX_SAMPLES), min(right - left, _MAX_SAMPLES)
    scores = heat.sample(
        top + (np.arange(height) + 0.5) * ((bottom - top) / height),
        left + (np.arange(width) + 0.5) * ((right - left) / width),
    )
    values, visible = sample(
        heat.to_display(scores)[..., None],
        np.isfinite(scores),
        (cols - left) * np.float32(width / (right - left)),
        (rows - top) * np.float32(height / (bottom - top)),
    )
    visible &= inside
    if not np.any(visible):
        return None
    out = np.zeros((TILE_SIDE, TILE_SIDE, 3), np.uint8)
    out[..., 0] = np.where(visible, values[..., 0], 0)
    out[..., 1] = np.where(visible, 255, 0)
    return _png(out)


def scene_preview(scene: Scene, max_side: int = 1024) -> tuple[bytes, list[list[float]] | None]:
    """PNG (RGBA) of the whole scene and the [lon, lat] of its corners ul, ur, lr, ll.

    The image is warped to Web Mercator, so that a MapLibre image source with these corners is
    placed exactly. In pixel space the image is the reduced scene, and the corners are None.

    Args:
        scene: open scene.
        max_side: longest side of the image in pixels.

    Raises:
        SceneError: the pixels cannot be decoded or none is valid.
    """
    rgb, valid = scene.preview(max_side)
    image, visible, corners = to_mercator(rgb, valid, scene.georef, max_side)
    return _rgba_png(image, visible), corners


_Positions = tuple[
    Float32[np.ndarray, "side side"],
    Float32[np.ndarray, "side side"],
    Bool[np.ndarray, "side side"],
]


def _tile_positions(georef: Georef, z: int, x: int, y: int) -> _Positions | None:
    """Source column and row of each tile pixel, and which lie in the scene; None if none does."""
    tile, bounds = tile_bounds(x, y, z), georef.bounds
    if bounds is None or not _overlap(tile, bounds):
        return None
    box = (*_mercator(tile.west, tile.south), *_mercator(tile.east, tile.north))
    exact = z <= _MAX_EXACT_ZOOM
    cols, rows = source_positions(georef, 0.0, box, TILE_SIDE, TILE_SIDE, exact)
    inside = (cols >= 0) & (cols < georef.width) & (rows >= 0) & (rows < georef.height)
    if exact:
        inside &= _inside_bounds(tile, bounds)
    return (cols, rows, inside) if np.any(inside) else None


def _inside_bounds(tile: BBox, bounds: BBox) -> Bool[np.ndarray, "side side"]:
    """Tile pixels inside the scene's bounds; far outside, projections give wrong positions."""
    centres = (np.arange(TILE_SIDE) + 0.5) / TILE_SIDE
    west, north = _mercator(tile.west, tile.north)
    east, south = _mercator(tile.east, tile.south)
    lon = np.degrees(west + centres * (east - west))
    lat = np.degrees(np.arctan(np.sinh(north - centres * (north - south))))
    grid_lon, grid_lat = np.meshgrid(lon, lat)
    return bounds.contains(grid_lon.ravel(), grid_lat.ravel()).reshape(TILE_SIDE, TILE_SIDE)


def _mercator(lon: float, lat: float) -> tuple[float, float]:
    """(x, y) in Mercator radians."""
    return math.radians(lon), math.asinh(math.tan(math.radians(lat)))


def _overlap(tile: BBox, bounds: BBox) -> bool:
    if tile.south > bounds.north or tile.north < bounds.south:
        return False
    return any(tile.west <= part.east and tile.east >= part.west for part in bounds.split())


def _pixel_range(positions: Float32[np.ndarray, " n"], length: int) -> tuple[int, int]:
    """First and past-last source pixel needed, with a margin for interpolation."""
    start = max(0, math.floor(float(positions.min())) - _MARGIN)
    return start, min(length, math.ceil(float(positions.max())) + _MARGIN)


def _rgba_png(image: UInt8[np.ndarray, "h w 3"], visible: Bool[np.ndarray, "h w"]) -> bytes:
    alpha = np.where(visible, np.uint8(255), np.uint8(0))
    return _png(np.dstack([image, alpha]))


def _png(pixels: UInt8[np.ndarray, "h w bands"]) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()
