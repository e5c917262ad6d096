"""The card of the selected item: its image, its score and metadata, and links to other pages."""

import html
from collections.abc import Mapping
from typing import Any

import streamlit as st

from terraseek_app.navigation import open_localize, open_review
from terraseek_app.pages.explore.hit_actions import search_similar
from terraseek_app.pages.explore.spot.panel import spot_panel, spot_picture
from terraseek_app.pages.explore.spot.run import Spot, ask, can_ask, find_spot
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.server import state
from terraseek_app.widgets.copy_button import copy_button
from terraseek_app.widgets.enlarge import enlarge
from terraseek_app.widgets.level_tag import level_tag
from terraseek_app.widgets.metadata import metadata_html, metadata_rows
from terraseek_app.widgets.score_text import ScoreText

__all__ = ["item_card"]

_IMAGE_SIDE = 512
"""Longer side in pixels of the card's image."""
_ROWS_SHOWN = 5
"""Metadata rows on the card itself; all rows are in a popover."""


def item_card(
    item: Mapping[str, Any], score: ScoreText | None, rank: int | None, form: SearchForm
) -> Spot | None:
    """Draw the card of an item of the served catalogue.

    Args:
        item: row of the items table.
        score: its score for the current query; None if it is not among the hits.
        rank: its rank among the hits, from 1; None if it is not among them.
        form: the form values, whose query can be looked for in the item.

    Returns:
        The heat map of the query in the item, for the map; None without one.
    """
    item_id = str(item["item_id"])
    with st.container(border=True, key="explore_card"):
        st.button(
            "",
            icon=":material/close:",
            type="tertiary",
            help="Close the card",
            on_click=reset_keys,
            args=("explore_selected",),
            key="explore_close",
        )
        image, text = st.columns([1, 1.45], gap="small")
        spot = find_spot(form)
        image.image(
            spot_picture(spot)
            or enlarge(state.catalogue().read_image(item_id, _IMAGE_SIDE), _IMAGE_SIDE),
            width="stretch",
            alt=str(item.get("caption") or item_id),
        )
        with text:
            _description(item, score, rank)
        if spot is not None:
            spot_panel(spot)
        _buttons(item, item_id, form)
    return spot


def _description(item: Mapping[str, Any], score: ScoreText | None, rank: int | None) -> None:
    caption = html.escape(str(item.get("caption") or "no caption"))
    tags = ""
    if rank is not None:
        tags += f'<span class="ts-tag">result {rank}</span>'
    if score is not None and score.level is not None:
        tags += level_tag(score.level)
    score_html = f'<p class="ts-quiet">{html.escape(score.sentence)}</p>' if score else ""
    rows = metadata_rows(item)
    shown = metadata_html(rows[:_ROWS_SHOWN])
    st.html(f'<p class="ts-title ts-clamp">{caption}</p>{tags}{score_html}{shown}')
    if len(rows) > _ROWS_SHOWN:
        with st.popover("all metadata", type="tertiary", key="explore_facts"):
            st.html(metadata_html([("id", str(item["item_id"])), *rows]))


def _buttons(item: Mapping[str, Any], item_id: str, form: SearchForm) -> None:
    with st.container(horizontal=True, gap="small", key="explore_actions"):
        st.button(
            "More like this",
            icon=":material/image_search:",
            on_click=search_similar,
            args=(item_id,),
            key="explore_more_like",
        )
        if st.session_state.explore_spot != item_id:
            _where_button(item_id, form)
        if item.get("lon") is not None and item["lon"] == item["lon"]:  # not None, not NaN
            copy_button(
                f"{item['lat']:.6f}, {item['lon']:.6f}", "Copy coordinates", key="explore_copy"
            )
        if st.button("Review", icon=":material/rate_review:", key="explore_review"):
            open_review(item_id)


def _where_button(item_id: str, form: SearchForm) -> None:
    """Draw the button that looks for the query in the item; without a query, on its own page."""
    label, icon = "Where in this picture?", ":material/my_location:"
    if can_ask(form):
        st.button(
            label, icon=icon, type="primary", key="explore_where", on_click=ask, args=(item_id,)
        )
    elif st.button(label, icon=icon, type="primary", key="explore_where"):
        open_localize(item_id, "")
