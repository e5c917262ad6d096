"""Boxes, distances and tiles on the globe; longitude before latitude, EPSG:4326."""

import math
import re
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float64

from terraseek.errors import BBoxError

__all__ = [
    "EARTH_KM",
    "MERCATOR_LIMIT",
    "BBox",
    "distance_km",
    "file_named_by_crs",
    "lonlat_to_tile",
    "tile_bounds",
    "unwrap_longitudes",
]

EARTH_KM = 6371.0088
"""Mean radius (2a + b) / 3 of the WGS84 ellipsoid (IUGG), in kilometres."""

MERCATOR_LIMIT = 85.0511287798066
"""Largest latitude of Web Mercator, in degrees."""

_CRS_FILE = re.compile(
    r"""(?:grids|file|init)\s*=\s*([^\s"]+)|PARAMETERFILE\s*\[[^\]]*?,\s*"([^"]*)"|"""
    r""""[^"]*\bfile"\s*,\s*"value"\s*:\s*"([^"]*)\"""",
    re.IGNORECASE,
)
"""Files in PROJ strings, WKT and PROJJSON; names of grids without a folder are PROJ's own."""


def file_named_by_crs(text: str) -> str:
    """Path of a file that a CRS would make PROJ open (`+nadgrids=/...`); empty if there is none.

    Args:
        text: PROJ string, WKT or PROJJSON.
    """
    found = (path for match in _CRS_FILE.finditer(text) for path in match.groups() if path)
    return next((path for path in found if "/" in path or "\\" in path), "")


@dataclass(frozen=True, slots=True)
class BBox:
    """Bounding box in degrees, EPSG:4326; `west > east` means it crosses the antimeridian.

    Raises `BBoxError` for values that are not finite or out of range, and for north below south.
    """

    west: float
    """Western edge, -180 to 180."""
    south: float
    """Southern edge, -90 to 90."""
    east: float
    """Eastern edge, -180 to 180; smaller than `west` where the box crosses the antimeridian."""
    north: float
    """Northern edge, -90 to 90."""

    def __post_init__(self) -> None:
        values = (self.west, self.south, self.east, self.north)
        if not all(math.isfinite(v) for v in values):
            raise BBoxError(
                f"bbox {values} has a value that is not a number; give W,S,E,N in degrees"
            )
        if not (-180 <= self.west <= 180 and -180 <= self.east <= 180):
            raise BBoxError(
                f"bbox longitudes {self.west:g} and {self.east:g} must lie in -180..180; "
                "a box across the antimeridian has west > east, for example 170,-20,-170,10"
            )
        if not (-90 <= self.south <= 90 and -90 <= self.north <= 90):
            raise BBoxError(f"bbox latitudes {self.south:g} and {self.north:g} must lie in -90..90")
        if self.south > self.north:
            raise BBoxError(
                f"bbox south {self.south:g} is above north {self.north:g}; the order is W,S,E,N"
            )

    @classmethod
    def parse(cls, text: str) -> "BBox":
        """Read `W,S,E,N` in degrees.

        Raises:
            BBoxError: not four numbers, or out of range.
        """
        try:
            west, south, east, north = (float(part) for part in text.split(","))
        except ValueError as error:
            raise BBoxError(f"bbox {text!r} must be four numbers W,S,E,N in degrees") from error
        return cls(west, south, east, north)

    @property
    def crosses_antimeridian(self) -> bool:
        """Whether the box contains longitude 180 in its interior."""
        return self.west > self.east

    def split(self) -> "tuple[BBox, ...]":
        """Split into boxes that do not cross the antimeridian: one or two."""
        if not self.crosses_antimeridian:
            return (self,)
        return (
            BBox(self.west, self.south, 180.0, self.north),
            BBox(-180.0, self.south, self.east, self.north),
        )

    def contains(
        self, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Which points lie in the box, edges included; NaN points do not."""
        inside = (lat >= self.south) & (lat <= self.north)
        if self.crosses_antimeridian:
            return inside & ((lon >= self.west) | (lon <= self.east))
        return inside & (lon >= self.west) & (lon <= self.east)

    def as_tuple(self) -> tuple[float, float, float, float]:
        """The four values (west, south, east, north)."""
        return (self.west, self.south, self.east, self.north)


def distance_km(
    lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"], lon0: float, lat0: float
) -> Float[np.ndarray, " n"]:
    """Great-circle distances in kilometres from points to (`lon0`, `lat0`); NaN stays NaN.

    Haversine formula on a sphere, with an error of up to 0.6 %; angles in degrees, EPSG:4326.
    """
    phi, phi0 = np.radians(lat), math.radians(lat0)
    across = np.radians(lon - lon0)
    half = np.sin((phi - phi0) / 2) ** 2 + np.cos(phi) * math.cos(phi0) * np.sin(across / 2) ** 2
    return np.asarray(2 * EARTH_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))))


def unwrap_longitudes(lon: Float64[np.ndarray, " n"]) -> Float64[np.ndarray, " n"]:
    """Shift longitudes by multiples of 360 degrees, so that the set of them is least wide.

    The widest gap on the circle between neighbouring longitudes becomes the outside: 179 and -179
    become 179 and 181.
    """
    on_circle = np.mod(lon, 360.0)
    ordered = np.sort(on_circle)
    gaps = np.diff(np.append(ordered, ordered[0] + 360.0))
    start = ordered[(int(np.argmax(gaps)) + 1) % len(ordered)]
    continuous = start + np.mod(on_circle - start, 360.0)
    turns = np.floor((continuous.min() + 180.0) / 360.0)
    return np.asarray(continuous - 360.0 * turns)


def lonlat_to_tile(lon: float, lat: float, zoom: int) -> tuple[int, int]:
    """Column and row of the Web Mercator tile that contains a point (XYZ scheme, y down)."""
    side = 1 << zoom
    lat = max(-MERCATOR_LIMIT, min(MERCATOR_LIMIT, lat))
    x = int((lon + 180.0) / 360.0 * side)
    y = int((1.0 - math.asinh(math.tan(math.radians(lat))) / math.pi) / 2.0 * side)
    return min(max(x, 0), side - 1), min(max(y, 0), side - 1)


def tile_bounds(x: int, y: int, zoom: int) -> BBox:
    """Bounds of a Web Mercator tile (XYZ scheme).

    Raises:
        BBoxError: the tile does not exist at this zoom.
    """
    side = 1 << zoom
    if not (0 <= x < side and 0 <= y < side):
        raise BBoxError(f"tile {zoom}/{x}/{y} does not exist; x and y go from 0 to {side - 1}")

    def latitude(row: int) -> float:
        return math.degrees(math.atan(math.sinh(math.pi * (1 - 2 * row / side))))

    return BBox(x / side * 360 - 180, latitude(y + 1), (x + 1) / side * 360 - 180, latitude(y))
