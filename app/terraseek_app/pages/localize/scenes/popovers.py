"""Popovers that close after what was done in them; the focus goes back to their button."""

import streamlit as st

from terraseek_app.widgets.component import component

__all__ = ["SCENES_POPOVER", "close_popover", "focus_after_close"]

SCENES_POPOVER = "localize_scenes_popover"
"""Key of the popover with the scenes."""


def close_popover(key: str) -> None:
    """Close a popover; call before the page is drawn.

    Args:
        key: of a popover with `on_change="rerun"`.
    """
    session = st.session_state
    if session.get(key):
        session[key] = False
        session.localize_closed = [key, session.get("localize_closed", ["", 0])[1] + 1]


def focus_after_close() -> None:
    """Give the focus to the button of the popover that was closed last."""
    key, turn = st.session_state.get("localize_closed", ["", 0])
    mount = component("terraseek_focus", ("focus.js",), ())
    mount(key="localize_focus", data={"of": key, "turn": turn})
