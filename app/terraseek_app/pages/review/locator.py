"""The locator map: a small piece of the basemap with a dot at an item's position."""

import io
import math

import numpy as np
import streamlit as st
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from terraseek.geo import MERCATOR_LIMIT

__all__ = ["locator_map"]

_ZOOM = 3
_SIZE = (330, 210)
"""Width and height in pixels."""


@st.cache_data(max_entries=256, show_spinner=False)
def locator_map(lon: float, lat: float) -> UInt8[np.ndarray, "h w 3"]:
    """RGB image of the basemap around a position.

    Args:
        lon: degrees, EPSG:4326.
        lat: degrees, EPSG:4326.

    Raises:
        MissingExtraError: the basemap is not installed.
    """
    from terraseek.tiles.basemap import TILE_SIZE, basemap_tile

    world = TILE_SIZE << _ZOOM
    clipped = math.radians(max(-MERCATOR_LIMIT, min(MERCATOR_LIMIT, lat)))
    x = (lon + 180) / 360 * world
    y = (1 - math.asinh(math.tan(clipped)) / math.pi) / 2 * world
    width, height = _SIZE
    left, top = round(x - width / 2), min(max(round(y - height / 2), 0), world - height)
    view = Image.new("RGB", _SIZE)
    for column in range(left // TILE_SIZE, (left + width - 1) // TILE_SIZE + 1):
        for row in range(top // TILE_SIZE, (top + height - 1) // TILE_SIZE + 1):
            # tile columns repeat beyond the antimeridian
            tile = basemap_tile(_ZOOM, column % (1 << _ZOOM), row)
            corner = (column * TILE_SIZE - left, row * TILE_SIZE - top)
            view.paste(Image.open(io.BytesIO(tile)), corner)
    dot = ImageDraw.Draw(view)
    dot.circle((x - left, y - top), 7, fill="#2bb3a3", outline="white", width=2)
    return np.asarray(view)
