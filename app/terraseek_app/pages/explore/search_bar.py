"""The search bar of Explore: query, query image, filters; and example queries below it."""

from collections.abc import Sequence

import streamlit as st

from terraseek_app.pages.explore.example_queries import example_queries
from terraseek_app.pages.explore.filter_panel import FILTER_KEYS, filter_panel
from terraseek_app.pages.explore.state import DEFAULTS, SearchForm, reset_keys
from terraseek_app.widgets.image_upload import image_upload

__all__ = ["search_bar", "show_examples"]


def search_bar(form: SearchForm) -> None:
    """Draw the query form and the two popovers beside it; they write to the session state."""
    with st.container(key="explore_bar"):
        query, image, filters = st.columns([8, 1.15, 1.15], vertical_alignment="bottom")
    with query, st.container(key="explore_form"), st.form("explore_ask"):
        _query_fields()
    with image, st.popover("Picture", icon=":material/image_search:", width="stretch"):
        _query_image()
    label = f"Filters ({form.n_filters})" if form.n_filters else "Filters"
    with filters, st.popover(label, icon=":material/tune:", width="stretch"):
        filter_panel()


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
    # a new sentence replaces the query image or item of the search before
    if st.session_state.explore_text.strip():
        reset_keys("explore_like", "explore_picture")
    reset_keys("explore_selected", "explore_liked", "explore_disliked")


def _query_image() -> None:
    st.caption("Find pictures that look like yours. A sentence can be added.")
    upload = image_upload("Query picture", "explore_upload")
    if upload is None:
        return
    st.session_state.explore_picture, _ = upload
    reset_keys("explore_like", "explore_selected")
    st.rerun()


def show_examples(labels: Sequence[str]) -> None:
    """Draw example queries as buttons, for a page without a query."""
    with st.container(key="explore_examples", gap="small"):
        for number, text in enumerate(example_queries(labels)):
            st.button(
                text,
                key=f"explore_example_{number}",
                icon=":material/search:",
                on_click=_search_example,
                args=(text,),
                width="stretch",
            )


def _search_example(text: str) -> None:
    """Search for an example; filters and the number of results are kept."""
    reset_keys(*(key for key in DEFAULTS if key not in FILTER_KEYS and key != "explore_k"))
    st.session_state.explore_text = text
