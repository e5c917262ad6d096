"""Places a filter can ask for beside a box: polygons, and everything within some kilometres."""

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from terraseek.errors import FilterError
from terraseek.geo import BBox

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["EARTH_RADIUS_KM", "Area", "Circle"]

EARTH_RADIUS_KM = 6371.0088
"""Mean radius (2a + b) / 3 of the WGS84 ellipsoid; distances on this sphere are off by 0.6 % at
most."""
_HALF_GLOBE_KM = math.pi * EARTH_RADIUS_KM
_MARGIN = 1e-9
_POLYGONS = ("Polygon", "MultiPolygon")
_SUFFIXES = (".geojson", ".json", ".wkt", ".txt")


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within a distance of a centre, over the poles and the antimeridian as well.

    Raises `FilterError` for a centre off the globe or a radius that is not above 0.
    """

    lon: float
    """Degrees east of the centre, EPSG:4326, -180 to 180."""
    lat: float
    """Degrees north of the centre, -90 to 90."""
    km: float
    """Radius in kilometres along the great circle."""

    def __post_init__(self) -> None:
        if not (-180 <= self.lon <= 180 and -90 <= self.lat <= 90):
            raise FilterError(
                f"the centre {self.lon:g},{self.lat:g} is not on the globe; "
                "give LON,LAT,KM with the longitude first"
            )
        if not 0 < self.km < math.inf:
            raise FilterError(f"the radius {self.km:g} km must be above 0")

    @classmethod
    def parse(cls, text: str) -> "Circle":
        """Read `LON,LAT,KM`.

        Raises:
            FilterError: not three numbers, or out of range.
        """
        try:
            lon, lat, km = (float(part) for part in text.split(","))
        except ValueError as error:
            raise FilterError(f"{text!r} must be three numbers LON,LAT,KM") from error
        return cls(lon, lat, km)

    def boxes(self) -> tuple[BBox, ...]:
        """A box that holds the circle, so that far points are passed over quickly."""
        if self.km >= _HALF_GLOBE_KM:
            return (BBox(-180, -90, 180, 90),)
        reach = self.km / EARTH_RADIUS_KM
        high = math.degrees(reach) + _MARGIN
        south, north = self.lat - high, self.lat + high
        if south <= -90 or north >= 90:
            return (BBox(-180, max(south, -90), 180, min(north, 90)),)
        # the widest meridian a circle touches, not the one at its centre's latitude
        wide = math.degrees(math.asin(math.sin(reach) / math.cos(math.radians(self.lat)))) + _MARGIN
        return (BBox(_wrapped(self.lon - wide), south, _wrapped(self.lon + wide), north),)

    def contains(
        self, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Which points lie within the distance (haversine formula); NaN points lie nowhere."""
        here, there = np.radians(self.lat), np.radians(lat)
        half_lat = np.sin((there - here) / 2) ** 2
        half_lon = np.sin(np.radians(lon - self.lon) / 2) ** 2
        square = np.clip(half_lat + np.cos(here) * np.cos(there) * half_lon, 0, 1)
        inside: Bool[np.ndarray, " n"] = 2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(square)) <= self.km
        return inside


@dataclass(frozen=True)
class Area:
    """A polygon or several; holes count.

    Edges are straight in longitude and latitude, as RFC 7946 has it. An area across the
    antimeridian is cut there into a MultiPolygon, or goes on past 180 degrees (170 to 190);
    longitudes may reach from -360 to 360. Raises `FilterError` for what is no polygon on the globe.
    """

    geometry: "BaseGeometry"
    """shapely Polygon or MultiPolygon, degrees, longitude first."""

    def __post_init__(self) -> None:
        import shapely

        given = self.geometry
        if given.geom_type not in _POLYGONS:
            raise FilterError(f"the area is a {given.geom_type}; it must be a polygon")
        if not np.isfinite(shapely.get_coordinates(given)).all():
            raise FilterError("the area has a corner that is no number")
        if not given.is_valid:
            # edges that cross themselves: the even-odd parts, as map programs draw them
            given = shapely.make_valid(given)
            object.__setattr__(self, "geometry", given)
        if given.is_empty or given.area == 0:
            raise FilterError("the area is empty; its corners must not lie on one line")
        west, south, east, north = given.bounds
        if south < -90 or north > 90 or west < -360 or east > 360 or east - west > 360:
            raise FilterError(
                f"the area reaches from {west:g},{south:g} to {east:g},{north:g}; corners are "
                "longitude, latitude in degrees"
            )
        shapely.prepare(self.geometry)

    @classmethod
    def read(cls, text_or_file: str) -> "Area":
        """An area out of a file of WKT or GeoJSON, or out of the text itself.

        Raises:
            FilterError: it holds no polygon, or cannot be read.
        """
        if text_or_file.lower().endswith(_SUFFIXES):
            path = Path(text_or_file)
            try:
                return cls.parse(path.read_text(encoding="utf-8"))
            except (OSError, UnicodeDecodeError) as error:
                raise FilterError(f"the area {path} cannot be read: {error}") from error
        return cls.parse(text_or_file)

    @classmethod
    def parse(cls, text: str) -> "Area":
        """Read WKT, or a GeoJSON geometry, Feature or FeatureCollection.

        Raises:
            FilterError: it is neither, or no polygon.
        """
        import shapely

        text = text.strip()
        try:
            if text.startswith("{"):
                found = shapely.union_all(_geometries(json.loads(text)))
            else:
                found = shapely.from_wkt(text)
        except NotImplementedError as e:
            raise FilterError(
                f"the area {_short(text)} has curved edges, which cannot be used; "
                "give a POLYGON or MULTIPOLYGON"
            ) from e
        except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as e:
            raise FilterError(
                f"the area {_short(text)} is neither WKT nor GeoJSON: {_short(str(e))}"
            ) from e
        if found is None:
            raise FilterError("the area is empty; give WKT or GeoJSON of a polygon")
        return cls(found)

    def boxes(self) -> tuple[BBox, ...]:
        """Boxes in -180..180 that together hold the area."""
        west, south, east, north = self.geometry.bounds
        found = []
        for turn in (0, 360, -360):
            low, high = max(west - turn, -180.0), min(east - turn, 180.0)
            if low <= high:
                found.append(BBox(low, south, high, north))
        return tuple(found)

    def contains(
        self, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Which points lie in the area, edges included; NaN points lie nowhere."""
        import shapely

        west, _, east, _ = self.geometry.bounds
        inside = np.zeros(len(lon), bool)
        for turn in (0, 360, -360):
            if west - turn <= 180 and east - turn >= -180:
                inside |= shapely.intersects_xy(self.geometry, lon + turn, lat)
        return inside


def _wrapped(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def _geometries(value: dict[str, Any]) -> list[Any]:
    import shapely

    if value["type"] == "FeatureCollection":
        return [g for feature in value["features"] for g in _geometries(feature)]
    if value["type"] == "Feature":
        value = value["geometry"]
    # shapely.geometry.shape lets wrong nesting through; GEOS' own reader does not
    return [shapely.from_geojson(json.dumps(value))]


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")
