"""The item under review: its image, its caption with automatic hints, its metadata and location."""

import html
import io
import math
from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st
from PIL import Image

from terraseek.errors import MissingExtraError, TerraSeekError
from terraseek.review import Flag, Review
from terraseek_app.messages import show_error
from terraseek_app.pages.review.locator import locator_map
from terraseek_app.server import state
from terraseek_app.widgets.enlarge import enlarge
from terraseek_app.widgets.metadata import coordinates, metadata_html, metadata_rows

__all__ = ["caption_panel", "item_image", "metadata_panel"]

_IMAGE_SIDE = 640
"""Shortest longer side in pixels of the image; smaller images are enlarged."""
_MAX_ROWS = 10
"""Metadata rows shown."""
_HIDDEN_ROWS = {"width", "height", "caption source"}
_PAST_TENSE = {"accept": "accepted", "edit": "edited", "skip": "skipped", "rate": "rated"}


def item_image(item: Mapping[str, Any]) -> None:
    """Draw the image; if it cannot be read, show the error, and the item can still be skipped."""
    item_id = str(item["item_id"])
    try:
        image = _png(str(state.catalogue().path), item_id)
    except TerraSeekError as error:
        show_error(error)
        return
    with st.container(key="review_picture"):
        st.image(image, width="stretch", alt=str(item.get("caption") or item_id))


@st.cache_data(max_entries=64, show_spinner=False)
def _png(path: str, item_id: str) -> bytes:
    # path is part of the cache key only
    out = io.BytesIO()
    image = Image.fromarray(enlarge(state.catalogue().read_image(item_id), _IMAGE_SIDE))
    image.save(out, "PNG", compress_level=1)
    return out.getvalue()


def caption_panel(text: str, flags: Sequence[Flag], record: Review | None) -> None:
    """Draw the caption, the automatic hints, and the rater's earlier record.

    Args:
        text: the caption.
        flags: automatic hints.
        record: the rater's current record of the item; None without one.
    """
    shown = html.escape(text) if text.strip() else "<i>no caption</i>"
    hints = "".join(f'<span class="ts-hint">{html.escape(flag.text)}</span>' for flag in flags)
    earlier = ""
    if record is not None:
        action = _PAST_TENSE[record.action]
        edited = f": {html.escape(record.edited)}" if record.edited else ""
        earlier = f'<div class="ts-earlier">You {action} this before{edited}</div>'
    st.html(f'<blockquote class="ts-caption">{shown}</blockquote>{hints}{earlier}')


def metadata_panel(item: Mapping[str, Any]) -> None:
    """Draw the metadata, and a locator map if the position is known."""
    left, right = st.columns([2.3, 1], gap="small")
    rows = [row for row in metadata_rows(item) if row[0] not in _HIDDEN_ROWS]
    left.html(f'<div class="ts-review-facts">{metadata_html(rows[:_MAX_ROWS])}</div>')
    lon, lat = item.get("lon"), item.get("lat")
    if lon is None or lat is None or not (math.isfinite(lon) and math.isfinite(lat)):
        return
    try:
        image = locator_map(round(lon, 1), round(lat, 1))
    except MissingExtraError:  # no basemap installed; the metadata still give the position
        return
    with right.container(key="review_locator"):
        st.image(image, width="stretch", alt=f"Where on Earth: {coordinates(lon, lat, 1)}")
