"""An interactive map for notebooks that needs no internet: its background is part of the map."""

import json
from typing import Any

from terraseek.display import data_url, import_extra
from terraseek.geo import MERCATOR_LIMIT
from terraseek.tiles.basemap import ATTRIBUTION, basemap_image
from terraseek.tiles.borders import borders_geojson

__all__ = ["offline_map", "offline_style"]

_WORLD = [
    [-180.0, MERCATOR_LIMIT],
    [180.0, MERCATOR_LIMIT],
    [180.0, -MERCATOR_LIMIT],
    [-180.0, -MERCATOR_LIMIT],
]
_BASEMAP_ZOOM = 1
"""Zoom of the tiles of the background image, which is 1024 pixels wide."""
_LINE_COLOUR = "#ffffff"


def offline_map(height: str = "600px") -> Any:  # noqa: ANN401 - leafmap has no types
    """A `leafmap.maplibregl.Map` of the world with NASA's Blue Marble, coasts and borders.

    Args:
        height: height of the map as in CSS.

    Raises:
        MissingExtraError: leafmap or the basemap is not installed.
    """
    leafmap = import_extra("leafmap.maplibregl", "notebook")
    # leafmap's sidebar loads its icons from the internet
    return leafmap.Map(
        style=offline_style(), height=height, add_sidebar=False, add_floating_sidebar=False
    )


def offline_style() -> dict[str, Any]:
    """MapLibre style that contains all of its data.

    Raises:
        MissingExtraError: the basemap is not installed.
    """
    world = data_url(basemap_image(_BASEMAP_ZOOM), "image/jpeg")
    borders = {"type": "geojson", "data": json.loads(borders_geojson()), "attribution": ATTRIBUTION}
    return {
        "version": 8,
        "sources": {
            "world": {"type": "image", "url": world, "coordinates": _WORLD},
            "borders": borders,
        },
        "layers": [
            {"id": "background", "type": "background", "paint": {"background-color": "#0b1a2b"}},
            {"id": "world", "type": "raster", "source": "world"},
            {
                "id": "borders",
                "type": "line",
                "source": "borders",
                "paint": {"line-color": _LINE_COLOUR, "line-width": 0.7, "line-opacity": 0.6},
            },
        ],
    }
