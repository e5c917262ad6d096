"""Translation of a filter to Qdrant: of what it can express, and with a margin.

Polygons that reach beyond 180 degrees are silently wrong in Qdrant, so they are cut there into
parts within -180 to 180. Qdrant leaves out points on the edge of an area, and rounds distances, so
every area is grown a little; the caller drops the rows outside.
"""

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from terraseek.catalogue.filters.areas import Area, Circle
from terraseek.catalogue.filters.filter import Filter
from terraseek.catalogue.metadata.dates import iso_date
from terraseek.engines.payload import item_days
from terraseek.geo import BBox

if TYPE_CHECKING:
    from shapely import Polygon
    from shapely.geometry.base import BaseGeometry

__all__ = ["qdrant_filter"]

_MARGIN_DEG = 1e-6  # about 0.1 m
_MARGIN_RATIO = 1.001
_MARGIN_M = 1.0
_MAX_VERTICES = 500
"""Vertices of an area above which its boxes are sent instead of its outline."""


def qdrant_filter(where: Filter | None, models: Any) -> Any:  # noqa: ANN401 - untyped package
    """Build a Qdrant filter that every row passes that meets `where`; None if no part has one.

    Args:
        where: filter of the items; captions, ids, other columns and SQL are not translated.
        models: module `qdrant_client.models`.
    """
    active = {} if where is None else where.active
    must = [
        _TRANSLATED[name](value, models) for name, value in active.items() if name in _TRANSLATED
    ]
    return models.Filter(must=must) if must else None


def _at(models: Any, **area: Any) -> Any:  # noqa: ANN401
    return models.FieldCondition(key="at", **area)


def _any_of(conditions: Sequence[Any], models: Any) -> Any:  # noqa: ANN401
    return conditions[0] if len(conditions) == 1 else models.Filter(should=list(conditions))


def _in_boxes(boxes: Sequence[BBox], models: Any) -> Any:  # noqa: ANN401
    return _any_of([_in_box(part, models) for box in boxes for part in box.split()], models)


def _in_box(box: BBox, models: Any) -> Any:  # noqa: ANN401
    west, south = max(box.west - _MARGIN_DEG, -180.0), max(box.south - _MARGIN_DEG, -90.0)
    east, north = min(box.east + _MARGIN_DEG, 180.0), min(box.north + _MARGIN_DEG, 90.0)
    corners = models.GeoBoundingBox(
        top_left=models.GeoPoint(lon=west, lat=north),
        bottom_right=models.GeoPoint(lon=east, lat=south),
    )
    return _at(models, geo_bounding_box=corners)


def _in_circle(circle: Circle, models: Any) -> Any:  # noqa: ANN401
    (box,) = circle.boxes()
    if box.crosses_antimeridian or box.west <= -180 or box.east >= 180:
        return _in_boxes([box], models)
    centre = models.GeoPoint(lon=circle.lon, lat=circle.lat)
    metres = 1000 * circle.km * _MARGIN_RATIO + _MARGIN_M
    return _at(models, geo_radius=models.GeoRadius(center=centre, radius=metres))


def _in_area(area: Area, models: Any) -> Any:  # noqa: ANN401
    import shapely

    if shapely.get_num_coordinates(area.geometry) > _MAX_VERTICES:
        return _in_boxes(area.boxes(), models)
    return _any_of([_in_polygon(part, models) for part in _parts(area.geometry)], models)


def _parts(geometry: "BaseGeometry") -> "Iterator[Polygon]":
    """Polygons within -180 to 180 that together contain an area and a margin."""
    import shapely
    from shapely.affinity import translate

    world = shapely.box(-180, -90, 180, 90)
    for shift in (0, 360, -360):
        west, _, east, _ = geometry.bounds
        if west - shift > 180 or east - shift < -180:
            continue
        grown = translate(geometry, -shift).buffer(_MARGIN_DEG, join_style="mitre")
        for part in shapely.get_parts(grown.intersection(world)):
            if part.geom_type == "Polygon":
                yield part


def _in_polygon(polygon: "Polygon", models: Any) -> Any:  # noqa: ANN401
    exterior, *interiors = (_line(ring, models) for ring in (polygon.exterior, *polygon.interiors))
    return _at(
        models, geo_polygon=models.GeoPolygon(exterior=exterior, interiors=interiors or None)
    )


def _line(ring: Any, models: Any) -> Any:  # noqa: ANN401
    points = [models.GeoPoint(lon=lon, lat=lat) for lon, lat in ring.coords]
    return models.GeoLineString(points=points)


def _one_of(key: str) -> Callable[[Sequence[str], Any], Any]:
    return lambda names, models: models.FieldCondition(
        key=key, match=models.MatchAny(any=list(names))
    )


def _range(key: str, **bounds: float) -> Callable[[Any], Any]:
    return lambda models: models.FieldCondition(key=key, range=models.Range(**bounds))


_TRANSLATED: dict[str, Callable[[Any, Any], Any]] = {
    "bbox": lambda box, models: _in_boxes([box], models),
    "polygon": _in_area,
    "within": _in_circle,
    "sources": _one_of("source"),
    "labels": lambda names, models: _one_of("label")([n.casefold() for n in names], models),
    "precision": _one_of("precision"),
    "date_from": lambda date, models: _range("last", gte=item_days(iso_date(date))[0])(models),
    "date_to": lambda date, models: _range("first", lte=item_days(iso_date(date))[1])(models),
    "gsd_min": lambda metres, models: _range("gsd_m", gte=metres)(models),
    "gsd_max": lambda metres, models: _range("gsd_m", lte=metres)(models),
}
"""Qdrant's condition for a field of `Filter`, made from its value; the others have none."""
