"""The map component: Python side here, JavaScript in `static/`."""

from terraseek_app.map.component import EVENTS, world_map
from terraseek_app.map.values import (
    MapEvent,
    Overlay,
    PixelBox,
    heat_overlay,
    parse_event,
    scene_overlay,
)

__all__ = [
    "EVENTS",
    "MapEvent",
    "Overlay",
    "PixelBox",
    "heat_overlay",
    "parse_event",
    "scene_overlay",
    "world_map",
]
