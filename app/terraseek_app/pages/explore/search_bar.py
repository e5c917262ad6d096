"""The search bar of Explore: query, further parts, filters, settings."""

import streamlit as st

from terraseek_app.pages.explore.canvas.layout import RAIL_KEYS, toggle
from terraseek_app.pages.explore.filter_panel import settings_panel
from terraseek_app.pages.explore.state import SearchForm, reset_keys
from terraseek_app.server.query_images import read_upload
from terraseek_app.widgets.image_upload import image_upload

__all__ = ["search_bar"]

_ADDABLE = {
    "explore_plus": ("Also look for", "further words, such as: at sunset"),
    "explore_more_minus": ("But not", "unwanted words, such as: clouds"),
    "explore_likes": ("Like an item", "the id of an item of the catalogue"),
}
"""List in the session -> label and placeholder of the field that adds to it."""


def search_bar(form: SearchForm) -> None:
    """Draw the query form and the two buttons beside it; they write to the session state."""
    with st.container(key="explore_bar"):
        query, more, filters, settings = st.columns([8, 1, 1.15, 1.2], vertical_alignment="bottom")
    with query, st.container(key="explore_form"), st.form("explore_ask"):
        _query_fields()
    with more, st.popover("Add", icon=":material/add:", width="stretch", key="explore_add"):
        _further_parts()
    label = f"Filters ({form.n_filters})" if form.n_filters else "Filters"
    for rail, key in zip(RAIL_KEYS, ("explore_filters", "explore_filters_narrow"), strict=True):
        filters.button(
            label,
            icon=":material/tune:",
            width="stretch",
            key=key,
            help="Show or hide the filters",
            on_click=toggle,
            args=(rail,),
        )
    with settings, st.popover("Settings", icon=":material/settings:", width="stretch"):
        settings_panel()


def _query_fields() -> None:
    text, minus, button = st.columns([5, 2.4, 1.1], vertical_alignment="bottom")
    text.text_input(
        "What to look for",
        key="explore_text",
        placeholder="Describe what the picture shows, e.g. many planes parked next to a terminal",
        icon=":material/search:",
        label_visibility="collapsed",
    )
    minus.text_input(
        "But not",
        key="explore_minus",
        placeholder="but not ...",
        icon=":material/do_not_disturb_on:",
        label_visibility="collapsed",
    )
    button.form_submit_button("Search", type="primary", width="stretch", on_click=_on_submit)


def _on_submit() -> None:
    # other parts of the query stay; each has a chip that removes it
    reset_keys("explore_selected")


def _further_parts() -> None:
    """Draw the fields that add a part to the query; all parts it has stay."""
    st.caption("Pictures that look like yours, alone or together with words.")
    # the check reports a file that is no image here, before it becomes part of the query
    upload = image_upload("Query picture", "explore_upload", check=read_upload)
    for key, (label, placeholder) in _ADDABLE.items():
        widget = f"{key}_added"
        st.text_input(
            label, key=widget, placeholder=placeholder, on_change=_add, args=(key, widget)
        )
    if upload is None:
        return
    token, _ = upload
    session = st.session_state
    session.explore_pictures = list(dict.fromkeys([*session.explore_pictures, token]))
    reset_keys("explore_selected")
    st.rerun()


def _add(key: str, widget: str) -> None:
    """Append the text of a field to a list of the session, and empty the field."""
    text = (st.session_state[widget] or "").strip()
    if text:
        st.session_state[key] = list(dict.fromkeys([*st.session_state[key], text]))
    st.session_state[widget] = ""
