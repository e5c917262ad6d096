"""Areas of a filter other than a box: polygons and circles."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Bool, Float

from terraseek.catalogue.filters.crossings import has_more_crossings
from terraseek.errors import FilterError, SourceError
from terraseek.geo import EARTH_KM, BBox, distance_km
from terraseek.parameters import Codec, format_degrees
from terraseek.text_files import read_text

if TYPE_CHECKING:
    from shapely.geometry.base import BaseGeometry

__all__ = ["AREA", "CIRCLE", "MAX_VERTICES", "Area", "Circle", "polygon_rings"]

MAX_VERTICES = 10_000
"""Most vertices of an area given as text, as in a request."""
_MAX_FILE_VERTICES = 1_000_000
_MAX_CROSSINGS = 250  # GEOS resolves them in 0.1 s; 5,000 take 7 s
_MAX_UNION_CROSSINGS = 5_000  # of the edges of several areas, united in 0.2 s
_MAX_NESTING = 20
_MAX_TESTS = 200_000_000  # of a point against an edge: about 5 s

_HALF_GLOBE_KM = math.pi * EARTH_KM
_MARGIN_DEG = 1e-9
_POLYGONS = ("Polygon", "MultiPolygon")
_SUFFIXES = (".geojson", ".json", ".wkt", ".txt")
_NUMBER_STARTS = tuple("0123456789+-.")


@dataclass(frozen=True, slots=True)
class Circle:
    """All points within a distance of a centre; may contain a pole or cross the antimeridian.

    Raises `FilterError` for a centre out of range or a radius that is not positive.
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
        """Box that contains the circle, for a fast first selection of points."""
        if self.km >= _HALF_GLOBE_KM:
            return (BBox(-180, -90, 180, 90),)
        angle = self.km / EARTH_KM  # radius as an angle at the centre of the Earth
        height = math.degrees(angle) + _MARGIN_DEG
        south, north = self.lat - height, self.lat + height
        if south <= -90 or north >= 90:
            return (BBox(-180, max(south, -90), 180, min(north, 90)),)
        # meridian that touches the circle; it does so at another latitude than the centre's
        ratio = math.sin(angle) / math.cos(math.radians(self.lat))
        width = math.degrees(math.asin(ratio)) + _MARGIN_DEG
        return (BBox(_wrap(self.lon - width), south, _wrap(self.lon + width), north),)

    def contains(
        self, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Which points lie within the radius, see `geo.distance_km`; NaN points do not."""
        inside: Bool[np.ndarray, " n"] = distance_km(lon, lat, self.lon, self.lat) <= self.km
        return inside


@dataclass(frozen=True)
class Area:
    """A polygon or multipolygon, possibly with holes.

    Edges are straight lines in longitude and latitude, as in RFC 7946. An area across the
    antimeridian is either cut there into a MultiPolygon or continues past 180 degrees (170 to 190);
    longitudes may range from -360 to 360. Raises `FilterError` for another geometry type, an empty
    polygon, one that crosses itself more than 250 times, or coordinates out of range.
    """

    geometry: "BaseGeometry"
    """Shapely Polygon or MultiPolygon, degrees, longitude first."""

    def __post_init__(self) -> None:
        import shapely

        geometry = self.geometry
        if geometry.geom_type not in _POLYGONS:
            raise FilterError(f"the area is a {geometry.geom_type}; it must be a polygon")
        if not np.isfinite(shapely.get_coordinates(geometry)).all():
            raise FilterError("the area has a vertex that is not a number")
        if not geometry.is_valid:
            if has_more_crossings(geometry, _MAX_CROSSINGS):
                raise FilterError(
                    f"the edges of the area cross more than {_MAX_CROSSINGS} times; give an "
                    "outline that does not cross itself"
                )
            # self-intersecting edges: the even-odd rule, as GIS programs draw them
            geometry = shapely.make_valid(geometry)
            object.__setattr__(self, "geometry", geometry)
        if geometry.is_empty or geometry.area == 0:
            raise FilterError("the area is empty; its vertices must not lie on one line")
        west, south, east, north = geometry.bounds
        if south < -90 or north > 90 or west < -360 or east > 360 or east - west > 360:
            raise FilterError(
                f"the area reaches from {west:g},{south:g} to {east:g},{north:g}; vertices are "
                "longitude, latitude in degrees"
            )
        shapely.prepare(self.geometry)

    @classmethod
    def read(cls, text_or_file: str) -> "Area":
        """Read WKT or GeoJSON from a file, or from the text itself.

        Raises:
            FilterError: it contains no polygon, or cannot be read.
        """
        if text_or_file.lower().endswith(_SUFFIXES):
            path = Path(text_or_file)
            try:
                return cls.parse(read_text(path), _MAX_FILE_VERTICES)
            except (OSError, SourceError) as error:
                raise FilterError(f"the area {path} cannot be read: {error}") from error
        return cls.parse(text_or_file)

    @classmethod
    def parse(cls, text: str, max_vertices: int = MAX_VERTICES) -> "Area":
        """Read WKT, a GeoJSON geometry, Feature or FeatureCollection, or corners.

        Corners are `LON,LAT;LON,LAT;...` in degrees; the last is joined to the first. Several
        polygons are separated by `|`, and the area is their union.

        Raises:
            FilterError: it is none of these, not a polygon, or has more than `max_vertices`.
        """
        import shapely

        text = text.strip()
        _check_size(text, max_vertices)
        try:
            if text.startswith("{"):
                found = _union(_geometries(json.loads(text)))
            elif text[:1] in _NUMBER_STARTS:
                found = _polygons(text.split("|"))
            else:
                found = shapely.from_wkt(text)
        except NotImplementedError as e:
            raise FilterError(
                f"the area {_short(text)} has curved edges, which cannot be used; "
                "give a POLYGON or MULTIPOLYGON"
            ) from e
        except (ValueError, KeyError, TypeError, AttributeError, shapely.errors.ShapelyError) as e:
            raise FilterError(
                f"the area {_short(text)} is neither WKT nor GeoJSON nor corners: {_short(str(e))}"
            ) from e
        if found is None:
            raise FilterError("the area is empty; give WKT or GeoJSON of a polygon")
        return cls(found)

    def to_text(self) -> str:
        """Corners of polygons without holes, WKT of any other area; `parse` reads both."""
        import shapely

        rings = polygon_rings(self.geometry)
        if rings is None:
            return str(shapely.to_wkt(self.geometry, rounding_precision=5))
        return "|".join(";".join(map(format_degrees, ring)) for ring in rings)

    def boxes(self) -> tuple[BBox, ...]:
        """Boxes with longitudes in -180..180 that together contain the area."""
        west, south, east, north = self.geometry.bounds
        found = []
        for shift in (0, 360, -360):
            low, high = max(west - shift, -180.0), min(east - shift, 180.0)
            if low <= high:
                found.append(BBox(low, south, high, north))
        return tuple(found)

    def contains(
        self, lon: Float[np.ndarray, " n"], lat: Float[np.ndarray, " n"]
    ) -> Bool[np.ndarray, " n"]:
        """Which points lie in the area, edges included; NaN points do not.

        Raises:
            FilterError: the area has too many edges for so many points.
        """
        import shapely

        if len(lon) * _edges_per_latitude(self.geometry) > _MAX_TESTS:
            raise FilterError(
                f"the area has too many edges to be tested on {len(lon):,} positions; simplify "
                "its outline, or restrict the search by other filters"
            )
        west, _, east, _ = self.geometry.bounds
        inside = np.zeros(len(lon), bool)
        for shift in (0, 360, -360):
            if west - shift <= 180 and east - shift >= -180:
                inside |= shapely.intersects_xy(self.geometry, lon + shift, lat)
        return inside


def _check_size(text: str, max_vertices: int) -> None:
    """Refuse a text with more vertices or deeper nesting than an area needs, before parsing."""
    depth, deepest = 0, 0
    for bracket in re.findall(r"[\[({})\]]", text):
        depth += 1 if bracket in "[({" else -1
        deepest = max(deepest, depth)
    if deepest > _MAX_NESTING:
        raise FilterError(
            f"the area {_short(text)} is nested {deepest} levels deep, more than {_MAX_NESTING}; "
            "give a POLYGON or MULTIPOLYGON"
        )
    # every vertex but the last is followed by a comma in WKT and GeoJSON, by ";" in corners
    in_corners = text[:1] in _NUMBER_STARTS
    n_vertices = (text.count(";") + text.count("|") if in_corners else text.count(",")) + 1
    n_vertices = n_vertices // 2 if text.startswith("{") else n_vertices
    if n_vertices > max_vertices:
        raise FilterError(
            f"the area has about {n_vertices:,} vertices, more than {max_vertices:,}; simplify "
            "its outline"
        )


def _union(geometries: "list[BaseGeometry]") -> "BaseGeometry":
    """Union of polygons; other geometries are united too, and refused later by their type."""
    import shapely

    if len(geometries) > 1:
        together = shapely.GeometryCollection(geometries)
        if has_more_crossings(together, _MAX_UNION_CROSSINGS):
            raise FilterError(
                f"the edges of the areas cross more than {_MAX_UNION_CROSSINGS} times; give areas "
                "that do not overlap, or fewer"
            )
    union: BaseGeometry = shapely.union_all(geometries)
    return union


def _edges_per_latitude(geometry: "BaseGeometry") -> float:
    """Mean number of edges at a latitude of the area; a point is tested against these."""
    import shapely

    lat = shapely.get_coordinates(geometry)[:, 1]
    return float(np.abs(np.diff(lat)).sum() / np.ptp(lat))


def polygon_rings(geometry: "BaseGeometry") -> list[list[tuple[float, float]]] | None:
    """Outlines of the polygons of a geometry: corners (lon, lat) without the repeated first one.

    None if a polygon has holes, or the geometry has parts that are no polygons.
    """
    import shapely

    polygons = list(shapely.get_parts(geometry))
    if any(part.geom_type != "Polygon" or part.interiors for part in polygons):
        return None
    return [[(x, y) for x, y in part.exterior.coords[:-1]] for part in polygons]


def _polygons(texts: list[str]) -> "BaseGeometry":
    """The polygon of `LON,LAT;...`, or the union of several."""
    import shapely

    found = [shapely.Polygon([_corner(part) for part in text.split(";")]) for text in texts]
    if len(found) == 1:
        return found[0]
    return _union([Area(polygon).geometry for polygon in found])


def _corner(text: str) -> tuple[float, float]:
    lon, lat = (float(part) for part in text.split(","))
    return lon, lat


def _wrap(lon: float) -> float:
    return lon if -180 <= lon <= 180 else (lon + 180) % 360 - 180


def _geometries(value: dict[str, Any]) -> "list[BaseGeometry]":
    import shapely

    if value["type"] == "FeatureCollection":
        return [g for feature in value["features"] for g in _geometries(feature)]
    if value["type"] == "Feature":
        value = value["geometry"]
    # shapely.geometry.shape accepts wrong nesting; the reader of GEOS does not
    return [shapely.from_geojson(json.dumps(value))]


def _short(text: str) -> str:
    return repr(text) if len(text) <= 60 else repr(text[:57] + "...")


AREA = Codec(Area.parse, Area.to_text, "WKT or GeoJSON of a polygon", "AREA", read_local=Area.read)
CIRCLE = Codec(
    Circle.parse,
    lambda circle: format_degrees((circle.lon, circle.lat, circle.km)),
    "LON,LAT,KM",
    "LON,LAT,KM",
)
