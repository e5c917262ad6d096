"""Events of the map: what the user did on it, as the browser reports it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from terraseek.geo import BBox

__all__ = ["MapEvent", "PixelBox", "parse_event"]

PixelBox = tuple[float, float, float, float]
"""(col0, row0, col1, row1) in pixels of the shown image; rows count downwards."""


@dataclass(frozen=True, slots=True)
class MapEvent:
    """The user's action on the map in this run, and the map's state after it."""

    kind: Literal[
        "none",
        "select",
        "click",
        "box",
        "area",
        "view",
        "shape",
        "centre",
        "threshold",
        "stretch",
        "region",
        "truth",
        "choose",
    ] = "none"
    """`box`, `shape` and `centre` (of a circle) were drawn or removed; `area` is a box from the
    button "Search this area"; `region` is a click in an outline."""
    clicked: str | None = None
    """Id of the item whose marker or point was clicked."""
    click: tuple[float, float] | None = None
    """(lon, lat) of the click in degrees; (col, row) in pixel space."""
    box: BBox | None = None
    """The search box after the event; the box given to the map if the event did not change it."""
    pixel_box: PixelBox | None = None
    """The search box after the event in pixel space."""
    view: dict[str, Any] | None = None
    """{"center": [lon, lat], "zoom", "bounds": [w, s, e, n]} at the time of the event."""
    shapes: tuple[tuple[tuple[float, float], ...], ...] = ()
    """Corners (lon, lat) of all polygons after an event of kind `shape`."""
    truth: tuple[tuple[tuple[float, float], ...], ...] | None = None
    """Outlines of the truth after this event: corners as (lon, lat), or (col, row) in pixels."""
    threshold: float | None = None
    """Where the heat map's threshold was set, 0-1 of its display range."""
    stretch: bool | None = None
    """Whether colours are stretched to the scene, after an event of kind `stretch`."""
    chosen: tuple[str, ...] = ()
    """Ids of the hits in the box that was drawn to choose them."""


def parse_event(
    raw: Mapping[str, Any] | None, box: BBox | PixelBox | None, pixel_space: bool
) -> MapEvent:
    """Read an event from the browser.

    Args:
        raw: the component's trigger value; None without an event.
        box: the box given to the map in this run.
        pixel_space: whether positions are (col, row).

    Raises:
        BBoxError: the browser sent a box that is no box.
    """
    if raw is None:
        return _with_box(MapEvent(), box)
    if raw["kind"] in ("box", "area"):
        box = _parse_box(raw["box"], pixel_space)
    click = raw.get("click")
    position = (float(click[0]), float(click[1])) if click and None not in click else None
    shapes = _parse_shapes(raw["shapes"]) if raw["kind"] == "shape" else ()
    event = MapEvent(
        raw["kind"],
        raw.get("item_id"),
        position,
        view=raw.get("view"),
        shapes=shapes,
        threshold=_parse_threshold(raw.get("threshold")),
        stretch=raw.get("stretch") is True if raw["kind"] == "stretch" else None,
        truth=_parse_rings(raw["truth"]) if raw["kind"] == "truth" else None,
        chosen=tuple(map(str, raw.get("items") or ())) if raw["kind"] == "choose" else (),
    )
    return _with_box(event, box)


def _parse_box(values: Sequence[float] | None, pixel_space: bool) -> BBox | PixelBox | None:
    if values is None:
        return None
    a, b, c, d = (float(value) for value in values)
    return (a, b, c, d) if pixel_space else BBox(a, b, c, d)


def _parse_shapes(
    rings: Sequence[Sequence[Sequence[float]]],
) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple(
        tuple((round(float(lon), 5), round(float(lat), 5)) for lon, lat in ring) for ring in rings
    )


def _parse_rings(
    rings: Sequence[Sequence[Sequence[float]]] | None,
) -> tuple[tuple[tuple[float, float], ...], ...]:
    return tuple(tuple((float(x), float(y)) for x, y in ring) for ring in rings or ())


def _parse_threshold(value: object) -> float | None:
    if not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return min(max(float(value), 0.0), 1.0)


def _with_box(event: MapEvent, box: BBox | PixelBox | None) -> MapEvent:
    if isinstance(box, BBox):
        return replace(event, box=box)
    return replace(event, pixel_box=box)
