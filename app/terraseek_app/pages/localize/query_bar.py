"""The bar at the top of the Localize page: scene, sentence, query image, method."""

from typing import Any

import streamlit as st

from terraseek.localization.methods.registry import DEFAULT_METHOD, METHODS
from terraseek_app.pages.localize.form import available_methods
from terraseek_app.pages.localize.image_query import clear_image, query_image_panel
from terraseek_app.pages.localize.parsing import join_lines, split_sentences
from terraseek_app.pages.localize.scene_choice import (
    choose_scene,
    scene_panel,
    upload_panel,
)
from terraseek_app.pages.localize.scenes.popovers import (
    SCENES_POPOVER,
    close_popover,
    focus_after_close,
)
from terraseek_app.server import state

__all__ = ["query_bar"]

_LINES_POPOVER = "localize_several"
"""Key of the popover with one sentence per line."""


def query_bar() -> bool:
    """Draw the bar; returns whether the form was submitted."""
    with st.container(key="localize_bar"):
        scene, upload, form, lines, image, more = st.columns(
            [2.2, 1.1, 5.0, 1.1, 1.1, 1.25], vertical_alignment="bottom"
        )
    with upload:
        scenes = _popover("Scenes", SCENES_POPOVER, ":material/photo_library:")
    with scenes:
        scene_panel(is_open=bool(scenes.open))
        upload_panel()
    with scene:
        choose_scene()
    with lines, _popover("Several", _LINES_POPOVER, ":material/format_list_bulleted:"):
        _lines_panel()
    with image, st.popover("Picture", icon=":material/image_search:", width="stretch"):
        query_image_panel()
    with more, st.popover(_method_label(), icon=":material/tune:", width="stretch"):
        _method_panel()
    with form, st.container(key="localize_form"), st.form("localize_question"):
        submitted = _query_fields()
    focus_after_close()
    return submitted


def _popover(label: str, key: str, icon: str) -> Any:  # noqa: ANN401 - Streamlit has no public type
    """A popover that a click in it can close, see `close_popover`."""
    return st.popover(label, icon=icon, width="stretch", key=key, on_change="rerun")


def _lines_panel() -> None:
    """Draw the field with one sentence per line."""
    session = st.session_state
    if session.localize_lines_of != session.localize_text:  # else the user is writing
        session.localize_lines_of = session.localize_text
        session.localize_lines = "\n".join(split_sentences(session.localize_text))
    st.caption("One sentence per line: each gets a colour, and the map says which wins where.")
    st.text_area("One sentence per line", key="localize_lines", height=150)
    st.button(
        "Where are they?",
        type="primary",
        key="localize_lines_go",
        on_click=_ask_lines,
        width="stretch",
    )


def _ask_lines() -> None:
    text = join_lines(st.session_state.localize_lines)
    if text:
        close_popover(_LINES_POPOVER)
        clear_image()
        st.session_state.update(localize_text=text, localize_ask=True)


def _method_label() -> str:
    method = st.session_state.localize_method
    return "Advanced" if method == DEFAULT_METHOD else METHODS[method].title


def _method_panel() -> None:
    methods = available_methods(state.settings().model, state.encoder_if_loaded())
    if st.session_state.localize_method not in methods:
        st.session_state.localize_method = methods[0]
    st.radio(
        "Method",
        methods,
        key="localize_method",
        format_func=lambda name: METHODS[name].title,
        captions=[METHODS[name].summary for name in methods],
    )
    st.text_input(
        "Window sizes in pixels",
        key="localize_scales",
        placeholder="chosen by the method",
        help="Sides of the square windows that are compared with the query, e.g. 128, 256.",
    )
    st.caption("With another method or other sizes, the next question encodes the scene again.")


def _query_fields() -> bool:
    text, minus, button = st.columns([5, 2.2, 1.2], vertical_alignment="bottom")
    text.text_input(
        "What to look for in the scene",
        key="localize_text",
        placeholder="Where is ... e.g. planes at the terminal; storage tanks",
        icon=":material/my_location:",
        label_visibility="collapsed",
    )
    minus.text_input(
        "But not",
        key="localize_minus",
        placeholder="but not ...",
        icon=":material/do_not_disturb_on:",
        label_visibility="collapsed",
    )
    return bool(
        button.form_submit_button("Where?", type="primary", width="stretch", on_click=_on_submit)
    )


def _on_submit() -> None:
    # a new sentence replaces the query image of the question before
    if st.session_state.localize_text.strip():
        clear_image()
