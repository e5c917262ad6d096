"""Hits chosen in the gallery or with a box on the map: counted, searched with, downloaded."""

from collections.abc import Callable, Sequence

import streamlit as st

from terraseek.parameters import Params
from terraseek.search import Hit
from terraseek_app.pages.explore.hit_actions import search_similar
from terraseek_app.pages.explore.state import reset_keys

__all__ = [
    "CHOSEN",
    "MAX_CHOSEN",
    "choose_hits",
    "chosen_bar",
    "chosen_hits",
    "restore_chosen",
]

CHOSEN = "pick"
"""Parameter with the id of a chosen hit; repeatable."""
MAX_CHOSEN = 100
"""Most hits chosen at once; their ids are in the link."""


def choose_hits(item_ids: Sequence[str], on: bool = True) -> None:
    """Add hits to the chosen ones, or take them out."""
    chosen = st.session_state.explore_chosen
    if on:
        st.session_state.explore_chosen = list(dict.fromkeys([*chosen, *item_ids]))[:MAX_CHOSEN]
    else:
        st.session_state.explore_chosen = [one for one in chosen if one not in item_ids]


def restore_chosen(params: Params) -> None:
    """Set the chosen hits to those of a link."""
    ids = dict.fromkeys(filter(None, params.get(CHOSEN, ())))
    st.session_state.explore_chosen = list(ids)[:MAX_CHOSEN]


def chosen_hits(hits: Sequence[Hit]) -> list[Hit]:
    """The chosen ones of the hits shown, in their order; others are no longer chosen."""
    chosen = set(st.session_state.explore_chosen)
    found = [hit for hit in hits if hit.item_id in chosen]
    if len(found) < len(chosen):
        st.session_state.explore_chosen = [hit.item_id for hit in found]
    return found


def chosen_bar(chosen: Sequence[Hit], draw_downloads: Callable[[Sequence[Hit]], None]) -> None:
    """Draw what can be done with the chosen hits; nothing without any.

    Args:
        chosen: the chosen hits.
        draw_downloads: draws the menu of files of hits.
    """
    if not chosen:
        return
    with st.container(
        horizontal=True, gap="small", vertical_alignment="center", key="explore_chosen_bar"
    ):
        st.html(f"<b>{len(chosen)}</b> selected")
        st.button(
            "Search with these",
            icon=":material/image_search:",
            type="primary",
            key="explore_chosen_search",
            on_click=_search_with,
            args=([hit.item_id for hit in chosen],),
        )
        draw_downloads(chosen)
        st.button(
            "",
            icon=":material/close:",
            type="tertiary",
            help="Clear the selection",
            key="explore_chosen_clear",
            on_click=reset_keys,
            args=("explore_chosen",),
        )


def _search_with(item_ids: Sequence[str]) -> None:
    for item_id in item_ids:
        search_similar(item_id)
    reset_keys("explore_chosen")
