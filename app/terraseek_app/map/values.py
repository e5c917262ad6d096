"""What goes into the map and what comes out of it, as plain values."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from terraseek.geo import BBox

__all__ = ["MapEvent", "Overlay", "PixelBox", "heat_overlay", "parse_event", "scene_overlay"]

Corners = Sequence[Sequence[float]]
"""Each [lon, lat] in degrees; of an image upper left, upper right, lower right, lower left."""
PixelBox = tuple[float, float, float, float]
"""(col0, row0, col1, row1) in pixels of the shown image, row downwards."""


@dataclass(frozen=True, slots=True)
class Overlay:
    """An image laid over the map."""

    id: str
    """Tells overlays apart; the same id again means nothing has changed."""
    kind: Literal["heat", "scene"]
    """A heat map is coloured in the browser, a scene is shown as it is."""
    url: str
    """Address on this server, or a data URL; with `{z}/{x}/{y}` it is a tile source."""
    corners: Corners | None = None
    """Where it lies on the globe; None in pixel space, where it covers the whole image."""
    low: float | None = None
    """Score that value 0 of a heat map stands for."""
    high: float | None = None
    """Score that value 255 of a heat map stands for."""
    label: str = ""
    """What the legend says."""


@dataclass(frozen=True, slots=True)
class MapEvent:
    """What the user did on the map in this run, and how the map stands after it."""

    kind: Literal["none", "select", "click", "box", "area", "view", "shape", "centre"] = "none"
    """`area` is a box made by "Search this area", `centre` a circle's, in `click`."""
    clicked: str | None = None
    """Item whose marker or dot was clicked."""
    click: tuple[float, float] | None = None
    """(lon, lat) in degrees of the click; (col, row) in pixel space."""
    box: BBox | None = None
    """The search box as it stands now, drawn a moment ago or given to the map."""
    pixel_box: PixelBox | None = None
    """The box as it stands now in pixel space."""
    view: dict[str, Any] | None = None
    """{"center": [lon, lat], "zoom", "bounds": [w, s, e, n]} at the moment of the event."""
    shape: tuple[tuple[float, float], ...] | None = None
    """Corners (lon, lat) of the polygon drawn with this event; None when it was taken away."""


def heat_overlay(
    heat_id: str, corners: Corners | None, low: float, high: float, label: str
) -> Overlay:
    """The overlay of a heat map kept by `state.add_heat`."""
    return Overlay(heat_id, "heat", f"/overlays/heat/{heat_id}.png", corners, low, high, label)


def scene_overlay(scene_id: str, footprint: Corners | None) -> Overlay:
    """The overlay of a scene known to `state.add_scene`: tiles on the globe, else one image."""
    if footprint is None:
        return Overlay(scene_id, "scene", f"/overlays/scene/{scene_id}.png")
    tiles = f"/tiles/scene/{scene_id}/{{z}}/{{x}}/{{y}}"
    return Overlay(scene_id, "scene", tiles, [list(corner) for corner in footprint])


def parse_event(
    raw: Mapping[str, Any] | None, box: BBox | PixelBox | None, pixel_space: bool
) -> MapEvent:
    """Read what the browser sent; without an event the box stays as it was given.

    Args:
        raw: the component's trigger value.
        box: the box the map was given in this run.
        pixel_space: whether places are (col, row).
    """
    if raw is None:
        return _with_box(MapEvent(), box)
    if raw["kind"] in ("box", "area"):
        box = _read_box(raw["box"], pixel_space)
    click = raw.get("click")
    place = (float(click[0]), float(click[1])) if click and None not in click else None
    shape = _read_shape(raw["shape"]) if raw["kind"] == "shape" else None
    event = MapEvent(raw["kind"], raw.get("item_id"), place, view=raw.get("view"), shape=shape)
    return _with_box(event, box)


def _read_box(values: Sequence[float] | None, pixel_space: bool) -> BBox | PixelBox | None:
    if values is None:
        return None
    a, b, c, d = (float(value) for value in values)
    return (a, b, c, d) if pixel_space else BBox(a, b, c, d)


def _read_shape(corners: Corners | None) -> tuple[tuple[float, float], ...] | None:
    if corners is None:
        return None
    return tuple((round(float(lon), 5), round(float(lat), 5)) for lon, lat in corners)


def _with_box(event: MapEvent, box: BBox | PixelBox | None) -> MapEvent:
    if isinstance(box, BBox):
        return replace(event, box=box)
    return replace(event, pixel_box=box)


def overlay_json(overlay: Overlay) -> dict[str, Any]:
    """The overlay as the browser takes it."""
    return asdict(overlay)
