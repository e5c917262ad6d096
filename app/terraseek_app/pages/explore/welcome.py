"""Explore without a query: what to do first, examples, and how to use one's own data."""

import html

import numpy as np
import streamlit as st

from terraseek.catalogue import Filter
from terraseek.errors import TerraSeekError
from terraseek_app.messages import show_error
from terraseek_app.pages.explore.example_queries import example_queries, fitting_label
from terraseek_app.pages.explore.filter_panel import FILTER_KEYS
from terraseek_app.pages.explore.search import count_matching
from terraseek_app.pages.explore.state import DEFAULTS, KEPT_KEYS, SearchForm, reset_keys
from terraseek_app.plain_text import as_markdown
from terraseek_app.server import state
from terraseek_app.widgets.own_data import OWN_DATA
from terraseek_app.widgets.thumbnails import thumbnail_url

__all__ = ["welcome"]

_STEPS = (
    ("Ask", "Write what a picture shows, or take an example below."),
    ("Narrow", "Filter on the left, draw an area on the map, add a picture with “Add”."),
    ("Locate", "Click a result; “Where in this picture?” marks the spot."),
)
_THUMBNAIL_SIDE = 64


def welcome(form: SearchForm) -> None:
    """Draw the text and the examples of a page without a query."""
    try:
        matched, total = count_matching(form)
    except TerraSeekError as error:
        show_error(error)
        return
    if not st.session_state.explore_selected:
        st.html(f'<p class="ts-hero">Ask {total:,} pictures of the Earth</p>')
    if matched != total:
        st.html(
            f'<p class="ts-quiet"><b>{matched:,}</b> of {total:,} match the filter. Search among '
            "them, or click one on the map.</p>"
        )
    if form.minus:
        st.info("“But not” needs something to search for as well.", icon=":material/edit:")
    if st.session_state.explore_hint:
        _steps()
    _examples(tuple(state.catalogue().labels))
    with st.expander("Use your own data", icon=":material/terminal:", key="explore_own_data"):
        st.markdown(OWN_DATA)


def _steps() -> None:
    """Draw three steps, with a button that removes them for the session."""
    steps = "".join(
        f"<li><b>{html.escape(title)}</b> {html.escape(text)}</li>" for title, text in _STEPS
    )
    with st.container(border=True, key="explore_steps"):
        st.html(f'<ol class="ts-steps">{steps}</ol>')
        st.button("Got it", type="tertiary", key="explore_understood", on_click=_hide_steps)


def _hide_steps() -> None:
    st.session_state.explore_hint = False


def _examples(labels: tuple[str, ...]) -> None:
    """Draw example queries as buttons, with a picture of the kind they are about."""
    catalogue = state.catalogue()
    with st.container(key="explore_examples", gap="small"):
        for number, text in enumerate(example_queries(labels)):
            label = fitting_label(text, labels)
            item_id = _first_item(label, str(catalogue.path), catalogue.count) if label else None
            image = f"![]({thumbnail_url(item_id, _THUMBNAIL_SIDE)}) " if item_id else ""
            st.button(
                f"{image}{as_markdown(text)}",
                key=f"explore_example_{number}",
                icon=None if image else ":material/search:",
                on_click=_search_example,
                args=(text,),
                width="stretch",
            )


@st.cache_data(max_entries=64, show_spinner=False)
def _first_item(label: str, path: str, count: int) -> str | None:
    """Id of an item with a label; path and count are part of the cache key only."""
    catalogue = state.catalogue()
    rows = np.flatnonzero(catalogue.mask(Filter(labels=(label,))))
    return catalogue.item_ids[rows[0]].decode() if len(rows) else None


def _search_example(text: str) -> None:
    """Search for an example; filters and the number of results are kept."""
    kept = (*FILTER_KEYS, *KEPT_KEYS, "explore_k")
    reset_keys(*(key for key in DEFAULTS if key not in kept))
    st.session_state.explore_text = text
