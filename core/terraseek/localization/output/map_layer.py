"""A heat map as an image layer of a leafmap map."""

from typing import Any

import numpy as np
from jaxtyping import UInt8

from terraseek.display import data_url, png_bytes

__all__ = ["add_image_layer"]

_FIT = {"padding": 40, "animate": False}


def add_image_layer(
    leafmap_map: Any,  # noqa: ANN401 - leafmap has no types
    name: str,
    rgba: UInt8[np.ndarray, "h w 4"],
    corners: list[list[float]],
    opacity: float,
) -> None:
    """Add an image source with exact corners.

    Args:
        leafmap_map: a `leafmap.maplibregl.Map`.
        name: name of the layer; a number is appended if the map has one of this name.
        rgba: image in Web Mercator.
        corners: [lon, lat] of the corners ul, ur, lr, ll.
        opacity: of the layer, 0 to 1.
    """
    identifier, count = name, 1
    while identifier in leafmap_map.source_dict:
        count += 1
        identifier = f"{name} ({count})"
    url = data_url(png_bytes(rgba), "image/png")
    leafmap_map.add_source(identifier, {"type": "image", "url": url, "coordinates": corners})
    leafmap_map.add_layer(
        {"id": identifier, "type": "raster", "source": identifier}, opacity=opacity
    )
    leafmap_map.fit_bounds([corners[3], corners[1]], dict(_FIT))
