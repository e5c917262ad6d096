"""The card of one item: its image large, what is known of it, and where to go from it."""

import html
from collections.abc import Mapping
from typing import Any

import numpy as np
import streamlit as st
from jaxtyping import UInt8
from PIL import Image

from terraseek_app.pages.explore.state import clear
from terraseek_app.server import state
from terraseek_app.widgets.copy_button import copy_button
from terraseek_app.widgets.facts import facts, facts_html
from terraseek_app.widgets.navigation import go
from terraseek_app.widgets.score_text import Reading

__all__ = ["enlarged", "item_card", "like", "vote"]

_SIDE = 512
"""Longer side in pixels of the card's image."""
_FACTS_SHOWN = 5
"""Facts on the card itself; the rest is a click away."""


def item_card(item: Mapping[str, Any], reading: Reading | None, rank: int | None) -> None:
    """Draw the card of an item of the served catalogue.

    Args:
        item: row of the items table.
        reading: its score for the present query, if it is among the hits.
        rank: its rank among the hits.
    """
    item_id = str(item["item_id"])
    with st.container(border=True, key="explore_card"):
        st.button(
            "",
            icon=":material/close:",
            type="tertiary",
            help="Close the card",
            on_click=clear,
            args=("explore_selected",),
            key="explore_close",
        )
        image, text = st.columns([1, 1.45], gap="small")
        image.image(
            enlarged(state.catalogue().read_image(item_id, _SIDE), _SIDE),
            width="stretch",
            alt=str(item.get("caption") or item_id),
        )
        with text:
            _words(item, reading, rank)
        _buttons(item, item_id)


def _words(item: Mapping[str, Any], reading: Reading | None, rank: int | None) -> None:
    caption = html.escape(str(item.get("caption") or "no caption"))
    tags = ""
    if rank is not None:
        tags += f'<span class="ts-tag">result {rank}</span>'
    if reading is not None and reading.weak:
        tags += '<span class="ts-tag weak">not convincing</span>'
    score = f'<p class="ts-quiet">{html.escape(reading.long)}</p>' if reading else ""
    rows = facts(item)
    st.html(
        f'<p class="ts-title ts-clamp">{caption}</p>{tags}{score}{facts_html(rows[:_FACTS_SHOWN])}'
    )
    if len(rows) > _FACTS_SHOWN:
        with st.popover("all metadata", type="tertiary", key="explore_facts"):
            st.html(facts_html([("id", str(item["item_id"])), *rows]))


def _buttons(item: Mapping[str, Any], item_id: str) -> None:
    with st.container(horizontal=True, gap="small", key="explore_actions"):
        st.button(
            "More like this",
            icon=":material/image_search:",
            on_click=like,
            args=(item_id,),
            key="explore_more_like",
        )
        if st.button(
            "Where in this picture?",
            icon=":material/my_location:",
            type="primary",
            key="explore_where",
        ):
            _localize(item_id)
        if item.get("lon") is not None and item["lon"] == item["lon"]:
            copy_button(
                f"{item['lat']:.6f}, {item['lon']:.6f}", "Copy coordinates", key="explore_copy"
            )
        if st.button("Review", icon=":material/rate_review:", key="explore_review"):
            st.session_state.review_item = item_id
            go("review")


def like(item_id: str) -> None:
    """Ask for neighbours of an item instead of what was asked before."""
    clear("explore_text", "explore_minus", "explore_image", "explore_liked", "explore_disliked")
    st.session_state.explore_like = item_id


def vote(item_id: str, liked: bool) -> None:
    """Take a hit as what was meant, or as what was not; the same again takes it back."""
    session = st.session_state
    mine, other = "explore_liked", "explore_disliked"
    if not liked:
        mine, other = other, mine
    session[other] = [key for key in session[other] if key != item_id]
    given = session[mine]
    session[mine] = (
        [key for key in given if key != item_id] if item_id in given else [*given, item_id]
    )


def _localize(item_id: str) -> None:
    """Carry item and sentence over to the Localize page: query, place, spot."""
    st.session_state.localize_source = f"item:{item_id}"
    if st.session_state.explore_text.strip():
        st.session_state.localize_text = st.session_state.explore_text.strip()
        st.session_state.localize_ask = True
    go("localize")


def enlarged(image: UInt8[np.ndarray, "h w 3"], side: int) -> UInt8[np.ndarray, "h2 w2 3"]:
    """Small images brought up to `side` smoothly; the browser would draw them as blocks."""
    height, width = image.shape[:2]
    scale = side / max(height, width)
    if scale <= 1:
        return image
    size = (round(width * scale), round(height * scale))
    return np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
