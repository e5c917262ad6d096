"""The picture of a region, and the catalogue searched with it."""

import html
import math
from pathlib import Path

import numpy as np
import streamlit as st
from jaxtyping import UInt8

from terraseek.display import png_bytes
from terraseek.errors import TerraSeekError
from terraseek.localization import HeatMap, Region
from terraseek.localization.output.outlines import area_text
from terraseek.scenes import Scene
from terraseek_app.messages import show_error
from terraseek_app.navigation import search_image
from terraseek_app.widgets.image_upload import store_bytes

__all__ = ["crop_box", "region_card", "region_image"]

_MAX_SIDE = 1024
"""Longest side in pixels of the picture; no encoder uses more."""
_SHOWN_WIDTH = 150
"""Width of the picture on the page, in CSS pixels."""


def crop_box(heat: HeatMap, region: Region) -> tuple[int, int, int, int]:
    """Square around a region as row0, col0, row1, col1: at least one window, inside the scene."""
    col0, row0, col1, row1 = region.polygon.bounds
    side = math.ceil(max(col1 - col0, row1 - row0, heat.window_px or 0, 16))
    width, height = min(side, heat.width), min(side, heat.height)
    left = min(max(round((col0 + col1 - width) / 2), 0), heat.width - width)
    top = min(max(round((row0 + row1 - height) / 2), 0), heat.height - height)
    return top, left, top + height, left + width


def region_image(path: Path, box: tuple[int, int, int, int]) -> UInt8[np.ndarray, "h w 3"]:
    """RGB pixels of a part of a scene, at most `_MAX_SIDE` wide and high.

    Raises:
        SceneError: the scene cannot be read.
    """
    row0, col0, row1, col1 = box
    fewer = min(1.0, _MAX_SIDE / max(row1 - row0, col1 - col0))
    size = max(1, round((row1 - row0) * fewer)), max(1, round((col1 - col0) * fewer))
    with Scene.open(path) as scene:
        rgb: UInt8[np.ndarray, "h w 3"] = scene.window(row0, col0, row1, col1, size)[0]
    return rgb


def region_card(heat: HeatMap, region: Region, rank: int, path: Path) -> bool:
    """Draw a region with its picture; returns whether it was closed.

    Args:
        heat: heat map of the region.
        region: the region.
        rank: its number.
        path: file of the scene.
    """
    try:
        image = region_image(path, crop_box(heat, region))
    except TerraSeekError as error:
        show_error(error)
        return False
    size = area_text(region.area_m2) if region.area_m2 else f"{region.area_px:,.0f} px²"
    with st.container(border=True, horizontal=True, key="localize_region_card"):
        st.image(image, width=_SHOWN_WIDTH)
        with st.container():
            st.html(
                f'<p class="ts-title">Region {rank}</p><span class="ts-quiet ts-clamp">'
                f"{html.escape(heat.question)}<br>{size} · similarity {region.peak.score:.3f}"
                "</span>"
            )
            if st.button("Search with it", icon=":material/image_search:", key="localize_search"):
                _search(image, f"region {rank} of {Path(heat.scene_name).stem}.png")
            closed = st.button("Close", type="tertiary", key="localize_region_close")
    return bool(closed)


def _search(image: UInt8[np.ndarray, "h w 3"], name: str) -> None:
    try:
        token = store_bytes(png_bytes(image), name)
    except TerraSeekError as error:
        show_error(error)
        return
    search_image(token)
