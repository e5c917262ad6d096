"""The item under review: its image large, its caption with automatic hints, its facts."""

import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import UInt8
from PIL import Image, ImageDraw

from terraseek.errors import MissingExtraError, TerraSeekError
from terraseek.geo import MERCATOR_LIMIT
from terraseek.review import Flag, Review
from terraseek_app.messages import say
from terraseek_app.server import state
from terraseek_app.widgets.facts import coordinates, facts, facts_html
from terraseek_app.widgets.item_card import enlarged

__all__ = ["caption", "item_image", "place"]

_SIDE = 640
_FACTS = 10
_DULL = {"width", "height", "caption source"}
_LOCATOR_ZOOM = 3
_LOCATOR_SIZE = (330, 210)
_VERDICTS = {"accept": "accepted", "edit": "edited", "skip": "skipped", "rate": "rated"}


def item_image(item: Mapping[str, Any]) -> None:
    """Draw the image; one that cannot be read says so and can still be skipped."""
    item_id = str(item["item_id"])
    try:
        image = _png(str(state.catalogue().path), item_id)
    except TerraSeekError as error:
        say(error)
        return
    with st.container(key="review_picture"):
        st.image(image, width="stretch", alt=str(item.get("caption") or item_id))


@st.cache_data(max_entries=64, show_spinner=False)
def _png(path: str, item_id: str) -> bytes:
    out = io.BytesIO()
    Image.fromarray(enlarged(state.catalogue().read_image(item_id), _SIDE)).save(
        out, "PNG", compress_level=1
    )
    return out.getvalue()


def caption(text: str, flags: Sequence[Flag], before: Review | None) -> None:
    """Draw the caption to be judged, what this rater said before, and the hints."""
    shown = html.escape(text) if text.strip() else "<i>no caption</i>"
    hints = "".join(f'<span class="ts-hint">{html.escape(flag.text)}</span>' for flag in flags)
    earlier = ""
    if before is not None:
        said = _VERDICTS[before.action]
        edited = f": {html.escape(before.edited)}" if before.edited else ""
        earlier = f'<div class="ts-earlier">You {said} this before{edited}</div>'
    st.html(f'<blockquote class="ts-caption">{shown}</blockquote>{hints}{earlier}')


def place(item: Mapping[str, Any]) -> None:
    """Draw where and when the image was taken, and what else its record says."""
    words, globe = st.columns([2.3, 1], gap="small")
    rows = [row for row in facts(item) if row[0] not in _DULL]
    words.html(f'<div class="ts-review-facts">{facts_html(rows[:_FACTS])}</div>')
    lon, lat = item.get("lon"), item.get("lat")
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return
    try:
        drawn = _locator(round(lon, 1), round(lat, 1))
    except MissingExtraError:  # the position stands in words beside it
        return
    with globe.container(key="review_locator"):
        st.image(drawn, width="stretch", alt=f"Where on Earth: {coordinates(lon, lat, 1)}")


@st.cache_data(max_entries=256, show_spinner=False)
def _locator(lon: float, lat: float) -> UInt8[np.ndarray, "h w 3"]:
    """The surroundings on the basemap with a dot at the place; degrees, EPSG:4326."""
    from terraseek.tiles.basemap import TILE_SIZE, basemap_tile

    side = TILE_SIZE << _LOCATOR_ZOOM
    limited = math.radians(max(-MERCATOR_LIMIT, min(MERCATOR_LIMIT, lat)))
    x = (lon + 180) / 360 * side
    y = (1 - math.asinh(math.tan(limited)) / math.pi) / 2 * side
    width, height = _LOCATOR_SIZE
    left, top = round(x - width / 2), min(max(round(y - height / 2), 0), side - height)
    view = Image.new("RGB", _LOCATOR_SIZE)
    for column in range(left // TILE_SIZE, (left + width - 1) // TILE_SIZE + 1):
        for row in range(top // TILE_SIZE, (top + height - 1) // TILE_SIZE + 1):
            # the world goes round: columns beyond its edge are those of the other side
            tile = basemap_tile(_LOCATOR_ZOOM, column % (1 << _LOCATOR_ZOOM), row)
            corner = (column * TILE_SIZE - left, row * TILE_SIZE - top)
            view.paste(Image.open(io.BytesIO(tile)), corner)
    dot = ImageDraw.Draw(view)
    dot.circle((x - left, y - top), 7, fill="#2bb3a3", outline="white", width=2)
    return np.asarray(view)
