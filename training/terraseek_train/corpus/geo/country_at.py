"""Country of a point by point in polygon, with the polygons that the package `geopip` ships.

A point in no polygon (small islands, ships near a port, a generalised coast) has the country of a
town of the gazetteer within 25 km.
"""

import json
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import shapely
from jaxtyping import Float64

from terraseek.catalogue.places.gazetteer import Place, all_places
from terraseek.errors import MissingExtraError
from terraseek.geo import distance_km

__all__ = ["countries_near", "country_at"]

_NEAR_KM = 25.0
_AROUND_DEG = 0.15
"""Distance within which a border may be generalised: polygons are those of maps of the world."""


@cache
def _towns() -> tuple[Place, ...]:
    return tuple(all_places())


@cache
def _town_positions() -> tuple[Float64[np.ndarray, " n"], Float64[np.ndarray, " n"]]:
    lon = np.array([town.lon for town in _towns()], float)
    lat = np.array([town.lat for town in _towns()], float)
    return lon, lat


@cache
def _polygons() -> tuple[shapely.STRtree, tuple[str, ...]]:
    """Polygons of countries in a tree, and the ISO code of each."""
    spec = find_spec("geopip")
    if spec is None or spec.origin is None:
        raise MissingExtraError("countries of positions need their polygons: pip install geopip")
    file = Path(spec.origin).parent / "globe.geo.json"
    features = json.loads(file.read_text(encoding="utf-8"))["features"]
    shapes = [shapely.make_valid(shapely.geometry.shape(f["geometry"])) for f in features]
    return shapely.STRtree(shapes), tuple(str(f["properties"]["ISO2"]) for f in features)


def country_at(lon: Float64[np.ndarray, " n"], lat: Float64[np.ndarray, " n"]) -> list[str]:
    """ISO 3166-1 alpha-2 codes of the countries that contain points; "" at sea, and for NaN.

    Args:
        lon: degrees east, EPSG:4326.
        lat: degrees north.

    Raises:
        MissingExtraError: `geopip` is not installed.
    """
    tree, codes = _polygons()
    found = [""] * len(lon)
    known = np.flatnonzero(np.isfinite(lon) & np.isfinite(lat))
    rows, polygons = tree.query(shapely.points(lon[known], lat[known]), predicate="intersects")
    for row, polygon in zip(rows.tolist(), polygons.tolist(), strict=True):
        found[known[row]] = found[known[row]] or codes[polygon]
    for row in known:
        found[row] = found[row] or _nearest_town(float(lon[row]), float(lat[row]))
    return found


def _nearest_town(lon: float, lat: float) -> str:
    town_lon, town_lat = _town_positions()
    near = np.flatnonzero((abs(town_lat - lat) < 0.3) & (abs(town_lon - lon) < 1.5))
    if not len(near):
        return ""
    away = distance_km(town_lon[near], town_lat[near], lon, lat)
    best = int(np.argmin(away))
    return _towns()[near[best]].country if away[best] <= _NEAR_KM else ""


def countries_near(lon: float, lat: float) -> set[str]:
    """Countries at a point and at eight points 0.15 degrees (up to 17 km) around it."""
    shifts = (-_AROUND_DEG, 0.0, _AROUND_DEG)
    lons = np.array([lon + dx for dx in shifts for _ in shifts])
    lats = np.array([min(90.0, max(-90.0, lat + dy)) for _ in shifts for dy in shifts])
    return set(country_at(lons, lats)) - {""}
