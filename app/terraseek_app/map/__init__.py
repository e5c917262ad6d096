"""The map component: its Python side; the JavaScript is in `static/`."""

from terraseek_app.map.component import EVENTS, Side, world_map
from terraseek_app.map.events import MapEvent, PixelBox, parse_event
from terraseek_app.map.overlays import Overlay, heat_overlay, level_positions, scene_overlay
from terraseek_app.map.second import SecondMap, Split, parse_split

__all__ = [
    "EVENTS",
    "MapEvent",
    "Overlay",
    "PixelBox",
    "SecondMap",
    "Side",
    "Split",
    "heat_overlay",
    "level_positions",
    "parse_event",
    "parse_split",
    "scene_overlay",
    "world_map",
]
